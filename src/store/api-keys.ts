/** API keys: of a token only its hash, looked up before the account is known. */

import type { Reader, Transaction } from './database.ts';

export type Permission = 'full_access' | 'sending_access';

export type ApiKey = {
  account: string;
  id: string;
  name: string;
  permission: Permission;
  createdAt: number;
  revokedAt: number | null;
};

type ApiKeyRow = {
  hash: Uint8Array;
  account: string;
  id: string;
  name: string;
  permission: Permission;
  created_at: number;
  revoked_at: number | null;
};

export async function insertApiKey(tx: Transaction, hash: Uint8Array, key: Omit<ApiKey, 'revokedAt'>): Promise<void> {
  await tx.run(
    'insert into api_keys (hash, account, id, name, permission, created_at) values (?, ?, ?, ?, ?, ?)',
    hash,
    key.account,
    key.id,
    key.name,
    key.permission,
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

/** False when there is no such key, or it was revoked before. */
export async function revokeApiKey(tx: Transaction, id: string, now: number): Promise<boolean> {
  return (await tx.run('update api_keys set revoked_at = ? where id = ? and revoked_at is null', now, id)) === 1;
}

function toApiKey(row: ApiKeyRow): ApiKey {
  return {
    account: row.account,
    id: row.id,
    name: row.name,
    permission: row.permission,
    createdAt: row.created_at,
    revokedAt: row.revoked_at,
  };
}
