/** The thread behind `aside.ts`: does one thing at a time, on connections of its own. */

import { parentPort, workerData } from 'node:worker_threads';
import Sqlite from 'better-sqlite3';
import type { AsideAnswer, AsideQuestion, Copied } from './aside.ts';

const { path } = workerData as { path: string };
const options = { timeout: 5_000, fileMustExist: true };
let reader: Sqlite.Database | null = null;
let writer: Sqlite.Database | null = null;

parentPort?.on('message', (question: AsideQuestion) => {
  parentPort?.postMessage(answer(question));
});

function answer({ id, ask }: AsideQuestion): AsideAnswer {
  try {
    switch (ask.what) {
      case 'read':
        reader ??= new Sqlite(path, { ...options, readonly: true });
        return { id, value: reader.prepare(ask.sql).all(...ask.params), error: null };
      case 'copy the log':
        return { id, value: copyLog(), error: null };
      case 'begin the log anew':
        return { id, value: beginLogAnew(), error: null };
      case 'empty the log':
        return { id, value: emptyLog(), error: null };
      default:
        return ask satisfies never;
    }
  } catch (error) {
    const code = error instanceof Sqlite.SqliteError ? error.code : null;
    return { id, value: null, error: { message: String(error), code } };
  }
}

function copyLog(): Copied {
  const [row] = writing().pragma('wal_checkpoint(PASSIVE)') as { log: number; checkpointed: number }[];
  return { pages: row?.log ?? 0, copied: row?.checkpointed ?? 0 };
}

/** SQLite begins the log anew with the first commit after all of it was copied; this one changes nothing. */
function beginLogAnew(): null {
  writing()
    .transaction(() => writing().pragma('user_version = 0'))
    .immediate();
  return null;
}

/** Whoever still reads in it is not waited for: nobody writes meanwhile. */
function emptyLog(): boolean {
  writing().pragma('busy_timeout = 50');
  const [row] = writing().pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
  writing().pragma(`busy_timeout = ${options.timeout}`);
  return row?.busy === 0;
}

function writing(): Sqlite.Database {
  if (!writer) {
    writer = new Sqlite(path, options);
    // Syncs the log before it is copied, the file after that, and the head of a new log before anything comes after it.
    writer.pragma('synchronous = NORMAL');
    writer.pragma('fullfsync = on');
    writer.pragma('wal_autocheckpoint = 0');
  }
  return writer;
}
