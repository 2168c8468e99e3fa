/**
 * Makes sure that what was read is where the next primary is. PostgreSQL shows rows whose replication nobody has waited for, where
 * an operator has canceled or ended the session that did: no read tells, and no other process is told. A commit that waits does:
 * it stands behind in the log what its transaction has seen.
 */

import type { Database, Reader } from './database.ts';

let confirmed = 0;

/**
 * Where something is there it is read again in a transaction that commits: one that only commits may do so on another primary, which
 * lacks what was read on the one before. On SQLite what can be read is on the disk. @throws AppError `unavailable`; CommitUnknown
 */
export async function readConfirmed<T>(
  database: Database,
  isThere: (value: T) => boolean,
  read: (reader: Reader) => Promise<T>,
): Promise<T> {
  const seen = await read(database);
  if (database.engine === 'sqlite' || !isThere(seen)) return seen;
  confirmed += 1;
  return database.write(read, { about: `read ${confirmed}` });
}
