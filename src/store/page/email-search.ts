/** Emails by what the API knows of them besides their id: when, to whom, from which template, in which batch. */

import type { EventType } from '../../core/event.ts';
import { uuidv7Floor } from '../../core/token.ts';
import type { DatabaseReader, Reader } from '../database.ts';
import { type EmailRow, type EmailSummary, summaryColumns, toSummary } from '../mail/emails.ts';
import { type Event, readDetail } from '../mail/events.ts';

/** Epoch milliseconds, `until` excluded. */
export type Span = { from: number; until: number };
export type Order = 'asc' | 'desc';

const chunkRows = 500;

/**
 * Emails accepted in a span, a chunk at a time, read aside from the serving thread. `holding` is a text that the stored
 * summary must contain, upper and lower case aside: it spares reading most of the others, and decides nothing.
 */
export async function* searchEmails(
  database: DatabaseReader,
  account: string,
  { span, order, holding }: { span: Span; order: Order; holding: string | null },
): AsyncGenerator<EmailSummary> {
  // Whole ids only: how a beginning compares to one is the collation's business on PostgreSQL.
  let [low, high] = [uuidv7Floor(span.from), uuidv7Floor(span.until)];
  for (;;) {
    const rows = await database.report<EmailRow>(
      `select ${summaryColumns} from emails where account = ? and id > ? and id < ?
       and lower(summary) like ? escape '\\' order by id ${order} limit ?`,
      account,
      low,
      high,
      holding === null ? '%' : `%${escapeLike(holding)}%`,
      chunkRows,
    );
    for (const row of rows) yield toSummary(row);
    const last = rows.at(-1);
    if (!last || rows.length < chunkRows) return;
    if (order === 'asc') low = last.id;
    else high = last.id;
  }
}

function escapeLike(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).replace(/[\\%_]/g, '\\$&');
}

export type LoggedEvent = Event & { email: EmailSummary };

/** Events of a span with the emails they are about, a chunk at a time, in the order they were recorded. */
export async function* searchEvents(
  database: DatabaseReader,
  account: string,
  { span, order, types }: { span: Span; order: Order; types: readonly EventType[] },
): AsyncGenerator<LoggedEvent> {
  const marks = types.map(() => '?').join(', ');
  let cursor = order === 'asc' ? 0 : Number.MAX_SAFE_INTEGER;
  for (;;) {
    const rows = await database.report<EmailRow & { event_id: number; type: EventType; at: number; detail: string }>(
      `select recorded.id as event_id, recorded.type, recorded.at, recorded.detail, emails.account, emails.id,
         emails.message_id, emails.created_at, emails.scheduled_at, emails.key_hash, emails.summary,
         null as last_event, 0 as in_doubt
       from events recorded join emails on emails.account = recorded.account and emails.id = recorded.email_id
       where recorded.account = ? and recorded.at >= ? and recorded.at < ? and recorded.type in (${marks})
         and recorded.id ${order === 'asc' ? '>' : '<'} ? order by recorded.id ${order} limit ?`,
      account,
      span.from,
      span.until,
      ...types,
      cursor,
      chunkRows,
    );
    for (const row of rows) {
      const { event_id: id, type, at } = row;
      yield { id, type, at, detail: readDetail(row.detail), email: toSummary(row) };
    }
    const last = rows.at(-1);
    if (!last || rows.length < chunkRows) return;
    cursor = last.event_id;
  }
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
