/** Opens a SQLite file to be written. */

import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import { explained, makeFolder } from './trouble.ts';

/** How long another process' short write (the command line's) is waited for. */
export const busyTimeoutMs = 5_000;

/** SQLite waits within its calls, and with it the thread that serves everybody: a lock that lasts is waited for beside it. */
export const busyOnThreadMs = 20;

const pragmas = [
  'journal_mode = WAL',
  // Commits do not sync: the log is synced beside this thread, and writes wait for that.
  'synchronous = NORMAL',
  'fullfsync = on',
  'wal_autocheckpoint = 0',
  'cache_size = -16000',
  // Each is a list of words, for which SQLite makes a table whenever a row is written: a third of what moving a delivery took. Every
  // test runs on PostgreSQL, too, which has them.
  'ignore_check_constraints = on',
  `busy_timeout = ${busyOnThreadMs}`,
];

/** The connection that writes. @throws Error with what to do, where the file cannot be used */
export function openWriter(path: string): Sqlite.Database {
  makeFolder(dirname(path));
  let writer: Sqlite.Database | null = null;
  try {
    writer = new Sqlite(path, { timeout: busyTimeoutMs });
    for (const one of pragmas) writer.pragma(one);
    return writer;
  } catch (error) {
    writer?.close();
    throw explained(path, error);
  }
}
