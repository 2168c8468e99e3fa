/** `sendonce secret forget`: for whoever has lost the secret key of a database. */

import type { Config } from '../config/config.ts';
import { databaseName, isThere, openServed } from '../process/open-database.ts';
import { forgetSecretKey } from '../process/secret-key.ts';
import { isServed } from '../store/workers.ts';
import { CommandError } from './terminal.ts';
import { UsageError } from './usage.ts';

/** @throws Error while the database is served: its processes would go on with the key they have. */
export async function secret(config: Config, [action]: string[]): Promise<void> {
  if (action !== 'forget') throw new UsageError('Usage: sendonce secret forget');
  const name = databaseName(config.database);
  if (!isThere(config.database)) throw new CommandError(`There is no database at ${name}.`);
  const { database, release } = await openServed(config.database, {
    onUnknownCommit: (error) => {
      throw error;
    },
  });
  try {
    if (database.engine === 'postgres' && (await isServed(database))) {
      throw new CommandError(`${name} is being served: stop all its processes first.`);
    }
    await forgetSecretKey(database);
  } finally {
    await database.close();
    release();
  }
  console.log(
    'Forgotten. The next start takes the key it has, or makes one; sessions and links made under the old one end.',
  );
}
