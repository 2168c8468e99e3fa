/** API keys: of a token only its hash, looked up before the account is known. */

import type { Reader, Transaction } from './database.ts';

export type Permission = 'full_access' | 'sending_access';

export type ApiKey = {
  account: string;
  id: string;
  name: string;
  permission: Permission;
  /** The only one it may send from; null: any that its account may. */
  domain: string | null;
  createdAt: number;
  revokedAt: number | null;
  /** To about a minute; null: not yet. */
  lastUsedAt: number | null;
};

type ApiKeyRow = {
  hash: Uint8Array;
  account: string;
  id: string;
  name: string;
  permission: Permission;
  domain: string | null;
  created_at: number;
  revoked_at: number | null;
  last_used_at: number | null;
};

type NewKey = Omit<ApiKey, 'revokedAt' | 'lastUsedAt' | 'domain'> & Partial<Pick<ApiKey, 'domain'>>;

export async function insertApiKey(tx: Transaction, hash: Uint8Array, key: NewKey): Promise<void> {
  await tx.run(
    'insert into api_keys (hash, account, id, name, permission, domain, created_at) values (?, ?, ?, ?, ?, ?, ?)',
    hash,
    key.account,
    key.id,
    key.name,
    key.permission,
    key.domain ?? null,
    key.createdAt,
  );
}

/** By the hash of the token; the stored hash comes along to be compared in constant time. */
export async function findApiKey(reader: Reader, hash: Uint8Array): Promise<(ApiKey & { hash: Uint8Array }) | null> {
  const [row] = await reader.all<ApiKeyRow>('select * from api_keys where hash = ?', hash);
  return row ? { ...toApiKey(row), hash: row.hash } : null;
}

export async function findApiKeyById(reader: Reader, id: string): Promise<(ApiKey & { hash: Uint8Array }) | null> {
  const [row] = await reader.all<ApiKeyRow>('select * from api_keys where id = ?', id);
  return row ? { ...toApiKey(row), hash: row.hash } : null;
}

export async function listApiKeys(reader: Reader): Promise<ApiKey[]> {
  const rows = await reader.all<ApiKeyRow>('select * from api_keys order by created_at, id');
  return rows.map(toApiKey);
}

/** Those of one account that are not revoked, the oldest first. */
export async function listKeysInUse(reader: Reader, account: string): Promise<ApiKey[]> {
  const rows = await reader.all<ApiKeyRow>(
    'select * from api_keys where account = ? and revoked_at is null order by created_at, id',
    account,
  );
  return rows.map(toApiKey);
}

/** An account's own keys; null: of whatever account. */
type Owner = string | null;

/** False when there is no such key, or it was revoked before. */
export async function revokeApiKey(tx: Transaction, id: string, owner: Owner, now: number): Promise<boolean> {
  const changed = await tx.run(
    'update api_keys set revoked_at = ? where id = ? and revoked_at is null and account = coalesce(?, account)',
    now,
    id,
    owner,
  );
  return changed === 1;
}

/** False when the account has no such key in use. */
export async function renameApiKey(tx: Transaction, account: string, id: string, name: string): Promise<boolean> {
  const changed = await tx.run(
    'update api_keys set name = ? where id = ? and revoked_at is null and account = ?',
    name,
    id,
    account,
  );
  return changed === 1;
}

/** Of two processes' words the later one stays. */
export async function noteKeyUsed(tx: Transaction, id: string, at: number): Promise<void> {
  await tx.run('update api_keys set last_used_at = ? where id = ? and coalesce(last_used_at, 0) < ?', at, id, at);
}

function toApiKey(row: ApiKeyRow): ApiKey {
  return {
    account: row.account,
    id: row.id,
    name: row.name,
    permission: row.permission,
    domain: row.domain,
    createdAt: row.created_at,
    revokedAt: row.revoked_at,
    lastUsedAt: row.last_used_at,
  };
}
