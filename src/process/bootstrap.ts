/** What a start has to find or make before anything is served: schema, first account, secrets, and what the last process left. */

import { randomBytes } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { createApiKeyToken, createKeyId, hashToken } from '../core/token.ts';
import { ensureAccount, ensureSetting, insertApiKey, listApiKeys, putSetting } from '../store/accounts.ts';
import type { Database } from '../store/database.ts';
import { migrate } from '../store/migrate.ts';
import { refuseMoved } from '../store/move.ts';
import { ensureSampleTemplates } from '../store/templates.ts';
import type { Recovery } from './recovery.ts';
import type { RestoreGuard } from './restore-guard.ts';

/** The account of whoever does not make others. */
export const firstAccount = 'default';

export type Ready = {
  migrations: string[];
  /** Signs links to attachments; stable across restarts. */
  linkSecret: string;
  /** Made at this start because there was none and it may make one; null otherwise. */
  newApiKey: string | null;
};

export async function bootstrap(
  database: Database,
  options: { clock: Clock; makesKey: boolean; guard: RestoreGuard; recovery: Recovery },
): Promise<Ready> {
  const migrations = await migrate(database);
  await refuseMoved(database);
  const now = options.clock.now();
  const ready = await database.write(async (tx) => {
    await ensureAccount(tx, firstAccount, now);
    await ensureSampleTemplates(tx, now);
    const linkSecret = await ensureSetting(tx, 'link_secret', randomBytes(32).toString('base64url'));
    // The row is ours until the commit: of processes that start at once, one makes the first key.
    await putSetting(tx, 'link_secret', linkSecret);
    const keys = await listApiKeys(tx);
    if (!options.makesKey || keys.some((key) => key.revokedAt === null)) return { linkSecret, newApiKey: null };
    const newApiKey = createApiKeyToken(randomBytes);
    await insertApiKey(tx, hashToken(newApiKey), {
      account: firstAccount,
      id: createKeyId(randomBytes),
      name: 'made at the first start',
      permission: 'full_access',
      createdAt: now,
    });
    return { linkSecret, newApiKey };
  });
  await options.guard.start();
  await options.recovery.start();
  // Again, now that our beat is there: whoever fills a database looks for beats after it has said so.
  await refuseMoved(database);
  return { migrations, ...ready };
}
