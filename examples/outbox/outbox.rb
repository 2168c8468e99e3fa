# An outbox by hand. `ruby outbox.rb shop.db 4711`: commits order 4711 with its email, then sends what is in the table.
require 'json'
require 'net/http'
require 'sqlite3'

file, order = ARGV
db = SQLite3::Database.new(file)
db.execute 'create table if not exists orders (id text primary key)'
db.execute 'create table if not exists outbox (id text primary key, payload text not null, email_id text, error text)'

email = { from: 'shop@example.com', to: 'ann@example.org', subject: "Your order #{order}", text: 'Thank you.' }
db.transaction do
  db.execute 'insert or ignore into orders values (?)', [order]
  db.execute 'insert or ignore into outbox (id, payload) values (?, ?)', ["receipt/#{order}", JSON.generate(email)]
end

# Which column to fill with what; nil where nothing is known, and the same request may be sent again.
def send_mail(key, payload)
  headers = { 'Authorization' => "Bearer #{ENV['RESEND_API_KEY']}", 'Content-Type' => 'application/json', 'Idempotency-Key' => key }
  answer = Net::HTTP.post(URI("#{ENV['RESEND_BASE_URL']}/emails"), payload, headers)
  return ['email_id', JSON.parse(answer.body)['id']] if answer.is_a?(Net::HTTPSuccess)

  is_open = %w[401 408 429].include?(answer.code) || answer.body.to_s.include?('concurrent_idempotent_requests')
  answer.is_a?(Net::HTTPClientError) && !is_open ? ['error', answer.body] : nil
rescue SystemCallError, IOError, Timeout::Error, SocketError, Net::HTTPBadResponse, JSON::ParserError
  nil
end

waiting = 'select id, payload from outbox where email_id is null and error is null order by rowid'
until (rows = db.execute(waiting)).empty?
  rows.each do |id, payload|
    column, value = send_mail("outbox/#{id}", payload)
    db.execute "update outbox set #{column} = ? where id = ?", [value, id] if column
  end
  sleep 0.2 # what is not known to be accepted or refused is asked again, under the same key
end
