/** A SQLite file forgets what was deleted from it: its free pages, the gaps in others, and the log beside it. */

import { statSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { explained } from './trouble.ts';

/**
 * Writes the whole file anew, which keeps every other writer waiting. Where nobody else has it open, its log is empty
 * afterwards; a server empties its own (`emptyLog`).
 */
export function writeAnew(path: string): void {
  const file = new Sqlite(path, { fileMustExist: true, timeout: 5_000 });
  try {
    file.pragma('wal_autocheckpoint = 0');
    file.exec('vacuum');
    file.pragma('wal_checkpoint(TRUNCATE)');
  } catch (error) {
    throw explained(path, error);
  } finally {
    file.close();
  }
}

/** In bytes: how long it takes to write it anew goes with that. */
export function sizeOf(path: string): number {
  return statSync(path).size;
}
