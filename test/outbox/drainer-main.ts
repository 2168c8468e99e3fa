/** A drain to be killed: the real one, or one of the two that are written by hand again and again. Arguments: database URL, server, kind, `once`. */

import { randomUUID } from 'node:crypto';
import { runDrain } from '../../src/client/outbox/drain.ts';
import { openOutboxDatabase, run } from '../../src/client/outbox/engine.ts';
import { shopKey } from './order.ts';

const [url = '', to = '', kind = 'real', once = ''] = process.argv.slice(2);
const database = await openOutboxDatabase(url);

type Row = { id: string; payload: string };

function takeSome(): Promise<Row[]> {
  return database.all<Row>(`select id, payload from sendonce_outbox where state = 'waiting' order by seq limit 10`);
}

async function mark(id: string): Promise<void> {
  await database.transaction(() => run(`update sendonce_outbox set state = 'sent' where id = ?`, id));
}

async function post(key: string, body: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${shopKey}`, 'content-type': 'application/json', 'idempotency-key': key };
  const answer = await fetch(`${to}/emails`, { method: 'POST', headers, body }).catch(() => null);
  return answer?.ok ?? false;
}

/** A key of its own for each try. */
async function mintKeys(): Promise<void> {
  for (const { id, payload } of await takeSome()) if (await post(randomUUID(), payload)) await mark(id);
}

/** The row is done with before it is sent. */
async function markFirst(): Promise<void> {
  for (const { id, payload } of await takeSome()) {
    await mark(id);
    await post(`outbox/${id}`, payload);
  }
}

// Ends with the test that started it, whatever ends that.
process.stdin.on('close', () => process.exit());
console.log('ready');
await new Promise((resolve) => process.stdin.on('data', resolve));
if (kind === 'real') {
  await runDrain(database, { to, key: shopKey, once: once !== '', lanes: 2, leaseMs: 1_000, backOffMaxMs: 200 });
} else {
  do {
    await (kind === 'mints-keys' ? mintKeys() : markFirst());
    await new Promise((resolve) => setTimeout(resolve, 10));
  } while (once === '');
}
console.log('done');
process.exit();
