/** One serving process per SQLite file: an exclusive lock the system frees on any death. */

import { accessSync, constants } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import { makeFolder, whyNotIn } from './trouble.ts';

/** How long a newcomer waits for a server that is shutting down. */
const lockWaitMs = 5_000;

export type ServingLock = { release(): void };

/** @throws Error when another process serves this database, or its folder cannot be used. */
export function acquireServingLock(databasePath: string, waitMs: number = lockWaitMs): ServingLock {
  const path = `${databasePath}.lock`;
  const connection = openLock(path, waitMs);
  try {
    connection.exec('begin exclusive');
  } catch (cause) {
    connection.close();
    if (!isHeld(cause)) throw unusable(path, cause);
    throw new Error(
      `Another Sendonce process serves ${databasePath}. SQLite takes one serving process: stop the other one, or use PostgreSQL. Where none runs, another program holds ${path}.`,
      { cause },
    );
  }
  return { release: () => connection.close() };
}

function openLock(path: string, waitMs: number): Sqlite.Database {
  try {
    makeFolder(dirname(path));
    const connection = new Sqlite(path, { timeout: waitMs });
    // One that it may only read SQLite would lock for reading, and say nothing: two could serve then.
    accessSync(path, constants.W_OK);
    return connection;
  } catch (cause) {
    throw unusable(path, cause);
  }
}

function isHeld(error: unknown): boolean {
  return error instanceof Sqlite.SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(error.code);
}

function unusable(path: string, cause: unknown): Error {
  // The system has said why; SQLite has not.
  const why = (cause instanceof Sqlite.SqliteError && whyNotIn(dirname(path))) || (cause as Error).message;
  return new Error(
    `${path} cannot be made or opened: ${why}. DATABASE_URL must name a path in a folder that this user may write to, and what is in it must be this user's.`,
    { cause },
  );
}
