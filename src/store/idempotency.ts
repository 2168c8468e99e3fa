/** Idempotency keys: a write-once register per (account, facade, method and endpoint, key), for as long as it lives. */

import type { Awaitable, Reader, Transaction } from './database.ts';

/** What is remembered of an accepted request; the key itself is stored only as a hash. */
export type KeyRecord = {
  account: string;
  keyHash: Uint8Array;
  /** Facade, method and endpoint, as `resend POST /emails`. */
  scope: string;
  rawHash: Uint8Array;
  /** Null where the body has no safe canonical form. */
  canonicalHash: Uint8Array | null;
  status: number;
  body: string;
  emailIds: string[];
  createdAt: number;
  expiresAt: number;
};

/** A later request under the key: a replay, or a conflict with the names of the fields that differed. */
export type KeyUse = {
  at: number;
  kind: 'replay' | 'conflict';
  client: string | null;
  /** Which try of one call its client said it was; missing where it did not, and in what older versions have written. */
  attempt?: number;
  fields: string[];
};

export type KeyHistory = {
  replays: number;
  conflicts: number;
  lastReplayAt: number | null;
  lastConflictAt: number | null;
  /** The last ones, oldest first. */
  uses: KeyUse[];
};

/** How many uses of one key are kept in detail: enough to see a retry storm, small enough to rewrite in place. */
const usesKept = 20;

type KeyRow = {
  key_hash: Uint8Array;
  scope: string;
  raw_hash: Uint8Array;
  canonical_hash: Uint8Array | null;
  status: number;
  body: string;
  email_ids: string;
  created_at: number;
  expires_at: number;
};

type HistoryRow = {
  replays: number;
  conflicts: number;
  last_replay_at: number | null;
  last_conflict_at: number | null;
  uses: string;
};

const columns = 'key_hash, scope, raw_hash, canonical_hash, status, body, email_ids, created_at, expires_at';

/** In the index alone. */
const lookForKey = 'select 1 as one from idempotency_keys where account = ? and key_hash = ?';

const selectKey = `select ${columns} from idempotency_keys where account = ? and key_hash = ?`;

/** True: nobody has used it, as the last writes leave it. False tells nothing. */
export function isUnused(reader: Reader, account: string, keyHash: Uint8Array): boolean {
  return reader.isAbsent?.(lookForKey, account, keyHash) ?? false;
}

/** The key as committed, expired or not: expiry is the caller's comparison of `expiresAt`. */
export async function findKey(reader: Reader, account: string, keyHash: Uint8Array): Promise<KeyRecord | null> {
  const [row] = await reader.all<KeyRow>(selectKey, account, keyHash);
  return row ? toRecord(account, row) : null;
}

/** A statement has as many places, so that there is one text of it, which is prepared once. */
const keysAtOnce = 100;
const placesOfKeys = Array.from({ length: keysAtOnce }, () => '?').join(', ');

/** Those of these keys that are there, as `findKey` has them, in no order. */
export async function findKeys(reader: Reader, account: string, keyHashes: Uint8Array[]): Promise<KeyRecord[]> {
  const found: KeyRecord[] = [];
  for (let from = 0; from < keyHashes.length; from += keysAtOnce) {
    const some = keyHashes.slice(from, from + keysAtOnce);
    const [first = new Uint8Array()] = some;
    const rows = await reader.all<KeyRow>(
      `select ${columns} from idempotency_keys where account = ? and key_hash in (${placesOfKeys})`,
      account,
      ...some,
      ...Array.from({ length: keysAtOnce - some.length }, () => first),
    );
    found.push(...rows.map((row) => toRecord(account, row)));
  }
  return found;
}

function toRecord(account: string, row: KeyRow): KeyRecord {
  return {
    account,
    keyHash: row.key_hash,
    scope: row.scope,
    rawHash: row.raw_hash,
    canonicalHash: row.canonical_hash,
    status: row.status,
    body: row.body,
    emailIds: JSON.parse(row.email_ids),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
}

/** What happened under the key since it was taken. */
export async function findKeyHistory(reader: Reader, account: string, keyHash: Uint8Array): Promise<KeyHistory | null> {
  const [row] = await reader.all<HistoryRow>(
    `select replays, conflicts, last_replay_at, last_conflict_at, uses
     from idempotency_keys where account = ? and key_hash = ?`,
    account,
    keyHash,
  );
  if (!row) return null;
  return {
    replays: row.replays,
    conflicts: row.conflicts,
    lastReplayAt: row.last_replay_at,
    lastConflictAt: row.last_conflict_at,
    uses: JSON.parse(row.uses),
  };
}

// An expired row is replaced in place: whether garbage was collected never decides anything.
const insertKey = `
  insert into idempotency_keys
    (account, key_hash, scope, raw_hash, canonical_hash, status, body, email_ids, created_at, expires_at)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  on conflict (account, key_hash) do update set
    scope = excluded.scope, raw_hash = excluded.raw_hash, canonical_hash = excluded.canonical_hash,
    status = excluded.status, body = excluded.body, email_ids = excluded.email_ids,
    created_at = excluded.created_at, expires_at = excluded.expires_at,
    replays = 0, conflicts = 0, last_replay_at = null, last_conflict_at = null, uses = '[]'
  where idempotency_keys.expires_at <= ?`;

/** Takes the key, if nobody holds it at `now`. False: somebody does, and nothing was written. */
export function takeKey(tx: Transaction, record: KeyRecord, now: number): Awaitable<boolean> {
  const taken = tx.run(
    insertKey,
    record.account,
    record.keyHash,
    record.scope,
    record.rawHash,
    record.canonicalHash,
    record.status,
    record.body,
    JSON.stringify(record.emailIds),
    record.createdAt,
    record.expiresAt,
    now,
  );
  return typeof taken === 'number' ? taken === 1 : taken.then((rows) => rows === 1);
}

export async function moveExpiry(
  tx: Transaction,
  account: string,
  keyHash: Uint8Array,
  expiresAt: number,
): Promise<void> {
  await tx.run(
    'update idempotency_keys set expires_at = ? where account = ? and key_hash = ?',
    expiresAt,
    account,
    keyHash,
  );
}

/** Adds uses that were buffered in memory; a key that is gone by now is left gone. */
export async function recordUses(
  tx: Transaction,
  account: string,
  keyHash: Uint8Array,
  counted: { replays: number; conflicts: number; uses: KeyUse[] },
): Promise<void> {
  // Written before it is read, so that of two processes that add at once none undoes the other.
  const [known] = await tx.all<Pick<HistoryRow, 'last_replay_at' | 'last_conflict_at' | 'uses'>>(
    `update idempotency_keys set replays = replays + ?, conflicts = conflicts + ? where account = ? and key_hash = ?
     returning last_replay_at, last_conflict_at, uses`,
    counted.replays,
    counted.conflicts,
    account,
    keyHash,
  );
  if (!known) return;
  const uses: KeyUse[] = [...JSON.parse(known.uses), ...counted.uses].slice(-usesKept);
  await tx.run(
    `update idempotency_keys set last_replay_at = ?, last_conflict_at = ?, uses = ?
     where account = ? and key_hash = ?`,
    lastAt(uses, 'replay') ?? known.last_replay_at,
    lastAt(uses, 'conflict') ?? known.last_conflict_at,
    JSON.stringify(uses),
    account,
    keyHash,
  );
}

function lastAt(uses: KeyUse[], kind: KeyUse['kind']): number | null {
  return uses.findLast((use) => use.kind === kind)?.at ?? null;
}

/** Deletes at most `limit` keys that expired before `now` and tells how many. */
export async function deleteExpiredKeys(tx: Transaction, now: number, limit: number): Promise<number> {
  const rows = await tx.all<{ account: string; key_hash: Uint8Array }>(
    `select account, key_hash from idempotency_keys where expires_at <= ? order by expires_at limit ? ${tx.skipLocked}`,
    now,
    limit,
  );
  await Promise.all(
    rows.map((row) =>
      tx.run(
        'delete from idempotency_keys where account = ? and key_hash = ? and expires_at <= ?',
        row.account,
        row.key_hash,
        now,
      ),
    ),
  );
  return rows.length;
}
