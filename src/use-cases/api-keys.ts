/** API keys: made with a secret that is shown once, and revoked. */

import { randomBytes } from 'node:crypto';
import { firstAccount } from '../core/account.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/error.ts';
import { createApiKeyToken, createKeyId, hashToken } from '../core/token.ts';
import { holdAccount } from '../store/account-rules.ts';
import { ensureAccount } from '../store/accounts.ts';
import { type ApiKey, insertApiKey, renameApiKey, revokeApiKey } from '../store/api-keys.ts';
import type { Database } from '../store/database.ts';

export type WantedKey = Pick<ApiKey, 'account' | 'name' | 'permission'> & Partial<Pick<ApiKey, 'domain'>>;

export type ApiKeys = {
  /** The token is nowhere else: only its hash is stored. @throws AppError `not_found` where there is no such account. */
  make(wanted: WantedKey): Promise<{ id: string; token: string }>;
  /** False: there is no such key, or it was revoked before. An account revokes its own alone; null is the operator. */
  revoke(id: string, account?: string | null): Promise<boolean>;
  /** False: the account has no such key in use. */
  rename(account: string, id: string, name: string): Promise<boolean>;
};

export function createApiKeys(database: Database, clock: Pick<Clock, 'now'>): ApiKeys {
  return {
    async make(wanted) {
      const token = createApiKeyToken(randomBytes);
      const key = { ...wanted, id: createKeyId(randomBytes), createdAt: clock.now() };
      await database.write(async (tx) => {
        // Before the first start there is none yet.
        if (key.account === firstAccount) await ensureAccount(tx, firstAccount, key.createdAt);
        else if (!(await holdAccount(tx, key.account))) throw noSuchAccount(key.account);
        await insertApiKey(tx, hashToken(token), key);
      });
      return { id: key.id, token };
    },

    revoke(id, account = null) {
      return database.write((tx) => revokeApiKey(tx, id, account, clock.now()));
    },

    rename(account, id, name) {
      return database.write((tx) => renameApiKey(tx, account, id, name));
    },
  };
}

function noSuchAccount(name: string): AppError {
  return new AppError('not_found', `There is no account ${name}: sendonce account create ${name} makes it.`);
}
