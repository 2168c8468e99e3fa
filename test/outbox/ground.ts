/** A caller's database with an outbox in it, and a server that its rows go to: what the tests of the outbox stand on. */

import assert from 'node:assert/strict';
import Sqlite from 'better-sqlite3';
import { type DrainTerms, runDrain } from '../../src/client/outbox/drain.ts';
import { type OutboxDatabase, openOutboxDatabase, run } from '../../src/client/outbox/engine.ts';
import { tableSql } from '../../src/client/outbox/table.ts';
import { discardDatabase, newDatabaseUrl } from '../support/engine.ts';
import { testKey } from '../support/server.ts';
import { createTemp } from '../support/temp.ts';
import { payloadFor } from './order.ts';

/** What ends things once it is over: a test, or a run of the long command. */
export type Scope = { after(work: () => unknown): void };

export type Ground = { url: string; database: OutboxDatabase };

/** Of the engine that the tests run on. */
export async function openGround(t: Scope): Promise<Ground> {
  const temp = createTemp();
  const url = await newDatabaseUrl(temp);
  // The caller's program makes its file.
  if (url.startsWith('sqlite:')) new Sqlite(url.slice('sqlite:'.length)).pragma('journal_mode = WAL');
  const database = await openOutboxDatabase(url);
  await database.script(tableSql(database.engine));
  t.after(async () => {
    await database.close();
    await discardDatabase(url);
    temp.remove();
  });
  return { url, database };
}

type Written = {
  id: string;
  payload?: string;
  facade?: string;
  endpoint?: string;
  not_before?: string;
  ordering?: string;
};

/** By plain SQL, as any language does. */
export async function insertRows(database: OutboxDatabase, ...rows: Written[]): Promise<void> {
  await database.transaction(function* () {
    for (const row of rows) {
      const given: Record<string, string> = { payload: payloadFor(row.id), ...row };
      const names = Object.keys(given);
      const sql = `insert into sendonce_outbox (${names}) values (${names.map(() => '?')})`;
      assert.equal(yield* run(sql, ...Object.values(given)), 1);
    }
  });
}

export type StoredRow = {
  id: string;
  state: string;
  attempts: number;
  batch: string | null;
  email_ids: string | null;
  parked_because: string | null;
  last_error: string | null;
};

export function readRows(database: OutboxDatabase): Promise<StoredRow[]> {
  return database.all<StoredRow>(
    'select id, state, attempts, batch, email_ids, parked_because, last_error from sendonce_outbox order by seq',
  );
}

export async function statesOf(database: OutboxDatabase): Promise<Record<string, string>> {
  return Object.fromEntries((await readRows(database)).map(({ id, state }) => [id, state]));
}

/** Everything that is due, with a short back-off, so that no test waits for what failed. */
export function drainOnce(ground: Ground, to: string, terms: Partial<DrainTerms> = {}) {
  return runDrain(ground.database, { to, key: testKey, once: true, backOffMaxMs: 20, ...terms });
}

/** Until no row waits. */
export async function drainAll(ground: Ground, to: string, terms: Partial<DrainTerms> = {}): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    await drainOnce(ground, to, terms);
    if (!Object.values(await statesOf(ground.database)).includes('waiting')) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail('rows wait for ever');
}
