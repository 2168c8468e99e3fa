import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
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
  it('is served by one process at a time, and free again once that one let go', () => {
    const temp = createTemp();
    const lock = acquireServingLock(temp.path('one.db'));
    assert.throws(() => acquireServingLock(temp.path('one.db'), 10), /Another Sendonce process serves/);
    lock.release();
    acquireServingLock(temp.path('one.db'), 10).release();
    temp.remove();
  });
});
