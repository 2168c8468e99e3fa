/** What an idempotency key did: its first request, its answer, and every later use of it. */

import { formerKeyHashes, keyHash } from '../core/token.ts';
import { confirmRead } from '../store/confirm-read.ts';
import type { Database } from '../store/database.ts';
import { findKey, findKeyHistory, type KeyHistory, type KeyRecord } from '../store/idempotency.ts';
import type { KeyUses } from './key-uses.ts';

export type KeyLife = KeyRecord & KeyHistory;

/** The same text may be a key in several scopes: each has a life of its own. In the order of the scopes. */
export type FindKeyLives = (account: string, key: string, scopes: Iterable<string>) => Promise<KeyLife[]>;

export function createFindKeyLives(database: Database, keyUses: Pick<KeyUses, 'flush'>): FindKeyLives {
  return async (account, key, scopes) => {
    // So that what was counted a moment ago is shown; a full disk must not keep the rest from being read.
    await keyUses.flush().catch(() => {});
    const lives: KeyLife[] = [];
    for (const scope of scopes) {
      const life = await findLife(database, account, [keyHash(scope, key), ...formerKeyHashes(scope, key)]);
      if (life) lives.push(life);
    }
    // Who reads that a mail was accepted does not send it again.
    if (lives.length > 0) await confirmRead(database);
    return lives;
  };
}

async function findLife(database: Database, account: string, hashes: Uint8Array[]): Promise<KeyLife | null> {
  for (const hash of hashes) {
    const record = await findKey(database, account, hash);
    const history = await findKeyHistory(database, account, hash);
    if (record && history) return { ...record, ...history };
  }
  return null;
}
