/** The index behind the search: written by a chore after the fact, read newest first and never further than a bound. */

import { isEmailFact } from '../../core/event.ts';
import { afterAllIds, uuidv7Floor } from '../../core/token.ts';
import type { DatabaseReader, SqlValue, Transaction } from '../database.ts';
import { type EventDetail, type ShownState, shownState, shownStateSql } from '../mail/events.ts';
import { eventsAfter, holdCursor, moveCursor, type Step } from './rollups.ts';
import { type Condition, relayTerm, searchStates, searchTerms, stateTerm } from './search-query.ts';

const bytes = (term: string): Uint8Array => Buffer.from(term);

/** How far the index goes is noted under this name. */
export const termsCursor = (account: string) => `terms ${account}`;

/** An email may have 2,000 recipients: a step ends after so many rows, some milliseconds, whatever its limit of emails is. */
const termsAtOnce = 1_000;

/** Puts emails accepted since the last step into the index; tells whether there may be more. */
export async function indexEmails(tx: Transaction, account: string, step: Step): Promise<boolean> {
  const name = termsCursor(account);
  const position = await holdCursor(tx, name);
  if (position === null) return false;
  const rows = await tx.all<{ id: string; summary: string; last_event: ShownState | null }>(
    `select id, summary, (select ${shownStateSql} from events where events.account = emails.account and events.email_id = emails.id
       order by events.id desc limit 1) as last_event
     from emails where account = ? and id > ? and id < ? order by id limit ?`,
    account,
    position,
    uuidv7Floor(step.until),
    step.limit,
  );
  let [terms, last]: [number, string | null] = [0, null];
  for (const { id, summary, last_event } of rows) {
    if (terms > termsAtOnce) break;
    const found = searchTerms(JSON.parse(summary));
    for (const term of found) await addTerm(tx, account, term, id);
    await setState(tx, account, id, last_event ?? 'queued');
    terms += found.length;
    last = id;
  }
  if (last !== null) await moveCursor(tx, name, last);
  return terms > termsAtOnce || rows.length === step.limit;
}

/** Moves emails to the state their events since the last step brought them to; tells whether there may be more. */
export async function indexStates(tx: Transaction, step: Step): Promise<boolean> {
  const position = await holdCursor(tx, 'states');
  if (position === null) return false;
  const rows = await eventsAfter(tx, position, step);
  const states = new Map<string, { account: string; email: string; type: ShownState }>();
  for (const row of rows) {
    // About something else than an email that was accepted.
    if (!isEmailFact(row.type)) continue;
    const detail: EventDetail = JSON.parse(row.detail);
    const type = shownState(row.type, detail);
    states.set(`${row.account} ${row.email_id}`, { account: row.account, email: row.email_id, type });
    if (detail.relay !== undefined) await addTerm(tx, row.account, relayTerm(detail.relay), row.email_id);
  }
  for (const { account, email, type } of states.values()) await setState(tx, account, email, type);
  const last = rows.at(-1);
  if (last) await moveCursor(tx, 'states', String(last.id));
  return rows.length === step.limit;
}

export async function addTerm(tx: Transaction, account: string, term: string, emailId: string): Promise<void> {
  await tx.run(
    'insert into search_terms (account, term, email_id) values (?, ?, ?) on conflict (account, term, email_id) do nothing',
    account,
    bytes(term),
    emailId,
  );
}

/** What an email is found by has changed; one that the chore has not come to yet is left to it. */
export async function replaceTerms(
  tx: Transaction,
  { account, id }: { account: string; id: string },
  [before, after]: [string[], string[]],
): Promise<void> {
  let wasIndexed = false;
  for (const term of before.filter((one) => !after.includes(one))) {
    const sql = 'delete from search_terms where account = ? and term = ? and email_id = ?';
    if ((await tx.run(sql, account, bytes(term), id)) === 1) wasIndexed = true;
  }
  if (!wasIndexed) return;
  for (const term of after) await addTerm(tx, account, term, id);
}

const allStates = searchStates.map((state) => bytes(stateTerm(state)));

async function setState(tx: Transaction, account: string, emailId: string, state: ShownState): Promise<void> {
  await tx.run(
    `delete from search_terms where account = ? and term in (${marks(allStates)}) and email_id = ?`,
    account,
    ...allStates,
    emailId,
  );
  await addTerm(tx, account, stateTerm(state), emailId);
}

function marks(list: readonly unknown[]): string {
  return list.map(() => '?').join(', ');
}

/** A count beyond it is said to be more. */
export const countedMax = 1_000;

/** Terms that begin so, without that beginning, each with its emails, of which at most `countedMax` + 1 are counted. */
export async function countTerms(
  database: DatabaseReader,
  account: string,
  prefix: string,
): Promise<{ name: string; emails: number }[]> {
  const terms = (await termsFrom(database, account, bytes(prefix))).slice(0, namedMax);
  if (terms.length === 0) return [];
  const each = terms.map(
    () => '(select count(*) from (select 1 from search_terms where account = ? and term = ? limit ?) t)',
  );
  const [row] = await database.report<Record<string, number | string>>(
    `select ${each.map((one, index) => `${one} as n${index}`).join(', ')}`,
    ...terms.flatMap((term): SqlValue[] => [account, term, countedMax + 1]),
  );
  return terms.map((term, index) => ({
    name: Buffer.from(term).toString().slice(prefix.length),
    emails: Number(row?.[`n${index}`] ?? 0),
  }));
}

/** A person chooses among these; who has more senders types. */
const namedMax = 20;

/** A prefix stands for at most this many terms; beyond it, nobody has typed enough to mean anything. */
const termsMax = 50;

/** Candidates one search looks at. With them it takes milliseconds, however much is stored. */
const candidatesMax = 2_000;

export type Found = {
  /** Newest first. */
  ids: string[];
  /** Where to go on: null when there is nothing older. */
  next: string | null;
  /** A beginning that stands for more than was looked for. */
  isTooWide: boolean;
};

/** Ids: older than `after`, and not older than `from`. */
export type SearchPage = { after: string | null; from?: string | undefined; limit: number };

/** Ids of emails for which all conditions hold, older than `after`. */
export async function searchEmails(
  database: DatabaseReader,
  account: string,
  conditions: Condition[],
  page: SearchPage,
): Promise<Found> {
  const resolved = [];
  for (const condition of conditions) resolved.push(await resolve(database, account, condition));
  const isTooWide = resolved.some((one) => one.isTooWide);
  if (resolved.some((one) => one.terms.length === 0)) return { ids: [], next: null, isTooWide };
  const [drives, ...filters] = resolved.map((one) => one.terms).sort((a, b) => a.length - b.length);
  const driving = await rarest(database, account, drives ?? [], filters);
  return { ...(await newest(database, account, driving, page)), isTooWide };
}

/** The terms a condition stands for: those that exist, found by skipping from one to the next. */
async function resolve(database: DatabaseReader, account: string, condition: Condition) {
  if (!condition.isPrefix) return { terms: condition.terms.map(bytes), isTooWide: false };
  const found: Uint8Array[] = [];
  for (const prefix of condition.terms) found.push(...(await termsFrom(database, account, bytes(prefix))));
  return { terms: found.slice(0, termsMax), isTooWide: found.length > termsMax };
}

async function termsFrom(database: DatabaseReader, account: string, from: Uint8Array): Promise<Uint8Array[]> {
  const until = Buffer.concat([from, Buffer.from([0xff])]);
  const next = (bound: string) =>
    `(select term from search_terms where account = ? and ${bound} and term < ? order by term limit 1)`;
  const rows = await database.report<{ term: Uint8Array }>(
    `with recursive found (term) as (
       select ${next('term >= ?')}
       union all
       select ${next('term > found.term')} from found where found.term is not null)
     select term from found where term is not null limit ?`,
    account,
    from,
    until,
    account,
    until,
    termsMax + 1,
  );
  return rows.map((row) => row.term);
}

type Driving = { terms: Uint8Array[]; filters: Uint8Array[][] };

/** The condition with the fewest emails leads: what it does not hold, nothing can. */
async function rarest(
  database: DatabaseReader,
  account: string,
  first: Uint8Array[],
  rest: Uint8Array[][],
): Promise<Driving> {
  let best = { terms: first, filters: rest, emails: Number.POSITIVE_INFINITY };
  const all = [first, ...rest];
  if (all.length === 1) return best;
  for (const [index, terms] of all.entries()) {
    const counted = terms.map(() => '(select 1 from search_terms where account = ? and term = ? limit ?)');
    const [row] = await database.report<{ emails: number }>(
      `select count(*) as emails from (${counted.map((one) => `select * from ${one} t`).join(' union all ')}) u`,
      ...terms.flatMap((term) => [account, term, candidatesMax]),
    );
    const emails = row?.emails ?? 0;
    if (emails < best.emails) best = { terms, filters: all.filter((_, other) => other !== index), emails };
  }
  return best;
}

async function newest(
  database: DatabaseReader,
  account: string,
  { terms, filters }: Driving,
  page: SearchPage,
): Promise<Omit<Found, 'isTooWide'>> {
  const wanted = filters.length === 0 ? page.limit + 1 : candidatesMax;
  const before = page.after ?? afterAllIds;
  const each = terms.map(
    () => `select * from (select email_id from search_terms where account = ? and term = ? and email_id < ? and email_id >= ?
      order by email_id desc limit ?) t`,
  );
  const candidates = await database.report<{ email_id: string }>(
    `select distinct email_id from (${each.join(' union all ')}) u order by email_id desc limit ?`,
    ...terms.flatMap((term): SqlValue[] => [account, term, before, page.from ?? '', wanted]),
    wanted,
  );
  let ids = candidates.map((row) => row.email_id);
  for (const filter of filters) ids = await keep(database, account, ids, filter);
  const shown = ids.slice(0, page.limit);
  if (ids.length > page.limit) return { ids: shown, next: shown.at(-1) ?? null };
  // Looked at as many as a search may, and there are older ones.
  const isCut = filters.length > 0 && candidates.length === wanted;
  return { ids: shown, next: isCut ? (candidates.at(-1)?.email_id ?? null) : null };
}

/** Ids asked about in one statement: engines bound the parameters of one. */
const idsAtOnce = 500;

async function keep(database: DatabaseReader, account: string, ids: string[], terms: Uint8Array[]): Promise<string[]> {
  const kept = new Set<string>();
  for (let start = 0; start < ids.length; start += idsAtOnce) {
    const some = ids.slice(start, start + idsAtOnce);
    const rows = await database.report<{ email_id: string }>(
      `select email_id from search_terms where account = ? and term in (${marks(terms)}) and email_id in (${marks(some)})`,
      account,
      ...terms,
      ...some,
    );
    for (const row of rows) kept.add(row.email_id);
  }
  return ids.filter((id) => kept.has(id));
}
