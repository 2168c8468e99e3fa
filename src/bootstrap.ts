/** What a start has to find or make before anything is served: schema, first account, secrets, and what the last process left. */

import { randomBytes } from 'node:crypto';
import type { Clock } from './core/clock.ts';
import { createApiKeyToken, createKeyId, hashToken } from './core/token.ts';
import { log } from './log.ts';
import type { RestoreGuard } from './restore-guard.ts';
import { ensureAccount, ensureSetting, insertApiKey, listApiKeys } from './store/accounts.ts';
import type { Database } from './store/database.ts';
import type { InDoubtPolicy } from './store/deliveries.ts';
import { recover } from './store/holds.ts';
import { migrate } from './store/migrate.ts';
import { ensureSampleTemplates } from './store/templates.ts';
import { recoverWebhookDeliveries } from './store/webhook-deliveries.ts';

/** The account of whoever does not make others. */
export const firstAccount = 'default';

export type Ready = {
  migrations: string[];
  /** Signs links to attachments; stable across restarts. */
  linkSecret: string;
  /** Made at this start because there was none; null otherwise. */
  newApiKey: string | null;
};

/** Deliveries one transaction recovers: bounds how long a start after a crash holds the database. */
const recoverAtOnce = 1_000;

export async function bootstrap(
  database: Database,
  options: { clock: Clock; policy: InDoubtPolicy; hasKey: boolean; guard: RestoreGuard },
): Promise<Ready> {
  const migrations = await migrate(database);
  const now = options.clock.now();
  const ready = await database.write(async (tx) => {
    await ensureAccount(tx, firstAccount, now);
    await ensureSampleTemplates(tx, now);
    const linkSecret = await ensureSetting(tx, 'link_secret', randomBytes(32).toString('base64url'));
    const keys = await listApiKeys(tx);
    if (options.hasKey || keys.some((key) => key.revokedAt === null)) return { linkSecret, newApiKey: null };
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
  await recoverAll(database, options);
  return { migrations, ...ready };
}

/** Nobody else serves this database (the serving lock says so): every claim found is a dead worker's. */
async function recoverAll(database: Database, options: { clock: Clock; policy: InDoubtPolicy }): Promise<void> {
  let requeued = 0;
  for (;;) {
    const step = await database.write((tx) =>
      recover(tx, { now: options.clock.now(), policy: options.policy, limit: recoverAtOnce }),
    );
    for (const ref of step.inDoubt) log.inDoubt(ref, 'the process that sent it ended before the relay answered');
    requeued += step.requeued.length;
    if (step.requeued.length + step.inDoubt.length === 0) break;
  }
  if (requeued > 0) log.requeued(requeued);
  // Where others may be alive the lease, a minute, tells who is not.
  if (database.engine === 'sqlite') await database.write((tx) => recoverWebhookDeliveries(tx, options.clock.now()));
}
