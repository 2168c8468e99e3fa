/** The whole server behind a real PgBouncer: sessions change under it, end under it, and are fewer than its connections. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type pg from 'pg';
import { readConfig } from '../../src/config/config.ts';
import { openServed } from '../../src/process/open-database.ts';
import type { Database } from '../../src/store/database.ts';
import { openPostgres, type PostgresOptions } from '../../src/store/engine/postgres/postgres.ts';
import { migrate } from '../../src/store/migrate.ts';
import { runCommand } from '../lab/program.ts';
import { pgBouncerVersion } from '../support/pgbouncer.ts';
import { startReceiver } from '../support/receiver.ts';
import { drained } from '../support/served.ts';
import { message, type TestServer } from '../support/server.ts';
import { createTemp } from '../support/temp.ts';
import {
  ask,
  connect,
  endSessions,
  holdFirstCommit,
  notUnderWay,
  serverOn,
  settingsLeft,
  sinkOf,
  standOf,
  survive,
  underWay,
} from './pooled.ts';

const version = pgBouncerVersion();
const skip = version === null && 'NOT CHECKED: that Sendonce works behind PgBouncer; pgbouncer is not installed here';

/** Fewer than one process has connections. */
const poolSize = 3;

describe(`behind PgBouncer ${version ?? ''} in transaction mode`, { skip }, () => {
  const stand = standOf({ default_pool_size: poolSize });

  it('what several servers accept is sent once, retries are answered alike, and the pool stays as it was', async (t) => {
    const direct = await stand.server.createDatabase();
    const sink = await sinkOf(t);
    const all = await Promise.all([1, 2, 3].map(() => serverOn(t, stand.pool.through(direct), sink)));
    const ids = await Promise.all(
      Array.from({ length: 60 }, async (_, number) => {
        const headers = { 'idempotency-key': `key ${number}` };
        const replies = await Promise.all(all.map((one) => one.call('POST', '/emails', message(), headers)));
        assert.deepEqual(
          replies.map(({ status }) => status),
          [200, 200, 200],
        );
        assert.equal(new Set(replies.map(({ text }) => text)).size, 1);
        return replies[0]?.json.id;
      }),
    );
    await drained(all[0] as TestServer);
    assert.deepEqual(sink.received.map(({ messageId }) => messageId.split('@')[0]?.slice(1)).sort(), ids.sort());
    const sessions = await ask<{ of: string }>(
      direct,
      "select application_name as of from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()",
    );
    assert.ok(sessions.length > 0 && sessions.length <= poolSize, `${sessions.length} sessions`);
    assert.ok(sessions.every(({ of }) => of.startsWith('sendonce ')));
    assert.deepEqual(await settingsLeft(stand.pool.through(direct), poolSize), ['0 0 0']);
  });

  it('webhooks are told', async (t) => {
    const receiver = await startReceiver(t);
    const one = await serverOn(t, stand.pool.through(await stand.server.createDatabase()), await sinkOf(t));
    await one.call('POST', '/webhooks', { endpoint: `${receiver.url}/hook`, events: ['email.sent'] });
    const ids = await Promise.all(
      Array.from({ length: 20 }, async () => (await one.call('POST', '/emails', message())).json.id),
    );
    await receiver.until(({ told }) => new Set(told.map(({ json }) => json.data.email_id)).size === 20);
    assert.deepEqual([...new Set(receiver.told.map(({ json }) => json.data.email_id))].sort(), ids.sort());
  });

  it('ten processes that start at once migrate once, with fewer sessions than processes', async () => {
    const url = stand.pool.through(await stand.server.createDatabase());
    const processes = await Promise.all(Array.from({ length: 10 }, () => openPostgres({ url })));
    const ran = await Promise.all(processes.map((database) => migrate(database)));
    assert.equal(ran.filter((migrations) => migrations.length > 0).length, 1);
    for (const database of processes) await database.close();
  });

  it('the commands do what they do, beside a server and without one', async (t) => {
    const url = stand.pool.through(await stand.server.createDatabase());
    const temp = createTemp();
    t.after(() => temp.remove());
    const run = (environment: Record<string, string>, ...words: string[]) =>
      runCommand(
        { databaseUrl: url, relayUrl: 'capture:', environment: { STATE_DIR: temp.path('.'), ...environment } },
        words,
      );
    const here = { DATABASE_URL: url };
    const file = { DATABASE_URL: `sqlite:${temp.path('old.db')}` };
    await run(file, 'migrate');
    await run(file, 'key', 'create', '--name', 'moved');
    assert.match(await run(file, 'migrate', '--from', file.DATABASE_URL, '--to', url), /Everything is in/);
    const sink = await sinkOf(t);
    const one = await serverOn(t, url, sink);
    assert.match(await run(here, 'migrate'), /up to date/);
    assert.match(await run(here, 'key', 'list'), /moved/);
    const [made = ''] = /re_\w+/.exec(await run(here, 'key', 'create', '--name', 'made')) ?? [];
    const authorization = `Bearer ${made}`;
    assert.equal((await one.call('POST', '/emails', message(), { authorization })).status, 200);
    await sink.waitFor(1);
    await drained(one);
    assert.match(await run(here, 'queue'), /Nothing is waiting/);
    assert.match(await run(here, 'doctor'), /synchronous_commit is on/);
  });

  it('a user it does not know, or a database that is none, is refused at once', async () => {
    const url = stand.pool.through(await stand.server.createDatabase());
    const startedAt = performance.now();
    await assert.rejects(openPostgres({ url: url.replace('postgres@', 'stranger@') }), /authentication failed/);
    await assert.rejects(openPostgres({ url: url.replace(/test\d+/, 'nowhere') }), /"nowhere" does not exist/);
    // A server that is starting is waited for.
    assert.ok(performance.now() - startedAt < 30_000);
  });

  it('with DATABASE_LISTEN_URL processes wake each other; without it they do not hear, and poll', async (t) => {
    const direct = await stand.server.createDatabase();
    const url = stand.pool.through(direct);
    const speaker = await openPostgres({ url });
    t.after(() => speaker.close());
    const heard = await Promise.all(
      [direct, undefined].map(async (listenUrl) => {
        const told: string[] = [];
        const { database } = await openServed(
          readConfig({ DATABASE_URL: url, ...(listenUrl ? { DATABASE_LISTEN_URL: listenUrl } : {}) }).database,
          { onUnknownCommit: () => {}, onHearing: (hearing) => told.push(hearing.state) },
        );
        t.after(() => database.close());
        const listener = { times: 0, again: () => {}, told };
        const first = new Promise<void>((resolve) => {
          database.onAnnounced(() => {
            listener.times += 1;
            resolve();
            listener.again();
          });
        });
        // Whoever begins to listen looks once.
        await first;
        return listener;
      }),
    );
    const [listening, deaf] = heard as [(typeof heard)[number], (typeof heard)[number]];
    const woken = new Promise<void>((resolve) => {
      listening.again = resolve;
    });
    speaker.announce();
    await woken;
    assert.deepEqual([listening.times, deaf.times], [2, 1]);
    assert.deepEqual([listening.told, deaf.told], [[], ['pooled']]);
    const sink = await sinkOf(t);
    const api = await serverOn(t, url, sink, { ROLE: 'api' });
    await serverOn(t, url, sink, { ROLE: 'worker' });
    assert.equal((await api.call('POST', '/emails', message())).status, 200);
    await sink.waitFor(1);
  });

  it('named statements would meet sessions that do not know them (control)', { skip: preparesItself() }, async () => {
    const url = stand.pool.through(await stand.server.createDatabase());
    const [asker, ...others] = await Promise.all([0, 1, 2, 3].map(() => connect(url)));
    assert.ok(asker);
    const statement = { name: 's0', text: 'select $1::text', values: ['x'] };
    const sessionOf = async (client: pg.Client) => (await client.query('select pg_backend_pid() as pid')).rows[0].pid;
    await asker.query('begin');
    await asker.query(statement);
    const prepared = await sessionOf(asker);
    await asker.query('commit');
    // They take the whole pool; what one gives back is not the session that knows the statement.
    for (const client of others) await client.query('begin');
    const sessions = await Promise.all(others.map(sessionOf));
    await others[sessions.findIndex((session) => session !== prepared)]?.query('commit');
    await assert.rejects(asker.query(statement), /prepared statement "s0" does not exist/);
    for (const client of [asker, ...others]) await client.end().catch(() => {});
  });

  it('a COMMIT under way when PgBouncer is killed is found out to have happened', async (t) => {
    assert.deepEqual(await loseCommit(t, {}, () => stand.pool.kill()), { value: 'run 1', stored: ['run 1'] });
  });

  it('it would be done twice if a lost answer were taken for undone (control)', async (t) => {
    const { stored } = await loseCommit(t, { assumeLostCommits: 'undone' }, () => stand.pool.kill());
    assert.deepEqual(stored, ['run 1', 'run 2']);
  });

  it('a COMMIT whose session is ended in the pool is found out to be undone, and done again', async (t) => {
    assert.deepEqual(await loseCommit(t, {}, endSessions), { value: 'run 2', stored: ['run 2'] });
  });

  it('it would be lost if a lost answer were taken for committed (control)', async (t) => {
    const lost = await loseCommit(t, { assumeLostCommits: 'committed' }, endSessions);
    assert.deepEqual(lost, { value: 'run 1', stored: [] });
  });

  /** COMMIT waits until something has happened during it, and the pooler is there again. */
  async function loseCommit(
    t: TestContext,
    options: Partial<PostgresOptions>,
    happens: (direct: string) => Promise<void>,
  ) {
    const direct = await stand.server.createDatabase();
    const database = await openPostgres({ ...options, url: stand.pool.through(direct) });
    t.after(() => database.close());
    await migrate(database);
    const release = await holdFirstCommit(direct);
    t.after(release);
    let runs = 0;
    const written = database.write(
      async (tx) => {
        runs += 1;
        await tx.run('insert into settings (name, value) values (?, ?)', `run ${runs}`, '');
        return `run ${runs}`;
      },
      { about: 'one' },
    );
    await underWay(direct);
    await happens(direct);
    await stand.pool.start();
    await release();
    const value = await written;
    // Answered or not, it ends.
    await notUnderWay(direct);
    return { value, stored: await names(database) };
  }
});

describe(`several processes behind PgBouncer ${version ?? ''}`, { skip }, () => {
  const stand = standOf({ default_pool_size: poolSize });
  const mischiefs = {
    'sessions ended in the pool': endSessions,
    'PgBouncer killed and started': async () => {
      await stand.pool.kill();
      await stand.pool.start();
    },
    'PostgreSQL killed and started': async () => {
      await stand.server.kill();
      await stand.server.start();
    },
  };
  for (const [name, mischief] of Object.entries(mischiefs)) {
    it(`${name} with commits under way: nothing acknowledged is lost, nothing is sent twice`, async (t) => {
      const direct = await stand.server.createDatabase();
      await survive(t, { direct, url: stand.pool.through(direct) }, () => mischief(direct));
    });
  }
});

describe(`behind PgBouncer ${version ?? ''} in session mode`, { skip }, () => {
  const stand = standOf({ pool_mode: 'session', default_pool_size: 20 });

  it('a pool as large as the connections of all processes does, and polling does without notifications', async (t) => {
    const url = stand.pool.through(await stand.server.createDatabase());
    const sink = await sinkOf(t);
    const [one, other] = await Promise.all([serverOn(t, url, sink), serverOn(t, url, sink)]);
    const accepted = Array.from({ length: 20 }, (_, number) =>
      (number % 2 ? one : other).call('POST', '/emails', message()),
    );
    for (const { status } of await Promise.all(accepted)) assert.equal(status, 200);
    await drained(one);
    assert.equal(sink.count, 20);
    assert.deepEqual(sink.duplicates(), []);
  });
});

async function names(database: Database): Promise<string[]> {
  const rows = await database.all<{ name: string }>('select name from settings order by name');
  return rows.map((row) => row.name);
}

/** From 1.21 on it knows named statements, where `max_prepared_statements` is not 0. */
function preparesItself(): string | false {
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  return (major > 1 || minor >= 21) && 'this PgBouncer may prepare named statements itself';
}
