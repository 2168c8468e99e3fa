/** What batches are compared with: SQLite takes the same bytes, one row each, 100 a transaction, just as durably. */

import Sqlite from 'better-sqlite3';
import { serveHelper } from './child.ts';
import type { LoadReport } from './load.ts';

export type InsertOrder = { rows: Uint8Array[]; durationMs: number };

const [path = ''] = process.argv.slice(2);
const database = new Sqlite(path);
database.pragma('journal_mode = WAL');
database.pragma('synchronous = FULL');
database.pragma('fullfsync = on');
database.exec('create table emails (id integer primary key, body blob not null)');
const insert = database.prepare('insert into emails (body) values (?)');
const insertAll = database.transaction((rows: Uint8Array[]) => {
  for (const row of rows) insert.run(row);
});

serveHelper<InsertOrder, LoadReport | 'ready'>('ready', async ({ rows, durationMs }) => {
  const latencies: number[] = [];
  const startedAt = performance.now();
  let now = startedAt;
  while (now < startedAt + durationMs) {
    insertAll.immediate(rows);
    latencies.push(performance.now() - now);
    now = performance.now();
  }
  return { answered: latencies.length, elapsedMs: now - startedAt, latenciesMs: Float64Array.from(latencies) };
});
