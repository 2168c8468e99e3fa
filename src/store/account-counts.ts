/** What an account with limits has used: counted where it is used, in the same transaction, and never by reading what is stored. */

import type { Email } from '../core/email.ts';
import { uuidv7Floor } from '../core/token.ts';
import type { Reader, Transaction } from './database.ts';

const dayMs = 24 * 60 * 60_000;

export type Used = { emailsToday: number; storedBytes: number };

/** Null for an account that has no such limits. */
export async function findUsed(reader: Reader, account: string, now: number): Promise<Used | null> {
  const [row] = await reader.all<CountRow>(
    'select day, emails, stored_bytes from account_counts where account = ?',
    account,
  );
  return row ? toUsed(row, now) : null;
}

/** The same, and no other transaction of this account goes on before this one ends. */
export async function holdUsed(tx: Transaction, account: string, now: number): Promise<Used | null> {
  const [row] = await tx.all<CountRow>(
    'update account_counts set emails = emails where account = ? returning day, emails, stored_bytes',
    account,
  );
  return row ? toUsed(row, now) : null;
}

type CountRow = { day: number; emails: number; stored_bytes: number };

function toUsed(row: CountRow, now: number): Used {
  return { emailsToday: row.day === dayOf(now) ? row.emails : 0, storedBytes: Math.max(0, row.stored_bytes) };
}

/** Once they are inserted: what is counted is what is stored. */
export async function addUsed(tx: Transaction, account: string, emails: readonly Email[], now: number): Promise<void> {
  const day = dayOf(now);
  await tx.run(
    'update account_counts set emails = case when day = ? then emails else 0 end + ?, day = ? where account = ?',
    day,
    emails.length,
    day,
    account,
  );
  for (const { id } of emails) await tx.run(changeBytes('+'), account, id, account);
}

/** Before the contents of an email go; nothing where its account is not counted. */
export async function subtractContent(tx: Transaction, account: string, emailId: string): Promise<void> {
  await tx.run(changeBytes('-'), account, emailId, account);
}

/** The files of a mail that was written whole stand in it. */
const contentBytes = `coalesce(length(html), 0) + coalesce(length(text), 0) + coalesce(length(made_text), 0) + coalesce(length(raw), (
  select sum(size_bytes) from attachments where attachments.account = emails.account and attachments.email_id = emails.id), 0)`;

function changeBytes(sign: '+' | '-'): string {
  return `update account_counts set stored_bytes = stored_bytes ${sign} coalesce((
    select ${contentBytes} from emails where account = ? and id = ?), 0) where account = ?`;
}

/** What a message will add at least. */
export function leastBytes({
  html,
  text,
  attachments,
  raw,
}: Pick<Email, 'html' | 'text' | 'attachments' | 'raw'>): number {
  const bodies = Buffer.byteLength(html ?? '') + Buffer.byteLength(text ?? '') + (raw?.bytes.length ?? 0);
  return attachments.reduce((sum, { content }) => sum + content.length, bodies);
}

/** What there is already, for an account that is counted from now on: the one time it is read. */
export async function measureUsed(
  database: { report<R>(sql: string, ...params: (string | number)[]): Promise<R[]> },
  account: string,
  now: number,
): Promise<Used> {
  const [stored] = await database.report<{ bytes: number | null }>(
    `select cast(sum(${contentBytes}) as bigint) as bytes from emails where account = ? and purged_at is null`,
    account,
  );
  const [today] = await database.report<{ emails: number }>(
    'select count(*) as emails from emails where account = ? and id >= ?',
    account,
    uuidv7Floor(dayOf(now) * dayMs),
  );
  return { emailsToday: today?.emails ?? 0, storedBytes: stored?.bytes ?? 0 };
}

/** One that is counted already goes on from where it is. */
export async function startCounting(tx: Transaction, account: string, used: Used, now: number): Promise<void> {
  await tx.run(
    'insert into account_counts (account, day, emails, stored_bytes) values (?, ?, ?, ?) on conflict (account) do nothing',
    account,
    dayOf(now),
    used.emailsToday,
    used.storedBytes,
  );
}

export async function stopCounting(tx: Transaction, account: string): Promise<void> {
  await tx.run('delete from account_counts where account = ?', account);
}

function dayOf(now: number): number {
  return Math.floor(now / dayMs);
}

/** Until the next midnight in UTC. */
export function secondsLeftToday(now: number): number {
  return Math.ceil(((dayOf(now) + 1) * dayMs - now) / 1_000);
}
