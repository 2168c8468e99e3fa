/** Makes what a dead process has left in the write-ahead log certain, before anybody is told what stands in it. */

import { closeSync, existsSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import Sqlite from 'better-sqlite3';

/** How long the command line's short write is waited for. */
const busyTimeoutMs = 5_000;

const chunkBytes = 1024 * 1024;

/**
 * What one reads in the log may be nowhere but in memory: the process died before its sync, or its sync failed, after which
 * Linux takes the pages for clean and no later sync writes them (docs/decisions/0030-the-log-is-written-again.md).
 * So every byte is written again as it is read, and synced. To be called by the serving process, with the database open.
 * @throws Error when that fails: nothing of it may be promised then.
 */
export function rewriteLog(databasePath: string): void {
  const path = `${databasePath}-wal`;
  const connection = new Sqlite(databasePath, { timeout: busyTimeoutMs });
  try {
    // Nobody appends to the log, or begins it anew, while this is held.
    connection.exec('begin immediate');
    if (existsSync(path)) rewrite(path);
    connection.exec('rollback');
  } finally {
    connection.close();
  }
}

function rewrite(path: string): void {
  const file = openSync(path, 'r+');
  try {
    const chunk = Buffer.alloc(chunkBytes);
    for (let at = 0; ; ) {
      const length = readSync(file, chunk, 0, chunkBytes, at);
      if (length === 0) break;
      at += writeSync(file, chunk, 0, length, at);
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
