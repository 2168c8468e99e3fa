/** An outbox by hand. `node outbox.mjs shop.db 4711`: commits order 4711 with its email, then sends what is in the table. */

import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';

const [file, order] = process.argv.slice(2);
const db = new Database(file);
db.exec(`create table if not exists orders (id text primary key);
  create table if not exists outbox (id text primary key, payload text not null, email_id text, error text);`);

const email = { from: 'shop@example.com', to: 'ann@example.org', subject: `Your order ${order}`, text: 'Thank you.' };
db.transaction(() => {
  db.prepare('insert or ignore into orders values (?)').run(order);
  db.prepare('insert or ignore into outbox (id, payload) values (?, ?)').run(`receipt/${order}`, JSON.stringify(email));
})();

const waiting = db.prepare('select id, payload from outbox where email_id is null and error is null order by rowid');
for (let rows = waiting.all(); rows.length > 0; rows = waiting.all()) {
  for (const { id, payload } of rows) {
    const headers = {
      authorization: `Bearer ${process.env.RESEND_API_KEY}`,
      'content-type': 'application/json',
      'idempotency-key': `outbox/${id}`,
    };
    const url = `${process.env.RESEND_BASE_URL}/emails`;
    const answer = await fetch(url, { method: 'POST', headers, body: payload }).catch(() => null);
    const body = await answer?.json().catch(() => null);
    const isRefused = answer?.status >= 400 && answer.status < 500 && ![401, 408, 429].includes(answer.status);
    if (answer?.ok && body) db.prepare('update outbox set email_id = ? where id = ?').run(body.id, id);
    else if (isRefused && body?.name !== 'concurrent_idempotent_requests')
      db.prepare('update outbox set error = ? where id = ?').run(body?.message ?? String(answer.status), id);
  }
  await sleep(200); // what is not known to be accepted or refused is asked again, under the same key
}
