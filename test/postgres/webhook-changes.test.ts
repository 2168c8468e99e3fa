/** Changes of a webhook by two processes at once, on PostgreSQL: another session holds its row, and commits later. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import pg from 'pg';
import { type Bend, bendDatabase } from '../support/bent-database.ts';
import { useEngine } from '../support/engine.ts';
import { startReceiver } from '../support/receiver.ts';
import { serve } from '../support/served.ts';
import type { TestReply, TestServer, TestServerOptions } from '../support/server.ts';
import { send, told } from '../webhook/stage.ts';

useEngine('postgres');

async function connect(t: TestContext, server: TestServer): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.databaseUrl });
  client.on('error', () => {});
  await client.connect();
  t.after(() => client.end());
  return client;
}

async function stage(t: TestContext, options: TestServerOptions = {}) {
  const receiver = await startReceiver(t);
  const { server } = await serve(t, options);
  const wanted = { endpoint: `${receiver.url}/hook`, events: ['email.sent'] };
  const { id } = (await server.call('POST', '/webhooks', wanted)).json;
  return { server, receiver, path: `/webhooks/${id}`, other: await connect(t, server), look: await connect(t, server) };
}

/** Resolves once some session waits for another one's transaction, as the request has to that is being answered. */
async function waitsForLock(look: pg.Client, asking: Promise<TestReply>): Promise<void> {
  let answer: TestReply | null = null;
  void asking.then((reply) => {
    answer = reply;
  });
  for (;;) {
    const { rows } = await look.query(
      "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
    );
    if (rows.length > 0) return;
    assert.equal(answer, null, 'it was answered without waiting');
  }
}

/** As `subscribe` does it, by another process that has not committed yet. */
async function enable(other: pg.Client): Promise<void> {
  await other.query('begin');
  await other.query('update webhooks set enabled = 1, failing_since = null');
  await other.query('update webhook_subscriptions set enabled = 1');
}

async function remove(other: pg.Client): Promise<void> {
  await other.query('begin');
  await other.query('update webhooks set deleted_at = 1, enabled = 0');
  await other.query('delete from webhook_subscriptions');
}

/** What `PATCH {events}` makes of a webhook that another process enables at the same time. */
async function changeWhileEnabled(t: TestContext, options: TestServerOptions = {}): Promise<string[]> {
  const { server, receiver, path, other, look } = await stage(t, options);
  await server.call('PATCH', path, { status: 'disabled' });
  await enable(other);
  const changing = server.call('PATCH', path, { events: ['email.sent', 'email.failed'] });
  await waitsForLock(look, changing);
  await other.query('commit');
  assert.equal((await changing).status, 200);
  await send(server);
  await told(server);
  return receiver.told.map(({ json }) => json.type);
}

describe('a webhook that two processes change at once', () => {
  it('is told what the one change asks for once the other one enabled it', async (t) => {
    assert.deepEqual(await changeWhileEnabled(t), ['email.sent']);
  });

  it('would be told nothing if its row were read before it is held: the control', async (t) => {
    const readsFirst: Bend = {
      when: 'update webhooks set modified_at = ? where number = ? and deleted_at is null',
      replace: "update settings set value = value where cast(? as bigint) > cast(? as bigint) and name = 'database_id'",
    };
    assert.deepEqual(
      await changeWhileEnabled(t, { outside: { database: (own) => bendDatabase(own, [readsFirst]) } }),
      [],
    );
  });

  const late: [what: string, method: string, path: string, body?: unknown][] = [
    ['changed', 'PATCH', '', { events: ['email.failed'], status: 'enabled' }],
    ['given another secret', 'POST', '/signing-secret/rotate'],
    ['deleted', 'DELETE', ''],
  ];
  for (const [what, method, below, body] of late) {
    it(`is gone for whoever wants it ${what} after the other one deleted it`, async (t) => {
      const { server, path, other, look } = await stage(t);
      await remove(other);
      const asking = server.call(method, `${path}${below}`, body);
      await waitsForLock(look, asking);
      await other.query('commit');
      const { status, json } = await asking;
      assert.deepEqual([status, json.message], [404, 'Webhook not found']);
      assert.deepEqual((await look.query('select subject from webhook_subscriptions')).rows, []);
      const { rows } = await look.query('select deleted_at, enabled, previous_secret from webhooks');
      assert.deepEqual(rows, [{ deleted_at: '1', enabled: '0', previous_secret: null }]);
    });
  }

  it('is there for whoever waited for a deletion that was undone', async (t) => {
    const { server, path, other, look } = await stage(t);
    await remove(other);
    const asking = server.call('PATCH', path, { events: ['email.failed'] });
    await waitsForLock(look, asking);
    await other.query('rollback');
    assert.equal((await asking).status, 200);
    assert.deepEqual((await server.call('GET', path)).json.events, ['email.failed']);
  });
});
