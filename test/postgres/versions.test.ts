/** Processes of two versions at one PostgreSQL: the older ones end before the schema changes, and none comes or wakes up beside newer ones. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Recovery } from '../../src/process/recovery.ts';
import type { Database } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { beat, sayGoodbye } from '../../src/store/workers.ts';
import { createTestClock } from '../support/clock.ts';
import { openDatabase, useEngine } from '../support/engine.ts';
import { sharedPostgres } from '../support/postgres-server.ts';
import { createTemp } from '../support/temp.ts';
import { copyOf, versionsLeft } from '../upgrade/left.ts';

useEngine('postgres');

/** What the oldest version left. */
async function openLeft(t: TestContext): Promise<Database> {
  const [left] = versionsLeft('postgres');
  assert(left);
  const temp = createTemp();
  const database = await openDatabase(await copyOf(left, 'postgres', temp));
  t.after(async () => {
    await database.close();
    temp.remove();
  });
  return database;
}

const newest = async (database: Database) =>
  (await database.all<{ version: number }>('select max(version) as version from migrations'))[0]?.version ?? 0;

describe('a database that older processes serve', () => {
  it('stays as it is while one of them lives, and is brought up to date once they have gone', async (t) => {
    const database = await openLeft(t);
    const before = await newest(database);
    await database.write((tx) => beat(tx, 'old', database.wall()));
    await assert.rejects(migrate(database, { servedMsMax: 0 }), /Processes of an older version .* stop all of them/);
    assert.equal(await newest(database), before);
    let waits = 0;
    const migrating = migrate(database, {
      onWait() {
        waits += 1;
        void database.write((tx) => sayGoodbye(tx, 'old'));
      },
    });
    assert.notDeepEqual(await migrating, []);
    assert.equal(waits, 1);
  });

  it('does not wait for one that was killed longer ago than any beat may take', async (t) => {
    const database = await openLeft(t);
    await database.write((tx) => beat(tx, 'old', database.wall() - 15_000));
    assert.notDeepEqual(await migrate(database, { servedMsMax: 0 }), []);
  });

  it('of the newest schema is joined by any number at once', async () => {
    const database = await openDatabase(await (await sharedPostgres()).createDatabase());
    await migrate(database);
    await database.write((tx) => beat(tx, 'same', database.wall()));
    assert.deepEqual(await migrate(database, { servedMsMax: 0 }), []);
    await database.close();
  });
});

describe('a process that finds a newer schema', () => {
  async function recoveryAt(t: TestContext) {
    const database = await openDatabase(await (await sharedPostgres()).createDatabase());
    t.after(() => database.close());
    await migrate(database);
    const clock = createTestClock(Date.now());
    const die = () => {
      throw new Error('dies');
    };
    const options = { database, clock, policy: 'hold' as const, worker: 'one', onQueued: () => {}, die };
    return { database, clock, recovery: new Recovery(options) };
  }

  const changeSchema = (database: Database) =>
    database.write((tx) => tx.run("insert into migrations (version, name) values (9999, 'future')"));

  it('does not start', async (t) => {
    const { database, recovery } = await recoveryAt(t);
    await changeSchema(database);
    await assert.rejects(recovery.start(), /newer program/);
  });

  it('ends when it wakes up, and otherwise does not look', async (t) => {
    const { database, clock, recovery } = await recoveryAt(t);
    await recovery.start();
    for (let beats = 0; beats < 3; beats += 1) {
      clock.advance(2_000);
      await recovery.beat();
    }
    await changeSchema(database);
    clock.advance(2_000);
    await recovery.beat();
    clock.advance(20_000);
    await assert.rejects(recovery.beat(), /dies/);
  });
});
