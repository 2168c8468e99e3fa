/** `sendonce migrate`: brings the schema up to date without starting the server. */

import type { Config } from '../config.ts';
import { migrate } from '../store/migrate.ts';
import { openSqlite } from '../store/sqlite.ts';
import { acquireServingLock } from '../store/sqlite-lock.ts';

export async function migrateCommand(config: Config): Promise<void> {
  const lock = acquireServingLock(config.databasePath);
  const database = openSqlite({
    path: config.databasePath,
    onUnknownCommit: (error) => {
      throw error;
    },
  });
  const ran = await migrate(database);
  await database.close();
  lock.release();
  console.log(ran.length === 0 ? 'The schema is up to date.' : `Applied ${ran.join(', ')}.`);
}
