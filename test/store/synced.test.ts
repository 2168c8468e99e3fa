/** Commits on SQLite do not block, and nothing is told that is not on the disk: with a disk whose syncs the test holds back. */

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import type { Database } from '../../src/store/database.ts';
import { openSqlite } from '../../src/store/engine/sqlite/sqlite.ts';
import { type Sync, syncToDisk } from '../../src/store/engine/sqlite/synced-log.ts';
import { HeldDisk } from '../support/held-disk.ts';
import { createTemp } from '../support/temp.ts';

type Opened = { database: Database; disk: HeldDisk; path: string; failures: unknown[] };

async function open(t: TestContext, sync?: Sync): Promise<Opened> {
  const temp = createTemp();
  const disk = new HeldDisk();
  const failures: unknown[] = [];
  const path = temp.path('synced.db');
  const database = openSqlite({ path, sync: sync ?? disk.sync, onUnknownCommit: (cause) => failures.push(cause) });
  t.after(async () => {
    disk.release();
    await database.close();
    temp.remove();
  });
  await database.write((tx) => tx.run('create table notes (name text not null) strict'));
  return { database, disk, path, failures };
}

function note(database: Database, name: string): Promise<number> {
  return database.write((tx) => tx.run('insert into notes (name) values (?)', name));
}

async function names(database: Database): Promise<string[]> {
  return (await database.all<{ name: string }>('select name from notes order by rowid')).map((row) => row.name);
}

/** Long enough for whatever is not kept waiting. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** True once it has resolved, or was rejected. */
function watch(promise: Promise<unknown>): () => boolean {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  promise.then(over, over);
  return () => isOver;
}

describe('a commit that is not synced', () => {
  it('resolves no write, and is shown to no reader', async (t) => {
    const { database, disk } = await open(t);
    await note(database, 'old');
    disk.hold();
    const written = note(database, 'new');
    const isWritten = watch(written);
    await disk.begins();
    await turns();
    assert.equal(isWritten(), false);
    assert.deepEqual(await names(database), ['old']);
    disk.letOne();
    await written;
    assert.deepEqual(await names(database), ['old', 'new']);
  });

  it('tells of what it has written that it is not absent, and never the other way round', async (t) => {
    const { database, disk } = await open(t);
    const isAbsent = (name: string) => database.isAbsent?.('select 1 from notes where name = ?', name);
    assert.equal(isAbsent('new'), false, 'while nothing is under way readers know it just as cheaply');
    disk.hold();
    const written = note(database, 'new');
    await disk.begins();
    assert.equal(isAbsent('new'), false);
    assert.equal(isAbsent('other'), true);
    disk.release();
    await written;
  });

  it('keeps no reader waiting', async (t) => {
    const { database, disk } = await open(t);
    await note(database, 'old');
    disk.hold();
    void note(database, 'new');
    await disk.begins();
    assert.deepEqual(database.all('select name from notes'), [{ name: 'old' }], 'rows, not a promise of rows');
  });

  it('lets the next ones be made meanwhile, which share the sync after it', async (t) => {
    const { database, disk } = await open(t);
    disk.hold();
    const first = note(database, 'first');
    await disk.begins();
    const { begun } = disk;
    const ran: string[] = [];
    const others = ['second', 'third'].map((name) =>
      database.write(async (tx) => {
        await tx.run('insert into notes (name) values (?)', name);
        ran.push(name);
      }),
    );
    const areWritten = others.map(watch);
    await turns();
    assert.deepEqual(ran, ['second', 'third']);
    assert.equal(disk.begun, begun, 'one sync at a time');
    disk.letOne();
    await first;
    await turns();
    assert.equal(disk.begun, begun + 1);
    assert.deepEqual(
      areWritten.map((isWritten) => isWritten()),
      [false, false],
    );
    assert.deepEqual(await names(database), ['first']);
    disk.letOne();
    await Promise.all(others);
    assert.equal(disk.begun, begun + 1);
    assert.deepEqual(await names(database), ['first', 'second', 'third']);
  });

  it('is waited for by a work that has only read it, and by one that refuses because of it', async (t) => {
    const { database, disk } = await open(t);
    disk.hold();
    const written = note(database, 'new');
    await disk.begins();
    const read = database.write((tx) => tx.all('select name from notes'));
    const refused = database.write(async (tx) => {
      const rows = await tx.all('select name from notes');
      throw new Error(`there are ${rows.length}`);
    });
    const areOver = [read, refused].map(watch);
    await turns();
    assert.deepEqual(
      areOver.map((isOver) => isOver()),
      [false, false],
    );
    disk.letOne();
    await written;
    assert.deepEqual(await read, [{ name: 'new' }]);
    await assert.rejects(refused, { message: 'there are 1' });
  });

  it('is waited for by a report', async (t) => {
    const { database, disk, path } = await open(t);
    const beside = openSqlite({ path, onUnknownCommit: () => {} });
    t.after(() => beside.close());
    await Promise.all([database.report('select 1'), beside.report('select 1')]);
    disk.hold();
    const written = note(database, 'new');
    await disk.begins();
    const report = database.report('select name from notes');
    const isTold = watch(report);
    // Asked later, and told: so is the one that waits, by its thread.
    await beside.report('select name from notes');
    assert.equal(isTold(), false);
    disk.letOne();
    assert.deepEqual(await report, [{ name: 'new' }]);
    await written;
  });
});

describe('a work that changes nothing', () => {
  it('is not synced where all it has read is on the disk', async (t) => {
    const { database, disk } = await open(t);
    await note(database, 'old');
    disk.hold();
    const { begun } = disk;
    await database.write(async (tx) => {
      await tx.all('select name from notes');
      await tx.run("update notes set name = 'newer' where name = 'no such'");
      await tx.all("delete from notes where name = 'no such' returning name");
    });
    assert.equal(disk.begun, begun);
  });
});

describe('what another process has committed', () => {
  it('is shown by the next read, once it is synced', async (t) => {
    const { database, disk, path } = await open(t);
    const beside = openSqlite({ path, onUnknownCommit: () => {} });
    t.after(() => beside.close());
    await note(beside, 'beside');
    disk.hold();
    const rows = names(database);
    const isTold = watch(rows);
    await turns();
    assert.equal(isTold(), false);
    disk.letOne();
    assert.deepEqual(await rows, ['beside']);
    assert.deepEqual(database.all('select name from notes'), [{ name: 'beside' }]);
  });

  it('is shown by the next read also while an own commit is being synced', async (t) => {
    const { database, disk, path } = await open(t);
    const beside = openSqlite({ path, onUnknownCommit: () => {} });
    t.after(() => beside.close());
    disk.hold();
    const written = note(database, 'own');
    await disk.begins();
    await note(beside, 'beside');
    const rows = names(database);
    const isTold = watch(rows);
    disk.letOne();
    await written;
    await turns();
    assert.equal(isTold(), false, 'the sync that was under way may not cover it');
    disk.letOne();
    assert.deepEqual(await rows, ['own', 'beside']);
  });
});

describe('a sync that fails', () => {
  it('ends the process: what waited for it is refused, and it is not tried again', async (t) => {
    const { database, disk, failures } = await open(t);
    disk.hold();
    const written = note(database, 'new');
    await disk.begins();
    const next = note(database, 'next');
    const error = new Error('EIO: i/o error, fdatasync');
    const { begun } = disk;
    disk.fail(error);
    await assert.rejects(written, { code: 'unavailable' });
    await assert.rejects(next, { code: 'unavailable' });
    assert.equal(failures[0], error);
    await assert.rejects(note(database, 'later'), { code: 'unavailable' });
    assert.equal(disk.begun, begun);
    assert.deepEqual(await names(database), []);
  });
});

/** In each turn of the event loop, until a while after it is over. */
async function readAlways(database: Database, isOver: () => boolean): Promise<void> {
  for (let left = 20; left > 0; left -= isOver() ? 1 : 0) {
    assert(Array.isArray(database.all('select 1 from notes limit 1')), 'rows, not a promise of rows');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the log', () => {
  it('is begun anew once it is long, and a reader that goes on reading neither waits nor keeps it from ending', async (t) => {
    const { database, path } = await open(t, syncToDisk);
    const head = () => readFileSync(`${path}-wal`).subarray(0, 32);
    const before = head();
    const fill = () => database.write((tx) => tx.run('insert into notes (name) values (?)', 'x'.repeat(5_000_000)));
    for (let time = 0; time < 4; time++) await fill();
    const giveUpAt = performance.now() + 30_000;
    const isNew = () => performance.now() > giveUpAt || !head().equals(before);
    const reading = readAlways(database, isNew);
    while (!isNew()) await note(database, 'tick');
    await reading;
    await note(database, 'the first after the one that began it');
    assert.notDeepEqual(head(), before);
    const { size } = statSync(`${path}-wal`);
    await fill();
    assert.equal(statSync(`${path}-wal`).size, size, 'what it held is written over');
    const [row] = await database.all<{ bytes: number }>(
      'select sum(length(name)) as bytes from notes where name like ?',
      'x%',
    );
    assert.equal(row?.bytes, 25_000_000);
  });
});
