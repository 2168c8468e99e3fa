/** An email as composing needs it, and its size where that is more than may be read now. */

import type { Email } from '../../core/email.ts';
import type { Reader } from '../database.ts';
import { type Content, type ContentRow, type EmailRow, readContent, toSummary } from './emails.ts';

const bodyBytes = '(coalesce(length(html), 0) + coalesce(length(text), 0) + coalesce(length(made_text), 0))';

/**
 * Only what composing needs, without the look-ups a reader of the API wants. An email of more than `bytesMax` is not read: its
 * size comes back instead.
 */
export async function findEmailToCompose(
  reader: Reader,
  account: string,
  id: string,
  bytesMax: number,
): Promise<Email | number | null> {
  const [row] = await reader.all<EmailRow & ContentRow & { bytes: number }>(
    `select account, id, message_id, created_at, scheduled_at, key_hash, summary, content, ${bodyBytes} as bytes,
       case when ${bodyBytes} <= ? then html end as html, case when ${bodyBytes} <= ? then text end as text,
       case when ${bodyBytes} <= ? then made_text end as made_text
     from emails where account = ? and id = ?`,
    bytesMax,
    bytesMax,
    bytesMax,
    account,
    id,
  );
  if (!row || row.content === null) return null;
  const { files }: Content = JSON.parse(row.content);
  const bytes = row.bytes + (files === 0 ? 0 : await countFileBytes(reader, account, id));
  if (bytes > bytesMax) return bytes;
  return { ...toSummary(row), ...(await readContent(reader, account, id, row)) };
}

async function countFileBytes(reader: Reader, account: string, id: string): Promise<number> {
  const [row] = await reader.all<{ bytes: number }>(
    'select coalesce(sum(size_bytes), 0) as bytes from attachments where account = ? and email_id = ?',
    account,
    id,
  );
  return Number(row?.bytes ?? 0);
}
