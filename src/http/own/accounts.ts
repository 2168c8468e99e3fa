/** /accounts, our own routes: what `sendonce account` and `sendonce key` do, for full-access keys of the first account. */

import {
  accountNameRule,
  firstAccount,
  grantRule,
  isAccountName,
  type Limits,
  parseGrant,
} from '../../core/account.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/error.ts';
import { findUsed } from '../../store/account-counts.ts';
import { listGrants } from '../../store/account-domains.ts';
import { type Account, listAccounts } from '../../store/account-rules.ts';
import { type ApiKey, listApiKeys } from '../../store/api-keys.ts';
import type { Reader } from '../../store/database.ts';
import type { Accounts } from '../../use-cases/accounts.ts';
import type { ApiKeys } from '../../use-cases/api-keys.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { type Fields, isFields } from '../fields.ts';
import { keyNameCharsMax } from '../resend/api-keys.ts';

export type AccountParts = { database: Reader; clock: Clock; accounts: Accounts; apiKeys: ApiKeys };

export const accountsPath = '/accounts';

/** Whoever is of another account is told no more than that. */
export function forFirstAccount<Parts>(handle: (parts: Parts, call: Call) => Promise<Reply>): typeof handle {
  return async (parts, call) => {
    if (call.caller.account === firstAccount) return handle(parts, call);
    throw new AppError('first_account_only', `Only keys of the account ${firstAccount} manage accounts and relays.`);
  };
}

export async function showAccounts(parts: AccountParts): Promise<Reply> {
  const views = await Promise.all((await listAccounts(parts.database)).map((account) => view(parts, account)));
  return ok({ object: 'list', data: views });
}

export async function makeAccount(parts: AccountParts, call: Call): Promise<Reply> {
  const { name } = await readFields(call);
  if (typeof name !== 'string' || !isAccountName(name)) throw invalid('name', accountNameRule);
  await parts.accounts.make(name);
  return ok(await viewOf(parts, name), 201);
}

export async function showAccount(parts: AccountParts, call: Call): Promise<Reply> {
  return ok(await viewOf(parts, call.param('name')));
}

/** `disabled`, and any of the limits; null takes one away. */
export async function changeAccount(parts: AccountParts, call: Call): Promise<Reply> {
  const name = call.param('name');
  const { disabled, ...fields } = await readFields(call);
  const change = limitsOf(fields);
  await viewOf(parts, name);
  if (disabled !== undefined) await setDisabled(parts, name, disabled);
  if (Object.keys(change).length > 0) await parts.accounts.limit(name, change);
  return ok(await viewOf(parts, name));
}

async function setDisabled({ accounts }: AccountParts, name: string, disabled: unknown): Promise<void> {
  if (typeof disabled !== 'boolean') throw invalid('disabled', 'must be true or false');
  if (!disabled) return accounts.enable(name);
  if (name === firstAccount) throw invalid('disabled', 'would shut out its own key: sendonce account disable does it');
  await accounts.disable(name);
}

export async function removeAccount({ accounts }: AccountParts, call: Call): Promise<Reply> {
  const name = call.param('name');
  await accounts.remove(name);
  return ok({ object: 'account', name, deleted: true });
}

export async function allowDomain(parts: AccountParts, call: Call): Promise<Reply> {
  const { domain } = await readFields(call);
  const name = call.param('name');
  await parts.accounts.allow(name, grantOf(domain));
  return ok(await viewOf(parts, name), 201);
}

export async function disallowDomain(parts: AccountParts, call: Call): Promise<Reply> {
  const name = call.param('name');
  const domain = grantOf(call.param('domain'));
  if (!(await parts.accounts.disallow(name, domain)))
    throw new AppError('not_found', `${name} was not given ${domain}.`);
  return ok(await viewOf(parts, name));
}

export async function showKeys({ database }: AccountParts, call: Call): Promise<Reply> {
  const name = call.param('name');
  const keys = (await listApiKeys(database)).filter((key) => key.account === name);
  return ok({ object: 'list', data: keys.map(keyView) });
}

/** The one answer that has the token in it. */
export async function makeKey({ apiKeys }: AccountParts, call: Call): Promise<Reply> {
  const { name = '', permission = 'full_access' } = await readFields(call);
  if (typeof name !== 'string' || name.length > keyNameCharsMax) {
    throw invalid('name', `must be a text of at most ${keyNameCharsMax} characters`);
  }
  if (permission !== 'full_access' && permission !== 'sending_access') {
    throw invalid('permission', 'must be `full_access` or `sending_access`');
  }
  const { id, token } = await apiKeys.make({ account: call.param('name'), name, permission });
  return ok({ object: 'api_key', id, token }, 201);
}

export async function revokeKey({ apiKeys }: AccountParts, call: Call): Promise<Reply> {
  const [name, id] = [call.param('name'), call.param('id')];
  if (await apiKeys.revoke(id, name)) return ok({ object: 'api_key', id, revoked: true });
  throw new AppError('not_found', `${name} has no active key of this id.`);
}

async function viewOf(parts: AccountParts, name: string) {
  const account = (await listAccounts(parts.database)).find((one) => one.name === name);
  if (!account) throw new AppError('not_found', `There is no account ${name}.`);
  return view(parts, account);
}

async function view({ database, clock }: AccountParts, account: Account) {
  const grants = await listGrants(database);
  const used = await findUsed(database, account.name, clock.now());
  return {
    object: 'account',
    name: account.name,
    created_at: new Date(account.createdAt).toISOString(),
    disabled: account.disabledAt !== null,
    paused: account.pausedAt !== null,
    domains: grants.filter((grant) => grant.account === account.name).map(({ domain }) => domain),
    requests_per_second: account.requestsPerSecond,
    emails_per_day: account.emailsPerDay,
    stored_bytes: account.storedBytesMax,
    // Counted only where there is a limit.
    ...(used && { used: { emails_today: used.emailsToday, stored_bytes: used.storedBytes } }),
  };
}

function keyView({ id, name, permission, createdAt, revokedAt }: ApiKey) {
  return {
    object: 'api_key',
    id,
    name,
    permission,
    created_at: new Date(createdAt).toISOString(),
    revoked_at: revokedAt === null ? null : new Date(revokedAt).toISOString(),
  };
}

const limitFields = {
  requests_per_second: 'requestsPerSecond',
  emails_per_day: 'emailsPerDay',
  stored_bytes: 'storedBytesMax',
} as const satisfies Record<string, keyof Limits>;

function limitsOf(fields: Fields): Partial<Limits> {
  const change: Partial<Limits> = {};
  for (const [field, value] of Object.entries(fields)) {
    if (!(field in limitFields)) throw invalid(field, 'is not known here');
    if (value !== null && !(Number.isSafeInteger(value) && Number(value) >= 1)) {
      throw invalid(field, 'must be a whole number from 1, or null for none');
    }
    change[limitFields[field as keyof typeof limitFields]] = value === null ? null : Number(value);
  }
  return change;
}

function grantOf(value: unknown): string {
  const grant = typeof value === 'string' ? parseGrant(value) : null;
  if (grant === null) throw invalid('domain', grantRule);
  return grant;
}

async function readFields(call: Call): Promise<Fields> {
  const body = parseJson(await call.body());
  if (isFields(body)) return body;
  throw new AppError('invalid_field', 'The request body must be a JSON object.');
}

function invalid(field: string, rule: string): AppError {
  return new AppError('invalid_field', `\`${field}\` ${rule}.`);
}

function ok(body: unknown, status = 200): Reply {
  return { status, body: JSON.stringify(body) };
}
