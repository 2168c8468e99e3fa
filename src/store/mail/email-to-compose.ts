/** An email as composing needs it, and its size where that is more than may be read now. */

import type { Email } from '../../core/email.ts';
import type { Reader } from '../database.ts';
import { listAttachmentContents } from './attachments.ts';
import { type Content, type ContentRow, type EmailRow, rawOf, toSummary } from './emails.ts';

/** Texts are in UTF-8, as they are stored: as strings large ones would take several times their size. */
export type EmailToCompose = Omit<Email, keyof Texts> & Texts;
type Texts = Record<'html' | 'text' | 'madeText', Uint8Array | null>;

/** Of a mail that leaves as it was written nothing else is needed. */
const bodyBytes =
  'coalesce(length(raw), coalesce(length(html), 0) + coalesce(length(text), 0) + coalesce(length(made_text), 0))';

/**
 * Only what composing needs, without the look-ups a reader of the API wants. An email of more than `bytesMax` is not read: its
 * size comes back instead.
 */
export async function findEmailToCompose(
  reader: Reader,
  account: string,
  id: string,
  bytesMax: number,
): Promise<EmailToCompose | number | null> {
  const [row] = await reader.all<EmailRow & ContentRow & { bytes: number }>(
    `select account, id, message_id, created_at, scheduled_at, key_hash, summary, content, ${bodyBytes} as bytes,
       case when raw is null and ${bodyBytes} <= ? then html end as html,
       case when raw is null and ${bodyBytes} <= ? then text end as text,
       case when raw is null and ${bodyBytes} <= ? then made_text end as made_text,
       case when ${bodyBytes} <= ? then raw end as raw
     from emails where account = ? and id = ?`,
    bytesMax,
    bytesMax,
    bytesMax,
    bytesMax,
    account,
    id,
  );
  if (!row || row.content === null) return null;
  const content: Content = JSON.parse(row.content);
  const { headers } = content;
  const files = content.raw ? 0 : content.files;
  const bytes = row.bytes + (files === 0 ? 0 : await countFileBytes(reader, account, id));
  if (bytes > bytesMax) return bytes;
  const { html, text, made_text: madeText } = row;
  const attachments = files === 0 ? [] : await listAttachmentContents(reader, account, id);
  return Object.assign(toSummary(row), rawOf(content, row.raw), { html, text, madeText, headers, attachments });
}

/** PostgreSQL compares lengths with an integer of 32 bits. */
const anyBytes = 2 ** 31 - 1;

/** However large it is. Null: its contents are gone. */
export async function readWhole(reader: Reader, account: string, id: string): Promise<EmailToCompose | null> {
  const email = await findEmailToCompose(reader, account, id, anyBytes);
  return typeof email === 'number' ? null : email;
}

async function countFileBytes(reader: Reader, account: string, id: string): Promise<number> {
  const [row] = await reader.all<{ bytes: number }>(
    'select coalesce(sum(size_bytes), 0) as bytes from attachments where account = ? and email_id = ?',
    account,
    id,
  );
  return Number(row?.bytes ?? 0);
}
