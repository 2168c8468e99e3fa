/** Accepted messages: written once, read back whole for composing or in short for lists. */

import type { Email, RawMail } from '../../core/email.ts';
import type { EventType } from '../../core/event.ts';
import { type Awaitable, type Reader, type SqlValue, type Transaction, together } from '../database.ts';
import { insertRows } from '../rows.ts';
import { insertAttachments, listAttachmentContents, type SharedFiles } from './attachments.ts';
import { type ShownState, shownStateSql } from './events.ts';
import { purgeContent } from './purge.ts';

/** Kept as JSON, also when the contents are gone. */
export type Summary = Pick<
  Email,
  | 'from'
  | 'to'
  | 'cc'
  | 'bcc'
  | 'replyTo'
  | 'subject'
  | 'tags'
  | 'topicId'
  | 'broadcastId'
  | 'templateId'
  | 'batchId'
  | 'scheduledText'
  | 'returnPath'
  | 'request'
  | 'traceparent'
> & {
  /** Recipients (in lower case) whose log was deleted. */
  forgotten?: string[] | undefined;
};

/** What a list shows, and what is left of an email after the purge. */
export type EmailSummary = Pick<Email, 'account' | 'id' | 'messageId' | 'createdAt' | 'scheduledAt'> &
  Summary & {
    lastEvent: EventType;
    /** There was no relay: what reads as delivered is kept here, and nobody got it. */
    captured: boolean;
    /** Some delivery of it awaits a decision. */
    inDoubt: boolean;
    keyHash: Uint8Array | null;
  };

export type StoredEmail = EmailSummary & Email & { purged: boolean };

/** `files` spares the reader a look for attachments where there are none. */
export type Content = Pick<Email, 'headers'> & { files: number; raw?: Omit<RawMail, 'bytes'> | undefined };

/** Bodies are kept as bytes: JSON around them would be escaped and parsed for nothing, and PostgreSQL's text refuses NUL. */
export type ContentRow = {
  content: string | null;
  html: Uint8Array | null;
  text: Uint8Array | null;
  made_text: Uint8Array | null;
  raw: Uint8Array | null;
};

export type EmailRow = {
  account: string;
  id: string;
  message_id: string;
  created_at: number;
  scheduled_at: number | null;
  key_hash: Uint8Array | null;
  summary: string;
  last_event: ShownState | null;
  in_doubt: number;
};

const inserted = `emails
  (account, id, facade, message_id, created_at, scheduled_at, key_hash, summary, content, html, text, made_text, raw)`;

/** Of one request: through which facade it came, its key, and the files that several of its emails carry. */
type Came = { facade: string; keyHash: Uint8Array | null; shared?: SharedFiles };

export function insertEmails(
  tx: Transaction,
  emails: readonly Email[],
  { facade, keyHash, shared = new Map() }: Came,
): Awaitable<unknown> {
  const rows = emails.map((email) => rowOf(email, facade, keyHash));
  const besides = emails.filter(({ attachments, batchId }) => attachments.length > 0 || batchId !== undefined);
  return together([insertRows(tx, inserted, rows), ...besides.map((email) => insertBesides(tx, email, shared))]);
}

function rowOf(email: Email, facade: string, keyHash: Uint8Array | null): SqlValue[] {
  const { html, text, madeText, headers, raw } = email;
  const content: Content = { headers, files: email.attachments.length, raw: raw && withoutBytes(raw) };
  return [
    email.account,
    email.id,
    facade,
    email.messageId,
    email.createdAt,
    email.scheduledAt,
    keyHash,
    summaryOf(email),
    JSON.stringify(content),
    html === null ? null : Buffer.from(html),
    text === null ? null : Buffer.from(text),
    madeText === null ? null : Buffer.from(madeText),
    raw?.bytes ?? null,
  ];
}

async function insertBesides(tx: Transaction, email: Email, shared: SharedFiles): Promise<void> {
  await insertAttachments(tx, email, shared);
  if (email.batchId === undefined) return;
  await tx.run(
    'insert into batches (account, batch_id, email_id) values (?, ?, ?)',
    email.account,
    email.batchId,
    email.id,
  );
}

function withoutBytes({ messageId, hasDate, trace, dsn }: RawMail): Content['raw'] {
  return { messageId, hasDate, trace, dsn };
}

/** What was kept of a mail that leaves as it was written; nothing for others. */
export function rawOf(content: Content, bytes: Uint8Array | null): Pick<Email, 'raw'> {
  return content.raw && bytes ? { raw: { ...content.raw, bytes } } : {};
}

/** Members that are undefined are left out: most emails have no template, no batch, and nobody who was forgotten. */
function summaryOf(email: Summary): string {
  const { from, to, cc, bcc, replyTo, subject, tags, topicId, broadcastId, templateId, batchId, scheduledText } = email;
  const { returnPath, request, traceparent, forgotten } = email;
  return JSON.stringify({
    from,
    to,
    cc,
    bcc,
    replyTo,
    subject,
    tags,
    topicId,
    broadcastId,
    templateId,
    batchId,
    scheduledText,
    returnPath,
    request,
    traceparent,
    forgotten,
  } satisfies Summary);
}

// The last event is looked up, not kept: a column would have to be rewritten at each step of every email.
export const summaryColumns = `account, id, message_id, created_at, scheduled_at, key_hash, summary,
  (select ${shownStateSql} from events where events.account = emails.account and events.email_id = emails.id
   order by events.id desc limit 1) as last_event,
  (select count(*) from deliveries where deliveries.account = emails.account and deliveries.email_id = emails.id
   and deliveries.state = 'in_doubt') as in_doubt`;

export async function findEmailSummary(reader: Reader, account: string, id: string): Promise<EmailSummary | null> {
  const [row] = await reader.all<EmailRow>(
    `select ${summaryColumns} from emails where account = ? and id = ?`,
    account,
    id,
  );
  return row ? toSummary(row) : null;
}

/** The whole email; after the purge its contents are null and empty. */
export async function findEmail(reader: Reader, account: string, id: string): Promise<StoredEmail | null> {
  const [row] = await reader.all<EmailRow & ContentRow>(
    `select ${summaryColumns}, content, html, text, made_text, raw from emails where account = ? and id = ?`,
    account,
    id,
  );
  if (!row) return null;
  return { ...toSummary(row), ...(await readContent(reader, account, id, row)), purged: row.content === null };
}

async function readContent(reader: Reader, account: string, id: string, row: ContentRow) {
  const content: Content = row.content === null ? { headers: [], files: 0 } : JSON.parse(row.content);
  const { files, headers } = content;
  return {
    ...rawOf(content, row.raw),
    html: decode(row.html),
    text: decode(row.text),
    madeText: decode(row.made_text),
    headers,
    attachments: files === 0 ? [] : await listAttachmentContents(reader, account, id),
  };
}

function decode(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

export type Page = { limit: number; after: string | null; before: string | null };

/** Newest first; the cursor itself is left out. Reads one row more than asked, to tell whether there are more. */
export async function listEmails(
  reader: Reader,
  account: string,
  page: Page,
): Promise<{ emails: EmailSummary[]; hasMore: boolean }> {
  const { where, order, cursor } = pageTerms(page);
  const rows = await reader.all<EmailRow>(
    `select ${summaryColumns} from emails where account = ? ${where} order by id ${order} limit ?`,
    account,
    ...cursor,
    page.limit + 1,
  );
  const emails = rows.slice(0, page.limit).map(toSummary);
  if (page.before !== null) emails.reverse();
  return { emails, hasMore: rows.length > page.limit };
}

function pageTerms(page: Page): { where: string; order: 'asc' | 'desc'; cursor: SqlValue[] } {
  if (page.after !== null) return { where: 'and id < ?', order: 'desc', cursor: [page.after] };
  if (page.before !== null) return { where: 'and id > ?', order: 'asc', cursor: [page.before] };
  return { where: '', order: 'desc', cursor: [] };
}

export function toSummary(row: EmailRow): EmailSummary {
  const summary: Summary = JSON.parse(row.summary);
  return Object.assign(summary, {
    account: row.account,
    id: row.id,
    messageId: row.message_id,
    createdAt: row.created_at,
    scheduledAt: row.scheduled_at,
    lastEvent: row.last_event === 'captured' ? 'delivered' : (row.last_event ?? 'queued'),
    captured: row.last_event === 'captured',
    inDoubt: row.in_doubt > 0,
    keyHash: row.key_hash,
  });
}

export async function rescheduleEmail(
  tx: Transaction,
  email: EmailSummary,
  scheduledAt: number,
  scheduledText: string,
): Promise<void> {
  await tx.run(
    'update emails set scheduled_at = ?, summary = ? where account = ? and id = ?',
    scheduledAt,
    summaryOf({ ...email, scheduledText }),
    email.account,
    email.id,
  );
}

/** To be called by who holds the email. */
export async function writeSummary(tx: Transaction, email: EmailSummary): Promise<void> {
  const { account, id } = email;
  await tx.run('update emails set summary = ? where account = ? and id = ?', summaryOf(email), account, id);
}

/** Keeps the text part of an email that an older version accepted without making one. */
export async function keepMadeText(tx: Transaction, email: Pick<Email, 'account' | 'id'>, text: string): Promise<void> {
  await tx.run(
    'update emails set made_text = ? where account = ? and id = ? and content is not null',
    Buffer.from(text),
    email.account,
    email.id,
  );
}

/** The email, written before it is read: whoever else changes its summary has committed, or waits. Null: there is none. */
export async function holdEmail(tx: Transaction, account: string, id: string): Promise<EmailSummary | null> {
  const held = await tx.run('update emails set summary = summary where account = ? and id = ?', account, id);
  return held === 1 ? findEmailSummary(tx, account, id) : null;
}

/**
 * Takes an email out of the log of these recipients (in lower case); once it is in nobody's, its contents go.
 * False: some delivery of it is not settled, and nothing was written.
 */
export async function forgetEmail(
  tx: Transaction,
  email: EmailSummary,
  { recipients, isLast, now }: { recipients: string[]; isLast: boolean; now: number },
): Promise<boolean> {
  const { account, id } = email;
  const open = await tx.all(
    `select part from deliveries where account = ? and email_id = ?
     and state in ('queued', 'sending', 'handoff', 'in_doubt') limit 1`,
    account,
    id,
  );
  if (open.length > 0) return false;
  await writeSummary(tx, { ...email, forgotten: recipients });
  if (isLast) await purgeContent(tx, account, id, now);
  return true;
}
