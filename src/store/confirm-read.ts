/**
 * Makes sure that what was read is where the next primary is. PostgreSQL shows rows whose replication nobody has waited for, where
 * an operator has canceled or ended the session that did: no read tells, and no other process is told. A commit that waits does:
 * it stands behind in the log what could be seen before it.
 */

import type { Database } from './database.ts';

let confirmed = 0;

/** On SQLite what can be read is on the disk. @throws AppError `unavailable`; CommitUnknown */
export async function confirmRead(database: Database): Promise<void> {
  if (database.engine === 'sqlite') return;
  confirmed += 1;
  await database.write(async () => null, { about: `read ${confirmed}` });
}
