/** What each page and filter asks the database, by the table of routes: no table that grows with what is sent is read from end to end. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database, SqlValue } from '../../src/store/database.ts';
import { bendDatabase } from '../support/bent-database.ts';
import { startReceiver } from '../support/receiver.ts';
import { startTestServer } from '../support/server.ts';
import { makeOneOfEach, pagePaths } from './every-page.ts';
import { signIn } from './visitor.ts';

/** Few rows, however much is sent; and what SQLite calls its own steps. */
const small =
  /^(accounts|account_domains|alerts|api_keys|counts|mailboxes|relay_orders|relay_reports|webhooks|workers|CONSTANT|found|t|u)$/;

/** The end of an index, read backwards up to a limit. */
const readsAnEnd = /order by (events\.)?id desc limit \?/;

const filters = [
  '?range=30d',
  '/emails?q=pers',
  '/emails?q=invoice+order',
  '/emails?q=is:bounced+invoice',
  '/emails?tag=usual',
  '/emails?status=queued',
  '/emails?to=foo@gmail.com',
  '/emails?from=2026-01-01&until=2030-01-01&status=sent',
  '/emails?sender=a@&status=bounced',
  '/emails?relay=spare',
  '/emails?account=each',
  '/emails.csv?status=bounced',
  '/idempotency?key=order/1',
];

test('no page and no filter reads a table from end to end that grows with what is sent', async (t) => {
  const asked = new Map<string, SqlValue[]>();
  let own = null as Database | null;
  const server = await startTestServer({ outside: { database: (given) => noting(given) } });
  const receiver = await startReceiver(null);
  t.after(async () => {
    await server.stop();
    await receiver.close();
  });
  function noting(given: Database): Database {
    own = given;
    const note = (sql: string, params: SqlValue[]) => asked.has(sql) || asked.set(sql, params);
    const all: Database['all'] = (sql, ...params) => {
      note(sql, params);
      return given.all(sql, ...params);
    };
    const report: Database['report'] = (sql, ...params) => {
      note(sql, params);
      return given.report(sql, ...params);
    };
    return { ...bendDatabase(given, []), all, report };
  }

  const places = await makeOneOfEach(server, receiver.url);
  const visitor = await signIn(server);
  asked.clear();
  for (const path of [...pagePaths(), ...filters]) {
    const { status } = await visitor.get(places[path] ?? path);
    assert.ok(status < 400, `${path} was answered ${status}`);
  }
  assert.deepEqual(await scansOf(own, 'select id from emails where summary = ?', ['x']), ['emails'], 'the control');
  assert.ok(asked.size > 50, `${asked.size} statements`);
  for (const [sql, params] of asked) {
    if (readsAnEnd.test(sql)) continue;
    const scanned = await scansOf(own, sql, params);
    assert.deepEqual(
      scanned.filter((name) => !small.test(name)),
      [],
      sql,
    );
  }
});

/** What the planner cannot find by any index. */
async function scansOf(database: Database | null, sql: string, params: SqlValue[]): Promise<string[]> {
  assert(database);
  if (database.engine === 'sqlite') {
    const plan = await database.all<{ detail: string }>(`explain query plan ${sql}`, ...params);
    return plan.flatMap(({ detail }) => /^SCAN (\S+)/.exec(detail)?.[1] ?? []);
  }
  const plan = await database.write(async (tx) => {
    // A table of three rows is read whole, with whatever index: here that counts as the last resort.
    await tx.run('set local enable_seqscan = off');
    return tx.all<{ 'QUERY PLAN': string }>(`explain ${sql}`, ...params);
  });
  return plan.flatMap((row) => /Seq Scan on (\S+)/.exec(row['QUERY PLAN'])?.[1] ?? []);
}
