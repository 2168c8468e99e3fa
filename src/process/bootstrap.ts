/** What a start has to find or make before anything is served: schema, first account, secrets, and what the last process left. */

import { randomBytes } from 'node:crypto';
import type { Config } from '../config/config.ts';
import { firstAccount } from '../core/account.ts';
import type { Clock } from '../core/clock.ts';
import type { Secrets } from '../core/secrets.ts';
import { createApiKeyToken, createKeyId, hashToken } from '../core/token.ts';
import { log } from '../log.ts';
import { ensureAccount, lockAccount } from '../store/accounts.ts';
import { insertApiKey, listApiKeys } from '../store/api-keys.ts';
import type { Database, Reader } from '../store/database.ts';
import { migrate } from '../store/migrate.ts';
import { refuseMoved } from '../store/move.ts';
import { ensureSampleTemplates } from '../store/templates.ts';
import { keepAside } from './first-key.ts';
import type { Recovery } from './recovery.ts';
import { guardRelay, type RelayUse } from './relay-guard.ts';
import type { RestoreGuard } from './restore-guard.ts';
import { openSecrets, type SecretKeySetting } from './secret-key.ts';

export type Ready = {
  migrations: string[];
  secrets: Secrets;
  /** Made at this start because there was none and it may make one; null otherwise. */
  newApiKey: string | null;
};

export type BootstrapOptions = {
  config: SecretKeySetting & RelayUse & Pick<Config, 'firstKeyFile'>;
  /** False: the relay is a test's own, and the settings say nothing of it. */
  guardsRelay: boolean;
  clock: Clock;
  makesKey: boolean;
  guard: RestoreGuard;
  recovery: Recovery;
};

export async function bootstrap(database: Database, options: BootstrapOptions): Promise<Ready> {
  const migrations = await migrate(database, { onWait: log.waitsForOlder });
  await refuseMoved(database);
  if (options.guardsRelay) await guardRelay(database, options.config);
  const secrets = await openSecrets(database, options.config);
  const now = options.clock.now();
  await database.write(async (tx) => {
    await ensureAccount(tx, firstAccount, now);
    await ensureSampleTemplates(tx, now);
  });
  const newApiKey = options.makesKey ? await makeFirstKey(database, options.config.firstKeyFile, now) : null;
  await options.guard.start();
  await options.recovery.start();
  // Again, now that our beat is there: whoever fills a database looks for beats after it has said so.
  await refuseMoved(database);
  return { migrations, secrets, newApiKey };
}

/** Null: there is one. */
async function makeFirstKey(database: Database, file: string | null, now: number): Promise<string | null> {
  if (await hasActiveKey(database)) return null;
  const token = createApiKeyToken(randomBytes);
  const kept = file === null ? null : keepAside(file, token);
  const isFirst = await database.write(async (tx) => {
    // Of processes that start at once, one makes the first key.
    await lockAccount(tx, firstAccount);
    if (await hasActiveKey(tx)) return false;
    const named = { account: firstAccount, id: createKeyId(randomBytes), name: 'made at the first start' };
    await insertApiKey(tx, hashToken(token), { ...named, permission: 'full_access', createdAt: now });
    return true;
  });
  if (isFirst) kept?.publish();
  else kept?.drop();
  return isFirst ? token : null;
}

async function hasActiveKey(reader: Reader): Promise<boolean> {
  return (await listApiKeys(reader)).some((key) => key.revokedAt === null);
}
