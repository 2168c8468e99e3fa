import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openSqlite } from '../../src/store/sqlite.ts';
import { acquireServingLock } from '../../src/store/sqlite-lock.ts';
import { createTemp } from '../support/temp.ts';
import { describeStore } from './suite.ts';

function failOnUnknownCommit(error: unknown): never {
  throw error;
}

describeStore('SQLite', async () => {
  const temp = createTemp();
  const database = openSqlite({ path: temp.path('store.db'), onUnknownCommit: failOnUnknownCommit });
  return { database, remove: async () => temp.remove() };
});

describe('a SQLite file', () => {
  it('is served by one process at a time, and free again once that one let go', () => {
    const temp = createTemp();
    const lock = acquireServingLock(temp.path('one.db'));
    assert.throws(() => acquireServingLock(temp.path('one.db'), 10), /Another Sendonce process serves/);
    lock.release();
    acquireServingLock(temp.path('one.db'), 10).release();
    temp.remove();
  });

  it('syncs its log at each commit', () => {
    const temp = createTemp();
    const database = openSqlite({ path: temp.path('sync.db'), onUnknownCommit: failOnUnknownCommit });
    return database.write(async (tx) => {
      const [row] = await tx.all<{ synchronous: number }>('pragma synchronous');
      assert.equal(row?.synchronous, 2, 'FULL');
    });
  });
});
