/** A person asks for something while the row is moving under them, on PostgreSQL: one of the two wins, and both are told the truth. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import pg from 'pg';
import { listEvents } from '../../src/store/mail/events.ts';
import { runQueue } from '../e2e/sending.ts';
import { bendDatabase, bendEdge } from '../support/bent-database.ts';
import { openDatabase, useEngine } from '../support/engine.ts';
import { serve } from '../support/served.ts';
import { message, type TestServer, type TestServerOptions } from '../support/server.ts';
import { modes } from '../support/smtp-sink-modes.ts';

useEngine('postgres');

const hourMs = 60 * 60_000;

/** A second process in the middle of its transaction. */
async function session(t: TestContext, server: TestServer): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.databaseUrl });
  client.on('error', () => {});
  await client.connect();
  t.after(() => client.end());
  return client;
}

/** What the person is told whose request waits for the row, until `sql` has committed. */
async function toldAfter<Told>(
  t: TestContext,
  server: TestServer,
  id: string,
  sql: string,
  ask: () => Promise<Told>,
): Promise<Told> {
  const other = await session(t, server);
  await other.query('begin');
  await other.query(`update deliveries ${sql} where email_id = $1`, [id]);
  const asked = ask();
  const watch = await session(t, server);
  const isWaiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  while ((await watch.query(isWaiting)).rows.length === 0);
  await other.query('commit');
  return asked;
}

async function eventTypes(server: TestServer, id: string): Promise<string[]> {
  const database = await openDatabase(server.databaseUrl);
  const events = await listEvents(database, 'default', id);
  await database.close();
  return events.map(({ type }) => type);
}

async function scheduled(t: TestContext, options: TestServerOptions = {}) {
  const { server } = await serve(t, options);
  const at = new Date(server.clock.now() + hourMs).toISOString();
  const { json } = await server.call('POST', '/emails', message({ scheduled_at: at }));
  return { server, id: json.id as string, at };
}

async function doubtful(t: TestContext) {
  const { server, sink } = await serve(t);
  sink.behave = () => modes.acceptThenDrop;
  const { json } = await server.call('POST', '/emails', message());
  const isHeld = async () => (await server.call('GET', '/in-doubt')).json.data.length === 1;
  await server.until('it is in doubt', isHeld);
  return { server, sink, id: json.id as string };
}

const gateOpens = `set state = 'handoff', attempt = attempt + 1, handoff_attempt = attempt + 1, gated_at = 1, run_at = 9007199254740991`;
const verdictComes = `set state = 'sent', attempt = attempt + 1`;

describe('an operator who answers while the relay does', () => {
  for (const answer of ['abandon', 'sent', 'send-again']) {
    it(`"${answer}" after a late 250 is told that it is sent, and nothing is written`, async (t) => {
      const { server, sink, id } = await doubtful(t);
      const events = await eventTypes(server, id);
      const told = await toldAfter(t, server, id, verdictComes, () =>
        server.call('POST', `/in-doubt/${id}`, { answer }),
      );
      assert.deepEqual([told.status, told.json.name], [404, 'not_found']);
      assert.match(told.json.message, /It is `sent` now\.$/);
      assert.deepEqual(await eventTypes(server, id), events);
      await server.tick();
      assert.equal(sink.count, 1);
    });
  }
});

describe('two operators who answer at once', () => {
  it('are told whose answer stands', async (t) => {
    const { server, id } = await doubtful(t);
    const answers = ['abandon', 'sent', 'abandon', 'sent'];
    const told = await Promise.all(answers.map((answer) => server.call('POST', `/in-doubt/${id}`, { answer })));
    const [winner, ...others] = told.filter(({ status }) => status === 200);
    assert.deepEqual(others, []);
    const state = winner?.json.state;
    for (const { json } of told.filter(({ status }) => status !== 200))
      assert.ok(json.message.includes(`\`${state}\``));
    assert.deepEqual((await eventTypes(server, id)).slice(1), [state]);
    assert.equal((await server.call('GET', `/emails/${id}`)).json.last_event, state);
  });
});

describe('a cancel behind a gate that opens', () => {
  const cancel = (server: TestServer, id: string) => server.call('POST', `/emails/${id}/cancel`);

  it('is refused, and no event says that it was canceled', async (t) => {
    const { server, id } = await scheduled(t);
    const told = await toldAfter(t, server, id, gateOpens, () => cancel(server, id));
    assert.deepEqual([told.status, told.json.last_event], [422, 'scheduled']);
    assert.match(told.json.message, /being handed over to the relay right now/);
    assert.deepEqual(await eventTypes(server, id), ['scheduled']);
  });

  it('would be taken back from the relay without the state in its way: the control', async (t) => {
    const anyState = bendEdge('cancel', { from: ['queued', 'sending', 'handoff'] });
    const { server, id } = await scheduled(t, { outside: { database: (own) => bendDatabase(own, [anyState]) } });
    const told = await toldAfter(t, server, id, gateOpens, () => cancel(server, id));
    assert.equal(told.status, 200);
    assert.deepEqual(await eventTypes(server, id), ['scheduled', 'canceled']);
  });
});

describe('a reschedule behind a gate that opens', () => {
  it('is refused, and the email keeps its time', async (t) => {
    const { server, id, at } = await scheduled(t);
    const later = new Date(server.clock.now() + 5 * hourMs).toISOString();
    const told = await toldAfter(t, server, id, gateOpens, () =>
      server.call('PATCH', `/emails/${id}`, { scheduled_at: later }),
    );
    assert.equal(told.status, 422);
    assert.deepEqual(await eventTypes(server, id), ['scheduled']);
    const { json } = await server.call('GET', `/emails/${id}`);
    assert.equal(Date.parse(json.scheduled_at), Date.parse(at));
  });
});

describe('an operator who holds everything', () => {
  it('waits for what another process is claiming, and holds it too', async (t) => {
    const { server, id } = await scheduled(t);
    const claimed = `set state = 'sending', attempt = attempt + 1, worker = 'another', run_at = 9007199254740991`;
    const said = await toldAfter(t, server, id, claimed, () => runQueue(server, 'hold'));
    assert.match(said, /^1 deliveries are held/);
    assert.deepEqual(
      (await server.call('GET', '/in-doubt')).json.data.map((held: { id: string }) => held.id),
      [id],
    );
  });
});
