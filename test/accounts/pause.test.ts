/** An account too much of whose mail comes back waits for its operator; the others go on. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { enableAccount } from '../../src/store/account-rules.ts';
import { openDatabase } from '../support/engine.ts';
import { addApiKey, drained, serve } from '../support/served.ts';

const hourMs = 60 * 60_000;

it('is paused at the share and the number, loses nothing, and goes on once it is enabled', async (t) => {
  const environment = { PAUSE_AT_BOUNCES: '50%/3' };
  const { server, sink } = await serve(t, { environment, outside: { choresEveryMs: 600_000 } });
  sink.behave = () => ({ rcpt: (to) => (to.startsWith('gone') ? '550 5.1.1 no such user' : undefined) });
  // What is counted by the hour must not be counted across two.
  server.clock.advance(hourMs - (server.clock.now() % hourMs) + 60_000);
  const other = { authorization: `Bearer ${await addApiKey(server, 're_other_account_key', 'other')}` };
  const send = async (to: string, headers = {}) => {
    const { status, json } = await server.call(
      'POST',
      '/emails',
      { from: 'a@acme.example', to, subject: to, text: 'x' },
      headers,
    );
    assert.equal(status, 200);
    return json.id as string;
  };
  const stateOf = async (id: string) => (await server.call('GET', `/emails/${id}`)).json.last_event;
  // On PostgreSQL figures follow half a minute later.
  const look = async () => {
    server.clock.advance(40_000);
    await server.tick();
    await server.tick();
  };
  const paused = async () => {
    const { json } = await server.call('GET', '/accounts');
    return json.data.filter((one: { paused: boolean }) => one.paused).map((one: { name: string }) => one.name);
  };

  for (const name of ['gone1', 'gone2', 'there1']) await send(`${name}@example.com`);
  await drained(server);
  await look();
  assert.deepEqual(await paused(), []);
  await send('gone3@example.com');
  await drained(server);
  await look();
  assert.deepEqual(await paused(), ['default']);
  const waiting = await send('there2@example.com');
  await send('there3@example.com', other);
  await server.until('the other account goes on', () =>
    sink.received.some(({ to }) => to.includes('there3@example.com')),
  );
  assert.equal(await stateOf(waiting), 'queued');
  assert.match((await server.call('GET', '/metrics')).text, /^sendonce_trouble\{name="account_paused"\} 1$/m);

  const database = await openDatabase(server.databaseUrl);
  await database.write((tx) => enableAccount(tx, 'default', server.clock.now()));
  await database.close();
  await look();
  await drained(server);
  assert.equal(await stateOf(waiting), 'sent');
  assert.deepEqual(await paused(), []);
});
