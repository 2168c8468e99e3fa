/** `sendonce migrate`: brings the schema up to date without starting the server. */

import type { Config } from '../config.ts';
import { openServed } from '../open-database.ts';
import { migrate } from '../store/migrate.ts';

export async function migrateCommand(config: Config): Promise<void> {
  const { database, release } = await openServed(config.database, {
    onUnknownCommit: (error) => {
      throw error;
    },
  });
  const ran = await migrate(database);
  await database.close();
  release();
  console.log(ran.length === 0 ? 'The schema is up to date.' : `Applied ${ran.join(', ')}.`);
}
