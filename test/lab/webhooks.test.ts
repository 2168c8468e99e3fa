/** Events through kills of the whole process: every one reaches the endpoint, under one id, and none is made up. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import Sqlite from 'better-sqlite3';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { message, testKey } from '../support/server.ts';
import { createTemp } from '../support/temp.ts';
import { type Program, startProgram } from './program.ts';

const kills = 5;
const emailsPerLife = 12;

type Life = { program: Program; url: string };

test('kill -9 again and again: every event is told at least once, under one id, each email in order, and none is made up', async (t) => {
  const temp = createTemp();
  const databasePath = temp.path('killed.db');
  const receiver = await startReceiver(t);
  const environment = { EGRESS_ALLOW: '127.0.0.0/8' };
  const start = async (): Promise<Life> => {
    const program = startProgram({ databaseUrl: `sqlite:${databasePath}`, relayUrl: 'capture:', environment });
    const url = await program.listening;
    assert.ok(url, program.words());
    return { program, url };
  };
  let life = await start();
  t.after(() => {
    life.program.signal('SIGKILL');
    temp.remove();
  });
  const events = ['email.sent', 'email.delivered'];
  await post(life.url, '/webhooks', { endpoint: receiver.url, events });

  for (let kill = 0; kill < kills; kill += 1) {
    const already = receiver.told.length;
    const batch = Array.from({ length: emailsPerLife }, (_, index) => message({ subject: `${kill}.${index}` }));
    await post(life.url, '/emails/batch', batch);
    // In the middle of it: answers are on their way, some recorded and some not.
    await receiver.waitFor(already + 2 + 3 * kill);
    life.program.signal('SIGKILL');
    await life.program.ended;
    life = await start();
  }
  await receiver.until(
    () => new Set(receiver.told.map(({ headers }) => headers['svix-id'])).size === 2 * kills * emailsPerLife,
  );
  life.program.signal('SIGTERM');
  await life.program.ended;
  check(databasePath, receiver);
});

async function post(url: string, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${testKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.ok(response.ok, await response.text());
}

function check(databasePath: string, receiver: Receiver): void {
  const database = new Sqlite(databasePath, { readonly: true });
  const stored = database
    .prepare<[], { id: string; email: string; type: string }>(
      `select d.id, e.email_id as email, e.type from events e
       join webhook_deliveries d on d.event = e.id order by e.id`,
    )
    .all();
  const facts = database.prepare("select count(*) from events where type in ('sent', 'delivered')").pluck().get();
  database.close();
  assert.equal(stored.length, facts, 'each event is to be told once, no more and no less');
  const bodies = new Map<unknown, string>();
  const firsts = new Map<string, string[]>();
  for (const { headers, body, json } of receiver.told) {
    const id = headers['svix-id'];
    assert.equal(body, bodies.get(id) ?? body, 'what one id says does not change');
    if (bodies.has(id)) continue;
    bodies.set(id, body);
    firsts.set(json.data.email_id, [...(firsts.get(json.data.email_id) ?? []), json.type]);
  }
  const expected = stored.map(({ id, email, type }) => `${id} ${email} email.${type}`).sort();
  const told = [...bodies]
    .map(([id, body]) => `${id} ${JSON.parse(body).data.email_id} ${JSON.parse(body).type}`)
    .sort();
  assert.deepEqual(told, expected, 'none is missing and none is made up');
  for (const types of firsts.values()) assert.deepEqual(types, ['email.sent', 'email.delivered']);
}
