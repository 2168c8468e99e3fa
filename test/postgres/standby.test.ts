/** Two real servers: what is acknowledged is where the next primary is, and one that lacks it is found out before anything is claimed. */

import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { createArrivals } from '../../src/process/arrivals.ts';
import { readConfirmed } from '../../src/store/confirm-read.ts';
import type { Database } from '../../src/store/database.ts';
import { openPostgres, type PostgresOptions } from '../../src/store/engine/postgres/postgres.ts';
import { migrate } from '../../src/store/migrate.ts';
import { findWentBack } from '../../src/store/went-back.ts';
import { startPostgresProxy } from '../support/postgres-proxy.ts';
import { memoryFolder, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { callOff, clusterSettings, followed, hasWhatIsThere, urlAt, waitFor, waiting } from '../support/standbys.ts';

const put = (database: Database, name: string) =>
  database.write((tx) => tx.run("insert into settings (name, value) values (?, '')", name), { about: name });

/** Longer than any of these servers needs to come back. */
const findOutMs = 60_000;

describe('a primary and its standby', () => {
  let primary: PostgresServer;
  let standby: PostgresServer;
  let url: string;

  before(async () => {
    primary = await startPostgres(clusterSettings, memoryFolder());
    url = await migrated();
    standby = await primary.follow();
  });
  after(async () => {
    await standby.stop();
    await primary.stop();
  });

  async function migrated(): Promise<string> {
    const own = await primary.createDatabase();
    const database = await openPostgres({ url: own });
    await migrate(database);
    await database.close();
    return own;
  }

  async function open(t: TestContext, options: Partial<PostgresOptions> = {}): Promise<Database> {
    const database = await openPostgres({ url, findOutMs, ...options });
    t.after(() => database.close());
    return database;
  }

  const ways = {
    'is canceled': () => callOff(primary, 'cancel', 'writes'),
    'is terminated': () => callOff(primary, 'terminate', 'writes'),
    'ends with a restart of the server': async () => {
      await primary.kill();
      await primary.start();
    },
  };

  for (const [way, befall] of Object.entries(ways)) {
    it(`acknowledges a commit whose wait ${way} once the standby has it; who takes what can be seen for done does not wait (control)`, async (t) => {
      await waitFor(primary, '*');
      await followed(primary, true);
      const guarded = await open(t);
      const unguarded = await open(t, { assumeLostCommits: 'visible' });
      await Promise.all([put(guarded, `${way}: before`), put(unguarded, `${way}: before, too`)]);
      await standby.kill();
      const write = { isAnswered: false };
      const written = put(guarded, way).then(() => {
        write.isAnswered = true;
      });
      const believed = put(unguarded, `${way}: believed`);
      await waiting(primary, 'writes', 2);
      await befall();
      await believed;
      await waiting(primary, 'asks');
      assert.equal(write.isAnswered, false);
      await standby.start();
      await written;
      assert.equal((await guarded.all('select 1 from settings where name = ?', way)).length, 1);
    });
  }

  it('finds out with its first connection that a promoted standby lacks what was acknowledged, and once; a guard that comes later sees nothing (control)', async (t) => {
    await waitFor(primary, '');
    const { judge } = createArrivals();
    let losses = 0;
    const onArrival: PostgresOptions['onArrival'] = async (tx, arrival) => {
      if (arrival.isBehind()) losses += 1;
      return judge(tx, arrival);
    };
    const first = await behindProxy(t, url, { onArrival });
    const second = await behindProxy(t, await migrated(), {});
    for (const { database } of [first, second])
      await database.write((tx) => tx.run("insert into settings (name, value) values ('database_id', 'one')"));
    await followed(primary, false);
    await hasWhatIsThere(primary);
    await standby.kill();
    for (const { database } of [first, second]) await put(database, 'lost');
    const failOver = async () => {
      await primary.kill();
      await standby.start();
      await standby.administer('select pg_promote()');
      for (const { lead } of [first, second]) lead();
    };
    // Read on the old primary, and confirmed on the new one, which lacks it: it must not be told.
    const found = await readConfirmed<unknown[]>(
      first.database,
      (rows) => rows.length > 0,
      async (reader) => {
        const rows = await reader.all("select 1 from settings where name = 'lost'");
        if (reader === first.database) await failOver();
        return rows;
      },
    );
    assert.deepEqual(found, []);
    const seen = await first.database.write((tx) => findWentBack(tx));
    assert.deepEqual([seen?.isDone, seen?.until], [false, '']);
    assert.ok(losses > 0);
    await first.database.all('select 1');
    assert.equal((await first.database.write((tx) => findWentBack(tx)))?.at, seen?.at);
    assert.equal(await second.database.write((tx) => findWentBack(tx)), null);
  });

  it('does not go back to a primary that was succeeded; who has not seen the successor works there (control)', async (t) => {
    await primary.start();
    const [seen, unaware] = [await behindProxy(t, url, {}), await behindProxy(t, url, {})];
    await put(unaware.database, 'before');
    seen.lead();
    await put(seen.database, 'on the new one');
    seen.lead(primary);
    await assert.rejects(put(seen.database, 'on the old one'), (error: Error) =>
      /former primary/.test(String(error.cause)),
    );
    await assert.rejects(async () => seen.database.all('select 1'), /does not work right now/);
    await put(unaware.database, 'on the old one');
    seen.lead();
    await put(seen.database, 'on the new one again');
    assert.deepEqual(await seen.database.all("select 1 from settings where name = 'on the old one'"), []);
  });

  /** `lead`: to the same database at the standby from now on, or at the other. */
  async function behindProxy(t: TestContext, direct: string, options: Partial<PostgresOptions>) {
    const proxy = await startPostgresProxy(direct);
    const database = await openPostgres({ ...options, findOutMs, url: proxy.url });
    t.after(async () => {
      await database.close();
      await proxy.close();
    });
    return { database, lead: (to = standby) => proxy.pointTo(urlAt(to, direct)) };
  }
});
