# Writes an order and its email in one transaction, and another one that is undone. Arguments: engine, database, id.
require 'json'

engine, database, order = ARGV
email = { from: 'Acme <onboarding@resend.dev>', to: ['foo@gmail.com'], subject: order, text: 'grüße' }

if engine == 'sqlite'
  require 'sqlite3'
  connection = SQLite3::Database.new(database)
  connection.busy_timeout = 10_000
  run = ->(sql, *params) { connection.execute(sql.gsub(/\$\d/, '?'), params) }
else
  require 'pg'
  connection = PG.connect(database)
  run = ->(sql, *params) { connection.exec_params(sql, params) }
end

insert = 'insert into sendonce_outbox (id, payload) values ($1, $2)'
run.call('begin')
run.call('insert into orders (id) values ($1)', order)
run.call(insert, order, JSON.generate(email))
run.call('commit')

run.call('begin')
run.call(insert, "#{order}/undone", JSON.generate(email))
run.call('rollback')
connection.close
