import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import Sqlite from 'better-sqlite3';
import type { SqlValue, Transaction } from '../../src/store/database.ts';
import { acquireServingLock } from '../../src/store/engine/sqlite/lock.ts';
import { openSqlite } from '../../src/store/engine/sqlite/sqlite.ts';
import { deleteExpiredKeys } from '../../src/store/idempotency.ts';
import { accountsWithDue, claimDue } from '../../src/store/mail/claim.ts';
import { purgeContents } from '../../src/store/mail/purge.ts';
import { requeueExpiredClaims, sendAgainDue } from '../../src/store/mail/recover.ts';
import { migrate } from '../../src/store/migrate.ts';
import { claimWebhookDeliveries } from '../../src/store/webhooks/deliveries.ts';
import { forgetWebhookDeliveries } from '../../src/store/webhooks/history.ts';
import { type Webhook, webhooksWithDue } from '../../src/store/webhooks/webhooks.ts';
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

describe('what runs every second', () => {
  it('reads no table from end to end, however much is stored', async () => {
    const temp = createTemp();
    const database = openSqlite({ path: temp.path('plans.db'), onUnknownCommit: failOnUnknownCommit });
    await migrate(database);
    const statements = new Map<string, SqlValue[]>();
    await database.write(async (tx) => {
      const recording: Transaction = {
        skipLocked: tx.skipLocked,
        writer: tx.writer,
        add: tx.add,
        run: (sql, ...params) => {
          statements.set(sql, params);
          return tx.run(sql, ...params);
        },
        all: (sql, ...params) => {
          statements.set(sql, params);
          return tx.all(sql, ...params);
        },
      };
      await accountsWithDue(recording, 1);
      await claimDue(recording, 'a', 'w', { now: 1, leaseMs: 1, limit: 1 });
      await requeueExpiredClaims(recording, 1, 1);
      await sendAgainDue(recording, 1, 1);
      await deleteExpiredKeys(recording, 1, 1);
      await purgeContents(recording, 1, 1, 1);
      await webhooksWithDue(recording, 1);
      const webhook = { number: 1 } as Webhook;
      await claimWebhookDeliveries(recording, webhook, 'w', { now: 1, leaseMs: 1, limit: 1 });
      await recording.run(
        `insert into webhooks (id, account, facade, url, events, options, secret, enabled, created_at, modified_at)
         values ('1', 'a', 'resend', '', '[]', '{}', '', 1, 1, 1)`,
      );
      await forgetWebhookDeliveries(recording, 1, 1);
    });
    assert.equal(statements.size, 12);
    for (const [sql, params] of statements) {
      const plan = await database.all<{ detail: string }>(`explain query plan ${sql}`, ...params);
      const scans = plan.map((step) => step.detail).filter((detail) => /^SCAN (?!accounts|webhooks$)/.test(detail));
      assert.deepEqual(scans, [], sql);
    }
    await database.close();
    temp.remove();
  });
});

describe('a SQLite file', () => {
  it('is not written to for so long at once that others wait', async () => {
    const temp = createTemp();
    const database = openSqlite({ path: temp.path('long.db'), onUnknownCommit: failOnUnknownCommit });
    const seen: string[] = [];
    const isOver = { value: false };
    const turn = () => {
      seen.push('turn');
      if (!isOver.value) setImmediate(turn);
    };
    setImmediate(turn);
    const long = (name: string) => () => {
      const until = performance.now() + 10;
      while (performance.now() < until);
      seen.push(name);
    };
    await Promise.all(['one', 'two', 'three'].map((name) => database.write(long(name))));
    isOver.value = true;
    assert.ok(seen.slice(seen.indexOf('one'), seen.indexOf('two')).includes('turn'), seen.join());
    assert.ok(seen.slice(seen.indexOf('two'), seen.indexOf('three')).includes('turn'), seen.join());
    await database.close();
    temp.remove();
  });

  it('has moments for other programs to write in while writes never pause, however long a sync takes', async () => {
    const temp = createTemp();
    const path = temp.path('busy.db');
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let syncs = 0;
    const sync = () => (++syncs === 1 ? Promise.resolve() : released);
    const database = openSqlite({ path, sync, onUnknownCommit: failOnUnknownCommit });
    await database.write((tx) => tx.run('create table notes (name text)'));
    const other = new Sqlite(path, { timeout: 0 });
    const written: Promise<unknown>[] = [];
    let moments = 0;
    for (let turn = 0; turn < 400 && moments === 0; turn++) {
      written.push(database.write((tx) => tx.run('insert into notes values (?)', 'one')));
      // As much as other works of a turn take.
      const until = performance.now() + 0.2;
      while (performance.now() < until);
      await new Promise((resolve) => setImmediate(resolve));
      try {
        other.exec('begin immediate; rollback');
        if (syncs > 1 && turn > 5) moments += 1;
      } catch {}
    }
    assert.equal(moments, 1);
    release();
    await Promise.all(written);
    other.close();
    await database.close();
    temp.remove();
  });

  it('leaves out only the work that fails, also of works that take long', async () => {
    const temp = createTemp();
    const database = openSqlite({ path: temp.path('fails.db'), onUnknownCommit: failOnUnknownCommit });
    await database.write((tx) => tx.run('create table notes (name text)'));
    const note = (name: string) => async (tx: Transaction) => {
      await tx.run('insert into notes values (?)', name);
      const until = performance.now() + 3;
      while (performance.now() < until);
      if (name === 'wrong') throw new Error('wrong');
    };
    const names = ['one', 'wrong', 'two', 'three', 'four'];
    const ends = await Promise.allSettled(names.map((name) => database.write(note(name))));
    assert.deepEqual(
      ends.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
    );
    const rows = await database.all<{ name: string }>('select name from notes order by rowid');
    assert.deepEqual(
      rows.map(({ name }) => name),
      ['one', 'two', 'three', 'four'],
    );
    await database.close();
    temp.remove();
  });

  it('is served by one process at a time, and free again once that one let go', () => {
    const temp = createTemp();
    const lock = acquireServingLock(temp.path('one.db'));
    assert.throws(() => acquireServingLock(temp.path('one.db'), 10), /Another Sendonce process serves/);
    lock.release();
    acquireServingLock(temp.path('one.db'), 10).release();
    temp.remove();
  });
});
