/** What idempotency keys did: one key's first request, its answer, and every later use of it; of many, what was accepted. */

import { formerKeyHashes, keyHash } from '../core/token.ts';
import { readConfirmed } from '../store/confirm-read.ts';
import type { Database, Reader } from '../store/database.ts';
import { findKey, findKeyHistory, findKeys, type KeyHistory, type KeyRecord } from '../store/idempotency.ts';
import type { KeyUses } from './key-uses.ts';

export type KeyLife = KeyRecord & KeyHistory;

/** The same text may be a key in several scopes: each has a life of its own. In the order of the scopes. */
export type FindKeyLives = (account: string, key: string, scopes: Iterable<string>) => Promise<KeyLife[]>;

export function createFindKeyLives(database: Database, keyUses: Pick<KeyUses, 'flush'>): FindKeyLives {
  return async (account, key, scopes) => {
    // So that what was counted a moment ago is shown; a full disk must not keep the rest from being read.
    await keyUses.flush().catch(() => {});
    const hashes = [...scopes].map((scope) => [keyHash(scope, key), ...formerKeyHashes(scope, key)]);
    // Who reads that a mail was accepted does not send it again.
    return readConfirmed(database, isSome, (reader) => findLives(reader, account, hashes));
  };
}

/** What was accepted under each of many keys, in their order; null: nothing, or it was forgotten since. */
export type LookUpKeys = (account: string, keys: string[], scopes: Iterable<string>) => Promise<(KeyRecord | null)[]>;

export function createLookUpKeys(database: Database): LookUpKeys {
  return async (account, keys, scopes) => {
    const names = keys.map((key) =>
      [...scopes].flatMap((scope) => [keyHash(scope, key), ...formerKeyHashes(scope, key)]),
    );
    const records = await readConfirmed(database, isSome, (reader) => findKeys(reader, account, names.flat()));
    const byHash = new Map(records.map((record) => [hex(record.keyHash), record]));
    return names.map((hashes) => firstOf(hashes.map((hash) => byHash.get(hex(hash)))));
  };
}

function isSome(found: unknown[]): boolean {
  return found.length > 0;
}

function firstOf(records: (KeyRecord | undefined)[]): KeyRecord | null {
  return records.find((record) => record !== undefined) ?? null;
}

function hex(hash: Uint8Array): string {
  return Buffer.from(hash).toString('hex');
}

/** Of each scope, where there is one. */
async function findLives(reader: Reader, account: string, scopes: Uint8Array[][]): Promise<KeyLife[]> {
  const lives: KeyLife[] = [];
  for (const hashes of scopes) {
    const life = await findLife(reader, account, hashes);
    if (life) lives.push(life);
  }
  return lives;
}

async function findLife(reader: Reader, account: string, hashes: Uint8Array[]): Promise<KeyLife | null> {
  for (const hash of hashes) {
    const record = await findKey(reader, account, hash);
    const history = await findKeyHistory(reader, account, hash);
    if (record && history) return { ...record, ...history };
  }
  return null;
}
