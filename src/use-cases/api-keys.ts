/** API keys: made with a secret that is shown once, and revoked. */

import { randomBytes } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { createApiKeyToken, createKeyId, hashToken } from '../core/token.ts';
import { type ApiKey, ensureAccount, insertApiKey, revokeApiKey } from '../store/accounts.ts';
import type { Database } from '../store/database.ts';

export type ApiKeys = {
  /** Makes the account, too, where it is new. The token is nowhere else: only its hash is stored. */
  make(wanted: Pick<ApiKey, 'account' | 'name' | 'permission'>): Promise<{ id: string; token: string }>;
  /** False: there is no such key, or it was revoked before. */
  revoke(id: string): Promise<boolean>;
};

export function createApiKeys(database: Database, clock: Pick<Clock, 'now'>): ApiKeys {
  return {
    async make(wanted) {
      const token = createApiKeyToken(randomBytes);
      const key = { ...wanted, id: createKeyId(randomBytes), createdAt: clock.now() };
      await database.write(async (tx) => {
        await ensureAccount(tx, key.account, key.createdAt);
        await insertApiKey(tx, hashToken(token), key);
      });
      return { id: key.id, token };
    },

    revoke(id) {
      return database.write((tx) => revokeApiKey(tx, id, clock.now()));
    },
  };
}
