/** What the page and its chore ask SQLite: however much is stored, no table is read from end to end. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCount } from '../../src/store/counts.ts';
import type { Database, SqlValue, Transaction } from '../../src/store/database.ts';
import { openSqlite } from '../../src/store/engine/sqlite/sqlite.ts';
import { listHeld } from '../../src/store/mail/doubt.ts';
import { listEmails } from '../../src/store/mail/emails.ts';
import { listEvents } from '../../src/store/mail/events.ts';
import { findFacade, listDeliveries } from '../../src/store/mail/history.ts';
import { migrate } from '../../src/store/migrate.ts';
import { listInbox } from '../../src/store/page/inbox.ts';
import { newestEmailId, newestEventId, newestEventIds } from '../../src/store/page/live.ts';
import { countOpenOf, findOldestDue, findRelaySigns } from '../../src/store/page/overview.ts';
import {
  accountsBehind,
  findTotals,
  idTimeMax,
  isCounted,
  listHours,
  rollAccepted,
  rollEvents,
} from '../../src/store/page/rollups.ts';
import { countTerms, indexEmails, indexStates, searchEmails } from '../../src/store/page/search-index.ts';
import { parseSearch } from '../../src/store/page/search-query.ts';
import { accountsToIndex, findUnnamed, indexSenders } from '../../src/store/page/sender-index.ts';
import { bendTransaction } from '../support/bent-database.ts';
import { createTemp } from '../support/temp.ts';

/** The end of an index, read backwards up to a limit, is a scan by name only. */
const readsAnEnd = /order by id desc limit \?/;

const wholeAccount = /(deliveries|d) USING PRIMARY KEY \(account=\?( AND email_id>\?)?\)$/;

test('nothing the page asks reads a table from end to end', async (t) => {
  const temp = createTemp();
  const own = openSqlite({
    path: temp.path('plans.db'),
    onUnknownCommit: (cause) => {
      throw cause;
    },
  });
  t.after(async () => {
    await own.close();
    temp.remove();
  });
  await migrate(own);
  const asked = new Map<string, SqlValue[]>();
  const noting =
    <R>(ask: (sql: string, ...params: SqlValue[]) => R) =>
    (sql: string, ...params: SqlValue[]): R => {
      asked.set(sql, params);
      return ask(sql, ...params);
    };
  const database = Object.create(own) as Database;
  database.all = noting((sql, ...params) => own.all(sql, ...params)) as Database['all'];
  database.report = noting((sql, ...params) => own.report(sql, ...params)) as Database['report'];

  await own.write(async (tx) => {
    const noted = bendTransaction(tx, {
      run: noting((sql, ...params) => tx.run(sql, ...params)),
      all: noting((sql, ...params) => tx.all(sql, ...params)) as Transaction['all'],
    });
    await tx.run("insert into accounts (id, created_at) values ('a', 1)");
    await tx.run(
      "insert into emails (account, id, facade, message_id, created_at, summary) values ('a', '0', 'x', 'm', 1, ?)",
      JSON.stringify({ from: 's@example.com', to: ['b@example.com'], cc: [], bcc: [], subject: 'hello', tags: [] }),
    );
    await tx.run("insert into events (account, email_id, type, at, detail) values ('a', '0', 'sent', 1, '{}')");
    const step = { until: idTimeMax, limit: 10 };
    await rollAccepted(noted, 'a', step);
    await rollEvents(noted, step);
    await indexEmails(noted, 'a', step);
    await indexStates(noted, step);
    await tx.run("insert into cursors (name, position) values ('senders a', '0')");
    await indexSenders(noted, 'a', 10);
  });
  await accountsToIndex(database);
  await findUnnamed(database, 'a');
  assert.deepEqual(await countTerms(database, 'a', 'from:'), [{ name: 's@example.com', emails: 1 }]);
  await accountsBehind(database, 'terms');
  await isCounted(database, 'a');
  await listHours(database, 'a', 0);
  await findTotals(database, 'a');
  await countOpenOf(database, 'a');
  await findCount(database, 'a', 'in_doubt');
  await listHeld(database, 'a', null, 10);
  await listHeld(database, 'a', { emailId: '1', part: 0 }, 10);
  await findOldestDue(database, 'a');
  await findRelaySigns(database, 'a');
  await newestEventId(database);
  await newestEventIds(database, 0);
  await newestEmailId(database, 'a');
  await listEmails(database, 'a', { limit: 50, after: '1', before: null });
  await listInbox(database, 'a', { after: null, oldest: '', limit: 50 });
  await listEvents(database, 'a', '0');
  await listDeliveries(database, 'a', '0');
  await findFacade(database, 'a', '0');
  for (const text of ['b@', 'from:s@', 'hello', 'hello b@example.com is:sent']) {
    const search = parseSearch(text);
    const conditions = search?.kind === 'terms' ? search.conditions : [];
    const { ids } = await searchEmails(database, 'a', conditions, { after: null, limit: 50 });
    assert.deepEqual(ids, ['0'], text);
  }

  assert.ok(asked.size > 25);
  for (const [sql, params] of asked) {
    const plan = await own.all<{ detail: string }>(`explain query plan ${sql}`, ...params);
    const scans = plan
      .map(({ detail }) => detail)
      .filter((detail) => /^SCAN (emails|deliveries|events|search_terms|rollups)/.test(detail));
    if (!readsAnEnd.test(sql)) assert.deepEqual(scans, [], sql);
    // Everything an account ever sent is as much.
    const walks = plan.map(({ detail }) => detail).filter((detail) => wholeAccount.test(detail));
    assert.deepEqual(walks, [], sql);
  }
});
