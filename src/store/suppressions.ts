/** Addresses an account must not mail: learned from bounces, or put on the list by hand. */

import assert from 'node:assert';
import { randomBytes } from 'node:crypto';
import { erasedKey } from '../core/erased.ts';
import type { SuppressionFact } from '../core/event.ts';
import { type SuppressionOrigin, suppressionKey } from '../core/suppression.ts';
import { createIdSource } from '../core/token.ts';
import type { Awaitable, Reader, SqlValue, Transaction } from './database.ts';
import { writeFact } from './mail/facts.ts';

export type Suppression = {
  account: string;
  id: string;
  /** As `suppressionKey` spells it. */
  address: string;
  origin: SuppressionOrigin;
  /** The email that bounced or was complained about. */
  sourceId: string | null;
  /** The relay's words, where it was the relay. */
  reply: string | null;
  createdAt: number;
};

type SuppressionRow = {
  account: string;
  id: string;
  address: string;
  origin: SuppressionOrigin;
  source_id: string | null;
  reply: string | null;
  created_at: number;
};

const nextId = createIdSource(randomBytes);
/** A domain stands among the addresses, from its @ on, so that one look finds both. */
const isAddress = "address not like '@%'";

const columns = 'account, id, address, origin, source_id, reply, created_at';

/** What was known first stays. Returns the suppression that holds, made now or before. */
export async function suppress(tx: Transaction, wanted: Omit<Suppression, 'id'>): Promise<Suppression> {
  const address = suppressionKey(wanted.address);
  const made = { ...wanted, address, id: nextId(wanted.createdAt) };
  for (;;) {
    const known = await findSuppression(tx, made.account, { address });
    if (known) return known;
    if (await insert(tx, made)) {
      await tell(tx, 'suppression_added', made, made.createdAt);
      return made;
    }
    // Another transaction has put it on the list since, and perhaps taken it off again.
  }
}

/** False: the address is suppressed. */
async function insert(tx: Transaction, made: Suppression): Promise<boolean> {
  const inserted = await tx.run(
    `insert into suppressions (${columns}) values (?, ?, ?, ?, ?, ?, ?) on conflict (account, address) do nothing`,
    made.account,
    made.id,
    made.address,
    made.origin,
    made.sourceId,
    made.reply,
    made.createdAt,
  );
  return inserted === 1;
}

function tell(tx: Transaction, type: SuppressionFact, suppression: Suppression, at: number): Promise<void> {
  return writeFact(tx, { account: suppression.account, about: suppression.id, type, at, detail: { suppression } });
}

/** By id or by address, in any spelling. */
export type SuppressionName = { id: string } | { address: string };

export async function findSuppression(
  reader: Reader,
  account: string,
  name: SuppressionName,
): Promise<Suppression | null> {
  const [where, ...params] = named(account, name);
  const [row] = await reader.all<SuppressionRow>(
    `select ${columns} from suppressions where account = ? and ${where}`,
    account,
    ...params,
  );
  return row ? toSuppression(row) : null;
}

/** Who was forgotten is known to whoever asks for that address. */
function named(account: string, name: SuppressionName): [sql: string, ...params: string[]] {
  if ('id' in name) return ['id = ?', name.id];
  const key = suppressionKey(name.address);
  return ['address in (?, ?)', key, erasedKey(account, key)];
}

/** Lets mail through again. Null: it was not suppressed. */
export async function unsuppress(
  tx: Transaction,
  account: string,
  name: SuppressionName,
  now: number,
): Promise<Suppression | null> {
  const [where, ...params] = named(account, name);
  const [row] = await tx.all<SuppressionRow>(
    `delete from suppressions where account = ? and ${where} returning ${columns}`,
    account,
    ...params,
  );
  if (!row) return null;
  const removed = toSuppression(row);
  await tell(tx, 'suppression_removed', removed, now);
  return removed;
}

/** Lets mail through again that bounces of a span (epoch milliseconds, `until` excluded) stopped; to all, where no address is named. */
export async function unsuppressBounces(
  tx: Transaction,
  account: string,
  { address, from, until, now }: { address: string | null; from: number; until: number; now: number },
): Promise<void> {
  const [where = '', ...params] = address === null ? [] : named(account, { address });
  const rows = await tx.all<SuppressionRow>(
    `delete from suppressions where account = ? and origin = 'bounce' and created_at >= ? and created_at < ?
     ${where && `and ${where}`} returning ${columns}`,
    account,
    from,
    until,
    ...params,
  );
  for (const row of rows) await tell(tx, 'suppression_removed', toSuppression(row), now);
}

export type SuppressionPage = {
  limit: number;
  /** Ids; at most one of the two is set. */
  after: string | null;
  before: string | null;
  origin: SuppressionOrigin | null;
};

/** Newest first, the cursor itself left out. */
export async function listSuppressions(
  reader: Reader,
  account: string,
  page: SuppressionPage,
): Promise<{ suppressions: Suppression[]; hasMore: boolean }> {
  const terms: [sql: string, param: SqlValue][] = [];
  if (page.origin !== null) terms.push(['and origin = ?', page.origin]);
  if (page.after !== null) terms.push(['and id < ?', page.after]);
  if (page.before !== null) terms.push(['and id > ?', page.before]);
  const rows = await reader.all<SuppressionRow>(
    `select ${columns} from suppressions where account = ? and ${isAddress} ${terms.map(([sql]) => sql).join(' ')}
     order by id ${page.before === null ? 'desc' : 'asc'} limit ?`,
    account,
    ...terms.map(([, param]) => param),
    page.limit + 1,
  );
  const suppressions = rows.slice(0, page.limit).map(toSuppression);
  if (page.before !== null) suppressions.reverse();
  return { suppressions, hasMore: rows.length > page.limit };
}

/** Those made in a span (epoch milliseconds, `until` excluded), by their place, and how many there are in all pages. */
export async function listSuppressionsMade(
  reader: Reader,
  account: string,
  page: { from: number; until: number; limit: number; offset: number; order: 'asc' | 'desc' },
): Promise<{ suppressions: Suppression[]; count: number }> {
  const where = `account = ? and ${isAddress} and created_at >= ? and created_at < ?`;
  const params = [account, page.from, page.until];
  const [total] = await reader.all<{ count: number }>(
    `select count(*) as count from suppressions where ${where}`,
    ...params,
  );
  const rows = await reader.all<SuppressionRow>(
    `select ${columns} from suppressions where ${where} order by id ${page.order} limit ? offset ?`,
    ...params,
    page.limit,
    page.offset,
  );
  return { suppressions: rows.map(toSuppression), count: total?.count ?? 0 };
}

/** Statements are kept by their text: lists are filled up to one of these lengths, so that there are few texts. */
const lookUps = [3, 12, 48, 192, 768, 3_072].map((size) => ({
  size,
  sql: `select address, origin from suppressions where account = ? and address in (${Array(size).fill('?').join(', ')})`,
}));
const lookUpMax = 3_072;

/** What nearly every look finds. */
const nobody: ReadonlyMap<string, SuppressionOrigin> = new Map();

type LookUpRow = { address: string; origin: SuppressionOrigin };

/** The same, where it may be cheaper to look first whether the account has any. */
export function findSuppressedNow(
  tx: Transaction,
  account: string,
  addresses: readonly string[],
): Awaitable<ReadonlyMap<string, SuppressionOrigin>> {
  const hasNone = tx.isAbsent?.('select 1 as one from suppressions where account = ? limit 1', account);
  return hasNone ? nobody : findSuppressed(tx, account, addresses);
}

/** Which of these addresses are suppressed, by `suppressionKey`. One query, unless there are more than a thousand. */
export async function findSuppressed(
  reader: Reader,
  account: string,
  addresses: readonly string[],
): Promise<ReadonlyMap<string, SuppressionOrigin>> {
  const found: LookUpRow[] = [];
  // Each as it is, as it stands there once its person was forgotten, and its domain.
  const keys = new Set<string>();
  for (const address of addresses) keys.add(suppressionKey(address));
  const namesOf = (key: string) => [key, erasedKey(account, key), key.slice(key.lastIndexOf('@'))];
  const all = new Set<string>();
  for (const key of keys) for (const name of namesOf(key)) all.add(name);
  const names = [...all];
  for (let start = 0; start < names.length; start += lookUpMax) {
    const some = names.length <= lookUpMax ? names : names.slice(start, start + lookUpMax);
    const lookUp = lookUps.find(({ size }) => size >= some.length);
    assert(lookUp, 'the last one takes as many as there can be');
    const filled = some.length === lookUp.size ? some : some.concat(Array(lookUp.size - some.length).fill(some[0]));
    if (reader.isAbsent?.(lookUp.sql, account, ...filled)) continue;
    const rows = await reader.all<LookUpRow>(lookUp.sql, account, ...filled);
    if (rows.length > 0) found.push(...rows);
  }
  if (found.length === 0) return nobody;
  const byName = new Map(found.map(({ address, origin }) => [address, origin]));
  const suppressed = new Map<string, SuppressionOrigin>();
  for (const key of keys) {
    const origin = namesOf(key)
      .map((name) => byName.get(name))
      .find((one) => one !== undefined);
    if (origin) suppressed.set(key, origin);
  }
  return suppressed;
}

function toSuppression(row: SuppressionRow): Suppression {
  return {
    account: row.account,
    id: row.id,
    address: row.address,
    origin: row.origin,
    sourceId: row.source_id,
    reply: row.reply,
    createdAt: row.created_at,
  };
}

/** Goes on suppressing the address, and does not say it any more. */
export async function eraseSuppression(tx: Transaction, account: string, key: string): Promise<boolean> {
  const erased = await tx.run(
    'update suppressions set address = ?, reply = null where account = ? and address = ?',
    erasedKey(account, key),
    account,
    key,
  );
  return erased === 1;
}

/** No mail goes to any address there. */
export async function blockDomain(tx: Transaction, account: string, domain: string, now: number): Promise<void> {
  const row = { account, id: nextId(now), address: `@${domain}`, createdAt: now };
  await insert(tx, { ...row, origin: 'manual', sourceId: null, reply: null });
}

/** False: it was not blocked. */
export async function unblockDomain(tx: Transaction, account: string, domain: string): Promise<boolean> {
  return (await tx.run('delete from suppressions where account = ? and address = ?', account, `@${domain}`)) === 1;
}

export async function listBlockedDomains(reader: Reader, account: string): Promise<string[]> {
  const rows = await reader.all<{ address: string }>(
    "select address from suppressions where account = ? and substr(address, 1, 1) = '@' order by address",
    account,
  );
  return rows.map(({ address }) => address.slice(1));
}
