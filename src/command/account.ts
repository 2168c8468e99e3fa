/** `sendonce account`: makes, lists, pauses, bounds and ends accounts, and says what they may send from. */

import type { Config } from '../config/config.ts';
import { accountNameRule, grantRule, isAccountName, type Limits, parseGrant } from '../core/account.ts';
import { findUsed } from '../store/account-counts.ts';
import { listGrants } from '../store/account-domains.ts';
import { type Account, listAccounts } from '../store/account-rules.ts';
import { listApiKeys } from '../store/api-keys.ts';
import type { Database } from '../store/database.ts';
import { type Accounts, createAccounts } from '../use-cases/accounts.ts';
import { CommandError, table, withDatabase } from './terminal.ts';
import { UsageError } from './usage.ts';

export type AccountFlags = { 'requests-per-second'?: string; 'emails-per-day'?: string; 'stored-bytes'?: string };

const usage = `Usage: sendonce account list
       sendonce account create|disable|enable|cancel|delete NAME
       sendonce account allow|disallow NAME DOMAIN
       sendonce account limit NAME [--requests-per-second N|none] [--emails-per-day N|none] [--stored-bytes N|none]`;

export async function account(config: Config, operands: string[], flags: AccountFlags): Promise<void> {
  const [action = 'list', name, domain] = operands;
  if (action === 'list') return console.log(await withDatabase(config, { create: false }, list));
  if (name === undefined) throw new UsageError(usage);
  if (!isAccountName(name)) throw new CommandError(`The name of an account ${accountNameRule}.`);
  const say = await withDatabase(config, { create: action === 'create' }, (database) =>
    change(accountsOf(database), { action, name, domain, flags }),
  );
  console.log(say);
}

/** A running server is told, or finds it when it next looks. */
function accountsOf(database: Database): Accounts {
  return createAccounts(database, { now: () => database.wall() }, () => database.announce());
}

type Change = { action: string; name: string; domain: string | undefined; flags: AccountFlags };

/** Tells what was done. */
async function change(accounts: Accounts, { action, name, domain, flags }: Change): Promise<string> {
  switch (action) {
    case 'create':
      await accounts.make(name);
      return `Made ${name}. Next: sendonce account allow ${name} DOMAIN, and sendonce key create --account ${name}.`;
    case 'disable':
      await accounts.disable(name);
      return `${name} is disabled: its keys are refused, and what it has queued waits. Nothing is lost; running servers follow within a second.`;
    case 'enable':
      await accounts.enable(name);
      return `${name} is enabled: what waited goes on.`;
    case 'delete':
      await accounts.remove(name);
      return `${name} is deleted: its keys and webhooks have ended, its domains are free, and the server forgets what its mail said. Ids and events stay, and so does the name.`;
    case 'cancel':
      return `${await accounts.cancel(name)} emails of ${name} are canceled. What may have left once already is not: see sendonce queue.`;
    case 'allow':
      await accounts.allow(name, grantOf(domain));
      return `${name} may send from ${grantOf(domain)}.`;
    case 'disallow':
      if (!(await accounts.disallow(name, grantOf(domain)))) throw new CommandError(`${name} was not given ${domain}.`);
      return `${name} may no longer send from ${grantOf(domain)}. What was accepted still leaves.`;
    case 'limit':
      return sayLimits(name, await accounts.limit(name, limitsOf(flags)));
    default:
      throw new UsageError(usage);
  }
}

function grantOf(domain: string | undefined): string {
  const grant = domain === undefined ? null : parseGrant(domain);
  if (grant === null) throw new CommandError(`DOMAIN ${grantRule}.`);
  return grant;
}

function limitsOf(flags: AccountFlags): Partial<Limits> {
  const change: Partial<Limits> = {};
  for (const [flag, limit] of Object.entries(limitFlags)) {
    const text = flags[flag as keyof AccountFlags];
    if (text !== undefined) change[limit] = numberOf(flag, text);
  }
  if (Object.keys(change).length === 0) throw new UsageError(usage);
  return change;
}

const limitFlags: Record<keyof AccountFlags, keyof Limits> = {
  'requests-per-second': 'requestsPerSecond',
  'emails-per-day': 'emailsPerDay',
  'stored-bytes': 'storedBytesMax',
};

function numberOf(flag: string, text: string): number | null {
  if (text === 'none') return null;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new CommandError(`--${flag} must be a whole number from 1, or none.`);
}

function sayLimits(name: string, { requestsPerSecond, emailsPerDay, storedBytesMax }: Limits): string {
  const said = [
    `${requestsPerSecond ?? 'any number of'} requests a second (of each process)`,
    `${emailsPerDay ?? 'any number of'} emails a day (UTC)`,
    `${storedBytesMax ?? 'any number of'} bytes stored`,
  ];
  return `${name}: ${said.join(', ')}.`;
}

async function list(database: Database): Promise<string> {
  const grants = await listGrants(database);
  const keys = await listApiKeys(database);
  const rows = (await listAccounts(database)).map(async (one) => [
    one.name,
    one.disabledAt !== null ? 'disabled' : one.pausedAt !== null ? 'paused' : 'active',
    String(keys.filter((key) => key.account === one.name && key.revokedAt === null).length),
    ...(await limitCells(database, one)),
    grants
      .filter((grant) => grant.account === one.name)
      .map(({ domain }) => domain)
      .join(' '),
  ]);
  return table(['NAME', 'STATE', 'KEYS', 'REQUESTS/S', 'EMAILS TODAY', 'STORED', 'DOMAINS'], await Promise.all(rows));
}

async function limitCells(database: Database, one: Account): Promise<string[]> {
  const used = await findUsed(database, one.name, database.wall());
  const of = (is: number | undefined, most: number | null) => (most === null ? '-' : `${is ?? 0} of ${most}`);
  return [
    one.requestsPerSecond === null ? '-' : String(one.requestsPerSecond),
    of(used?.emailsToday, one.emailsPerDay),
    of(used?.storedBytes, one.storedBytesMax),
  ];
}
