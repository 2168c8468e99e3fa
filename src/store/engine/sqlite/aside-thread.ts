/** The thread behind `sqlite-aside.ts`: answers one question at a time, on connections of its own. */

import { parentPort, workerData } from 'node:worker_threads';
import Sqlite from 'better-sqlite3';
import type { AsideAnswer, AsideQuestion } from './aside.ts';

const { path } = workerData as { path: string };
const options = { timeout: 5_000, fileMustExist: true };
const reader = new Sqlite(path, { ...options, readonly: true });
let writer: Sqlite.Database | null = null;

parentPort?.on('message', (question: AsideQuestion) => {
  parentPort?.postMessage(answer(question));
});

function answer({ id, sql, params }: AsideQuestion): AsideAnswer {
  try {
    const rows = sql === null ? checkpoint() : reader.prepare(sql).all(...params);
    return { id, rows, error: null };
  } catch (error) {
    return { id, rows: null, error: String(error) };
  }
}

function checkpoint(): unknown[] {
  if (!writer) {
    writer = new Sqlite(path, options);
    // What is copied must be on disk before the log may be written over.
    writer.pragma('synchronous = FULL');
    writer.pragma('fullfsync = on');
  }
  writer.pragma('wal_checkpoint(PASSIVE)');
  return [];
}
