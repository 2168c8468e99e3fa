/** `sendonce key`: create, list and revoke API keys. */

import type { Config } from '../config/config.ts';
import { accountNameRule, firstAccount, isAccountName } from '../core/account.ts';
import { listApiKeys, type Permission } from '../store/api-keys.ts';
import type { Database } from '../store/database.ts';
import { type ApiKeys, createApiKeys } from '../use-cases/api-keys.ts';
import { CommandError, table, withDatabase } from './terminal.ts';
import { UsageError } from './usage.ts';

export type Flags = { name?: string; account?: string; permission?: string };

/** docs/resend.md: a key's name has at most 50 characters. */
const nameCharsMax = 50;

export async function key(config: Config, [action = 'list', id]: string[], flags: Flags): Promise<void> {
  if (action === 'create') return create(config, flags);
  if (action === 'list') return list(config);
  if (action === 'revoke' && id) return revoke(config, id);
  throw new UsageError('Usage: sendonce key create [--name N] [--account A] [--permission P] | list | revoke ID');
}

async function create(config: Config, flags: Flags): Promise<void> {
  const name = flags.name ?? '';
  const account = flags.account ?? firstAccount;
  if (name.length > nameCharsMax) throw new CommandError(`--name must have at most ${nameCharsMax} characters.`);
  if (!isAccountName(account)) throw new CommandError(`--account ${accountNameRule}.`);
  const permission = permissionOf(flags);
  const made = await withDatabase(config, { create: true }, (database) =>
    keysOf(database).make({ account, name, permission }),
  );
  console.log(`${made.token}\n\n${made.id}, ${permission}, account ${account}. It is not shown again.`);
}

function keysOf(database: Database): ApiKeys {
  return createApiKeys(database, { now: () => database.wall() });
}

function permissionOf({ permission = 'full_access' }: Flags): Permission {
  if (permission === 'full_access' || permission === 'sending_access') return permission;
  throw new CommandError('--permission must be full_access or sending_access.');
}

async function list(config: Config): Promise<void> {
  const keys = await withDatabase(config, { create: false }, listApiKeys);
  const rows = keys.map((one) => [
    one.id,
    one.account,
    one.permission,
    new Date(one.createdAt).toISOString(),
    one.revokedAt === null ? 'active' : 'revoked',
    one.name,
  ]);
  console.log(table(['ID', 'ACCOUNT', 'PERMISSION', 'CREATED', 'STATE', 'NAME'], rows));
}

async function revoke(config: Config, id: string): Promise<void> {
  const revoked = await withDatabase(config, { create: false }, (database) => keysOf(database).revoke(id));
  if (!revoked) throw new CommandError(`There is no active key ${id}; see sendonce key list.`);
  console.log(`${id} is revoked. A running server stops taking it within a second.`);
}
