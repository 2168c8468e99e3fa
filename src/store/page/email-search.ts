/** Emails by what the API knows of them besides their id: when, to whom, from which template, in which batch. */

import type { EventType } from '../../core/event.ts';
import { uuidv7Floor } from '../../core/token.ts';
import type { DatabaseReader, Reader, SqlValue } from '../database.ts';
import { type EmailRow, type EmailSummary, summaryColumns, toSummary } from '../mail/emails.ts';
import { type Event, readDetail } from '../mail/events.ts';
import { emailsCursor, templateTerm } from './report-tally.ts';
import { findCursor } from './rollups.ts';
import { termsCursor } from './search-index.ts';
import { recipientTerm, tagTerms } from './search-query.ts';

/** Epoch milliseconds, `until` excluded. */
export type Span = { from: number; until: number };
export type Order = 'asc' | 'desc';

/** What the index knows emails by; addresses in lower case, a tag as it is written in one word. */
export type Named = { recipient: string } | { template: number } | { tags: readonly string[] };

const chunkRows = 500;

/**
 * Emails accepted in a span that may be the named ones, a chunk at a time, read aside from the serving thread: those the index
 * has, and all that it has not come to yet. The caller looks whether they are.
 */
export async function* searchEmails(
  database: DatabaseReader,
  account: string,
  { span, order, named }: { span: Span; order: Order; named: Named | null },
): AsyncGenerator<EmailSummary> {
  const [low, high] = [uuidv7Floor(span.from), uuidv7Floor(span.until)];
  if (named === null) return yield* between(database, account, { low, high, order, terms: null });
  const { terms, cursor } = indexOf(named, account);
  // How far the index goes; what it ends with is in it.
  const end = await findCursor(database, cursor);
  const indexed = end < high ? { low, high: end, upTo: '<=' as const, order, terms } : { low, high, order, terms };
  const rest = { low: later(end, low), high, order, terms: null };
  for (const part of order === 'asc' ? [indexed, rest] : [rest, indexed]) yield* between(database, account, part);
}

function later(one: string, other: string): string {
  return [one, other].sort()[1] ?? other;
}

type Part = {
  low: string;
  high: string;
  /** The ends are excluded; the upper one is not where this says so. */
  upTo?: '<=' | '<';
  order: Order;
  terms: Uint8Array[] | null;
};

/** Whole ids only: how a beginning compares to one is the collation's business on PostgreSQL. */
async function* between(database: DatabaseReader, account: string, part: Part): AsyncGenerator<EmailSummary> {
  let { low, high, upTo } = part;
  for (;;) {
    const rows = await database.report<EmailRow>(...statementOf(account, { ...part, low, high, upTo }));
    for (const row of rows) yield toSummary(row);
    const last = rows.at(-1);
    if (!last || rows.length < chunkRows) return;
    if (part.order === 'asc') low = last.id;
    else [high, upTo] = [last.id, '<'];
  }
}

function statementOf(account: string, part: Part): [sql: string, ...params: SqlValue[]] {
  const { low, high, upTo = '<', order, terms } = part;
  if (terms === null) {
    const sql = `select ${summaryColumns} from emails where account = ? and id > ? and id ${upTo} ? order by id ${order} limit ?`;
    return [sql, account, low, high, chunkRows];
  }
  const each = terms.map(
    () => `select * from (select email_id from search_terms
      where account = ? and term = ? and email_id > ? and email_id ${upTo} ? order by email_id ${order} limit ?) t`,
  );
  return [
    `select ${summaryColumns} from emails where account = ? and id in (${each.join(' union ')}) order by id ${order} limit ?`,
    account,
    ...terms.flatMap((term): SqlValue[] => [account, term, low, high, chunkRows]),
    chunkRows,
  ];
}

/** The terms it is found by, and how far the chore that writes them has come. */
function indexOf(named: Named, account: string): { terms: Uint8Array[]; cursor: string } {
  if ('template' in named) {
    return { terms: [Buffer.from(templateTerm(named.template))], cursor: emailsCursor(account) };
  }
  const terms = 'recipient' in named ? [recipientTerm(named.recipient)] : named.tags.flatMap(tagTerms);
  return { terms: terms.map((term) => Buffer.from(term)), cursor: termsCursor(account) };
}

export type LoggedEvent = Event & { email: EmailSummary };

type LoggedRow = EmailRow & { event_id: number; type: EventType; at: number; detail: string };

const loggedColumns = `recorded.id as event_id, recorded.type, recorded.at, recorded.detail, emails.account, emails.id,
  emails.message_id, emails.created_at, emails.scheduled_at, emails.key_hash, emails.summary,
  null as last_event, 0 as in_doubt`;

/** What the index of events has, word for word. */
const reportedSql = "type in ('delivered', 'delivery_delayed', 'bounced', 'complained', 'failed', 'suppressed')";

/** An event may be recorded this much after, or before, others of its time: processes and their clocks differ. */
const slackMs = 10 * 60_000;

/** Events of a span with the emails they are about, a chunk at a time, in the order they were recorded. Of types that reports name. */
export async function* searchEvents(
  database: DatabaseReader,
  account: string,
  { span, order, types }: { span: Span; order: Order; types: readonly EventType[] },
): AsyncGenerator<LoggedEvent> {
  const first = await findRecordedFrom(database, span.from - slackMs);
  const end = await findRecordedFrom(database, span.until + slackMs);
  const each = types.map(
    () => `select * from (select id, account, email_id, type, at, detail from events
      where account = ? and ${reportedSql} and type = ? and id > ? and id < ? and at >= ? and at < ?
      order by id ${order} limit ?) one`,
  );
  const sql = `select ${loggedColumns} from (${each.join(' union all ')}) recorded
    join emails on emails.account = recorded.account and emails.id = recorded.email_id
    order by recorded.id ${order} limit ?`;
  let [low, high] = [first - 1, end];
  for (;;) {
    const one = [low, high, span.from, span.until, chunkRows];
    const params = types.flatMap((type): SqlValue[] => [account, type, ...one]);
    const rows = await database.report<LoggedRow>(sql, ...params, chunkRows);
    for (const row of rows) yield toLogged(row);
    const last = rows.at(-1);
    if (!last || rows.length < chunkRows) return;
    if (order === 'asc') low = last.event_id;
    else high = last.event_id;
  }
}

/** Where events of this time begin: by halves, since ids grow with time. */
async function findRecordedFrom(database: DatabaseReader, at: number): Promise<number> {
  const [newest] = await database.all<{ id: number | null }>('select max(id) as id from events');
  let [low, high] = [0, (newest?.id ?? 0) + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [event] = await database.all<{ id: number; at: number }>(
      'select id, at from events where id >= ? order by id limit 1',
      middle,
    );
    if (!event || event.at >= at) high = middle;
    else low = event.id + 1;
  }
  return low;
}

/** All events of some emails but that a relay took them, in the order they were recorded. */
export async function listEventsOf(
  database: DatabaseReader,
  account: string,
  emails: readonly EmailSummary[],
): Promise<LoggedEvent[]> {
  const found: LoggedEvent[] = [];
  const byId = new Map(emails.map((email) => [email.id, email]));
  const ids = [...byId.keys()];
  for (let start = 0; start < ids.length; start += chunkRows) {
    const some = ids.slice(start, start + chunkRows);
    const rows = await database.report<{ id: number; email_id: string; type: EventType; at: number; detail: string }>(
      `select id, email_id, type, at, detail from events
       where account = ? and email_id in (${some.map(() => '?').join(', ')}) and type <> 'sent'`,
      account,
      ...some,
    );
    for (const { id, email_id, type, at, detail } of rows) {
      const email = byId.get(email_id);
      if (email) found.push({ id, type, at, detail: readDetail(detail), email });
    }
  }
  return found.sort((one, other) => one.id - other.id);
}

function toLogged(row: LoggedRow): LoggedEvent {
  const { event_id: id, type, at } = row;
  return { id, type, at, detail: readDetail(row.detail), email: toSummary(row) };
}

/** The emails scheduled under one name, in the order they were accepted. */
export async function listBatch(reader: Reader, account: string, batchId: string): Promise<EmailSummary[]> {
  const rows = await reader.all<EmailRow>(
    `select ${summaryColumns} from emails where account = ?
     and id in (select email_id from batches where account = ? and batch_id = ?) order by id`,
    account,
    account,
    batchId,
  );
  return rows.map(toSummary);
}

/** The one email whose id lies between these two and ends like this. */
export async function findEmailBetween(
  reader: Reader,
  account: string,
  { low, high, end }: { low: string; high: string; end: string },
): Promise<EmailSummary | null> {
  const rows = await reader.all<EmailRow>(
    `select ${summaryColumns} from emails where account = ? and id >= ? and id <= ?`,
    account,
    low,
    high,
  );
  const row = rows.find(({ id }) => id.endsWith(end));
  return row ? toSummary(row) : null;
}
