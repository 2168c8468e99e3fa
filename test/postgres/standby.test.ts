/** Two real servers: what is acknowledged is where the next primary is, and one that lacks it is found out before anything is claimed. */

import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import pg from 'pg';
import { createArrivals } from '../../src/process/arrivals.ts';
import type { Database } from '../../src/store/database.ts';
import { openPostgres, type PostgresOptions } from '../../src/store/engine/postgres/postgres.ts';
import { migrate } from '../../src/store/migrate.ts';
import { findWentBack } from '../../src/store/went-back.ts';
import { startPostgresProxy } from '../support/postgres-proxy.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';

const put = (database: Database, name: string) =>
  database.write((tx) => tx.run("insert into settings (name, value) values (?, '')", name), { about: name });

/** As the database of the same name is reached at another server. */
const urlAt = (server: PostgresServer, url: string) =>
  url.replace(/host=[^&]*/, `host=${encodeURIComponent(server.folder)}`);

async function ask<R extends pg.QueryResultRow>(server: PostgresServer, sql: string): Promise<R[]> {
  const client = new pg.Client({ host: server.folder, user: 'postgres', database: 'postgres' });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<R>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 60_000;
  while (!(await condition().catch(() => false))) {
    assert.ok(performance.now() < giveUpAt, `waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const waits = "select pid from pg_stat_activity where wait_event = 'SyncRep' and application_name = 'sendonce";
const synchronous = (server: PostgresServer, names: string) =>
  server
    .administer(`alter system set synchronous_standby_names = '${names}'`)
    .then(() => server.administer('select pg_reload_conf()'));
const isFollowed = (server: PostgresServer) => async () =>
  (await ask(server, "select 1 from pg_stat_replication where state = 'streaming'")).length > 0;

describe('a primary whose synchronous standby is away', () => {
  let primary: PostgresServer;
  let standby: PostgresServer;

  before(async () => {
    primary = await startPostgres();
    await primary.administer('checkpoint');
    standby = await primary.follow();
  });
  after(async () => {
    await standby.stop();
    await primary.stop();
  });

  /** A write whose COMMIT waits in vain, and what then befalls the session that waits. */
  async function befallen(t: TestContext, befall: () => Promise<unknown>, options: Partial<PostgresOptions> = {}) {
    await synchronous(primary, 'standby');
    await until('commits wait for the standby', async () => {
      const [row] = await ask<{ sync_state: string }>(primary, 'select sync_state from pg_stat_replication');
      return row?.sync_state === 'sync';
    });
    const database = await openPostgres({ findOutMs: 60_000, ...options, url: await primary.createDatabase() });
    t.after(() => database.close());
    await migrate(database);
    await put(database, 'before');
    await standby.kill();
    t.after(async () => {
      await synchronous(primary, '');
    });
    const write = { isAnswered: false };
    const written = put(database, 'waits').then(() => {
      write.isAnswered = true;
    });
    await until('a commit waits', async () => (await ask(primary, `${waits} writes'`)).length > 0);
    await befall();
    return { database, write, written };
  }

  const ways = {
    'is canceled': () => ask(primary, `select pg_cancel_backend(pid) from (${waits} writes') as ours`),
    'is terminated': () => ask(primary, `select pg_terminate_backend(pid) from (${waits} writes') as ours`),
    'ends with a restart of the server': async () => {
      await primary.kill();
      await primary.start();
    },
  };

  for (const [way, befall] of Object.entries(ways)) {
    it(`does not acknowledge a commit whose wait ${way}, until a standby has it`, async (t) => {
      const { database, write, written } = await befallen(t, befall);
      await until('the look waits, too', async () => (await ask(primary, `${waits} asks'`)).length > 0);
      assert.equal(write.isAnswered, false);
      await standby.start();
      await written;
      assert.equal((await database.all("select 1 from settings where name = 'waits'")).length, 1);
    });

    it(`would acknowledge it if what can be seen were taken for done: ${way} (control)`, async (t) => {
      const { written } = await befallen(t, befall, { assumeLostCommits: 'visible' });
      await written;
      await standby.start();
    });
  }
});

describe('a standby that was promoted and lacks what was acknowledged', () => {
  /** Acknowledged there, and unknown to the one that takes over. */
  async function failedOver(t: TestContext, options: Partial<PostgresOptions>): Promise<Database> {
    const primary = await startPostgres();
    const url = await primary.createDatabase();
    const proxy = await startPostgresProxy(url);
    const database = await openPostgres({ ...options, url: proxy.url });
    await migrate(database);
    await primary.administer('checkpoint');
    const standby = await primary.follow();
    t.after(async () => {
      await database.close();
      await proxy.close();
      await standby.stop();
      await primary.stop();
    });
    await until('the standby follows', isFollowed(primary));
    await database.write((tx) => tx.run("insert into settings (name, value) values ('database_id', 'one')"));
    await until('the standby has it', async () => {
      const [row] = await ask<{ lag: string }>(
        primary,
        'select pg_current_wal_flush_lsn() - replay_lsn as lag from pg_stat_replication',
      );
      return Number(row?.lag) === 0;
    });
    await standby.kill();
    await put(database, 'lost');
    await primary.kill();
    await standby.start();
    await standby.administer('select pg_promote()');
    proxy.pointTo(urlAt(standby, url));
    return database;
  }

  it('is found out by the first connection, before it does anything else, and once', async (t) => {
    const { judge } = createArrivals();
    let losses = 0;
    const database = await failedOver(t, {
      onArrival: async (tx, arrival) => {
        if (arrival.isBehind()) losses += 1;
        return judge(tx, arrival);
      },
    });
    const seen = await database.write((tx) => findWentBack(tx));
    assert.deepEqual([seen?.isDone, seen?.until], [false, '']);
    assert.ok(losses > 0);
    await database.all('select 1');
    assert.equal((await database.write((tx) => findWentBack(tx)))?.at, seen?.at);
  });

  it('would not be noticed by a guard that comes later (control)', async (t) => {
    const database = await failedOver(t, {});
    assert.equal(await database.write((tx) => findWentBack(tx)), null);
  });
});
