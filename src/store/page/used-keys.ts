/** Keys that were used again, the latest first: read from indexes of those alone, however many keys there are. */

import type { Reader } from '../database.ts';
import type { KeyHistory, KeyRecord } from '../idempotency.ts';

export type UsedKey = Pick<KeyRecord, 'account' | 'keyHash' | 'scope' | 'emailIds' | 'createdAt'> & KeyHistory;

type Row = {
  key_hash: Uint8Array;
  scope: string;
  email_ids: string;
  created_at: number;
  replays: number;
  conflicts: number;
  last_replay_at: number | null;
  last_conflict_at: number | null;
  uses: string;
};

export function listReplays(reader: Reader, account: string, limit: number): Promise<UsedKey[]> {
  return listBy(reader, 'last_replay_at', account, limit);
}

export function listConflicts(reader: Reader, account: string, limit: number): Promise<UsedKey[]> {
  return listBy(reader, 'last_conflict_at', account, limit);
}

async function listBy(
  reader: Reader,
  column: 'last_replay_at' | 'last_conflict_at',
  account: string,
  limit: number,
): Promise<UsedKey[]> {
  const rows = await reader.all<Row>(
    `select key_hash, scope, email_ids, created_at, replays, conflicts, last_replay_at, last_conflict_at, uses
     from idempotency_keys where account = ? and ${column} is not null order by ${column} desc limit ?`,
    account,
    limit,
  );
  return rows.map((row) => ({
    account,
    keyHash: row.key_hash,
    scope: row.scope,
    emailIds: JSON.parse(row.email_ids),
    createdAt: row.created_at,
    replays: row.replays,
    conflicts: row.conflicts,
    lastReplayAt: row.last_replay_at,
    lastConflictAt: row.last_conflict_at,
    uses: JSON.parse(row.uses),
  }));
}
