/** What the tests of a pooled database stand on: PostgreSQL, a PgBouncer before it, and servers on both. */

import assert from 'node:assert/strict';
import { after, before, type TestContext } from 'node:test';
import pg from 'pg';
import { Load } from '../lab/load.ts';
import { startProgram } from '../lab/program.ts';
import { type PgBouncer, startPgBouncer } from '../support/pgbouncer.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { createRandom } from '../support/random.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { createTemp } from '../support/temp.ts';

type Stand = { server: PostgresServer; pool: PgBouncer };

/** There for the tests of the suite around it. */
export function standOf(settings: Record<string, string | number>): Stand {
  const stand = {} as Stand;
  before(async () => {
    stand.server = await startPostgres();
    stand.pool = await startPgBouncer({ server: stand.server.folder, settings });
  });
  after(async () => {
    await stand.pool?.stop();
    await stand.server?.stop();
  });
  return stand;
}

/** The same database, without the pooler and through it. */
type Way = { direct: string; url: string };

/** Answers before, between and after it happens, which is three times. */
const timesItHappens = 3;
const answersBetween = 40;

/** Everything waited for here takes seconds at most; a slow machine may take many more. */
const patienceMs = 120_000;

export async function survive(
  t: TestContext,
  at: { direct: string; url: string },
  happens: () => Promise<void>,
): Promise<void> {
  const sink = await sinkOf(t);
  const programs = await Promise.all(['api', 'all'].map((role) => processOn(t, at, sink, role)));
  const random = createRandom(5);
  const target = () => programs[Math.floor(random() * programs.length)]?.url ?? null;
  const load = new Load({ random, target, clients: 8 });
  t.after(() => load.abandon());
  load.start();
  for (let times = 0; times < timesItHappens; times += 1) {
    await load.answeredMore(answersBetween);
    await happens();
  }
  await load.answeredMore(answersBetween);
  await load.end();
  await load.repeatAll();
  assert.deepEqual(load.violations, []);
  const open = "select email_id as id from deliveries where state in ('queued', 'sending', 'handoff')";
  await until('nothing is under way', async () => (await ask(at.direct, open)).length === 0);
  const acknowledged = load.operations.flatMap(({ answer }) => answer?.match(/[0-9a-f]{8}-[0-9a-f-]{27}/g) ?? []);
  const stored = await ask<{ id: string }>(at.direct, 'select id from emails');
  assert.deepEqual(stored.map(({ id }) => id).sort(), acknowledged.sort());
  // Whose fate was decided by the death of a connection is at the sink, or held; never twice.
  const held = await ask<{ id: string }>(at.direct, "select email_id as id from deliveries where state = 'in_doubt'");
  const isHeld = new Set(held.map(({ id }) => id));
  const lost = acknowledged.filter((id) => sink.copies(`<${id}@resend.dev>`) === 0 && !isHeld.has(id));
  assert.deepEqual([lost, sink.duplicates()], [[], []]);
}

async function processOn(t: TestContext, at: Way, sink: Sink, role: string): Promise<{ url: string }> {
  const temp = createTemp();
  const environment = { ROLE: role, DATABASE_LISTEN_URL: at.direct, STATE_DIR: temp.path('.') };
  const program = startProgram({ databaseUrl: at.url, relayUrl: `smtp://127.0.0.1:${sink.port}`, environment });
  t.after(async () => {
    program.signal('SIGKILL');
    await program.ended;
    temp.remove();
  });
  const address = await program.listening;
  if (address === null) throw new Error(`it does not start: ${program.words()}`);
  return { url: address };
}

export async function sinkOf(t: TestContext): Promise<Sink> {
  const sink = await startSink();
  t.after(() => sink.close());
  return sink;
}

export async function serverOn(
  t: TestContext,
  url: string,
  sink: Sink,
  more: Record<string, string> = {},
): Promise<TestServer> {
  const server = await startTestServer({
    environment: { DATABASE_URL: url, RELAY_URL: `smtp://127.0.0.1:${sink.port}`, ...more },
  });
  t.after(() => server.stop());
  return server;
}

export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

export async function ask<R extends pg.QueryResultRow>(url: string, sql: string): Promise<R[]> {
  const client = await connect(url);
  try {
    return (await client.query<R>(sql)).rows;
  } finally {
    await client.end();
  }
}

export async function endSessions(direct: string): Promise<void> {
  await ask(
    direct,
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name like 'sendonce %'`,
  );
}

/** What the sessions of the pool say of our time-outs, once each: all are held at once, so that each is asked. */
export async function settingsLeft(url: string, poolSize: number): Promise<string[]> {
  const clients = await Promise.all(Array.from({ length: poolSize }, () => connect(url)));
  const left = await Promise.all(
    clients.map(async (client) => {
      await client.query('begin');
      const names = ['lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout'];
      const { rows } = await client.query(
        `select concat_ws(' ', ${names.map((name) => `current_setting('${name}')`)}) as left`,
      );
      return rows[0].left as string;
    }),
  );
  for (const client of clients) {
    await client.query('rollback');
    await client.end();
  }
  return [...new Set(left)];
}

/** The COMMIT of the first row that is set waits until the returned function is called; those after it do not. */
export async function holdFirstCommit(direct: string): Promise<() => Promise<void>> {
  await ask(
    direct,
    `create sequence commits_seen;
     create function wait_at_commit() returns trigger language plpgsql set lock_timeout = 0 as $$
       begin if nextval('commits_seen') = 1 then perform pg_advisory_xact_lock(1); end if; return null; end $$;
     create constraint trigger held_commit after insert on settings deferrable initially deferred
       for each row execute function wait_at_commit()`,
  );
  const holder = await connect(direct);
  await holder.query('select pg_advisory_lock(1)');
  return () => holder.end();
}

/** Some session of the database is in the middle of a COMMIT. */
export async function underWay(direct: string): Promise<void> {
  await until('a COMMIT is under way', async () => (await ask(direct, heldCommits)).length > 0);
}

export async function notUnderWay(direct: string): Promise<void> {
  await until('no COMMIT is under way', async () => (await ask(direct, commits)).length === 0);
}

const commits = `select 1 from pg_stat_activity
  where datname = current_database() and state = 'active' and query = 'commit'`;
const heldCommits = `${commits} and wait_event = 'advisory'`;

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
