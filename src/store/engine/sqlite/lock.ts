/** One serving process per SQLite file: an exclusive lock the system frees on any death. */

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';

/** How long a newcomer waits for a server that is shutting down. */
const lockWaitMs = 5_000;

export type ServingLock = { release(): void };

/** @throws Error when another process serves this database. */
export function acquireServingLock(databasePath: string, waitMs: number = lockWaitMs): ServingLock {
  mkdirSync(dirname(databasePath), { recursive: true });
  const connection = new Sqlite(`${databasePath}.lock`, { timeout: waitMs });
  try {
    connection.exec('begin exclusive');
  } catch (cause) {
    connection.close();
    throw new Error(
      `Another Sendonce process serves ${databasePath}. SQLite takes one serving process: stop the other one, or use PostgreSQL.`,
      { cause },
    );
  }
  return { release: () => connection.close() };
}
