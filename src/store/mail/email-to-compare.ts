/** A stored email beside another one: what may be large of it is compared where it is stored, and never read. */

import type { Message } from '../../core/email.ts';
import type { DatabaseReader } from '../database.ts';
import { type AttachmentInfo, listAttachments, storedBytes } from './attachments.ts';
import { type Content, type EmailRow, toSummary } from './emails.ts';

type Body = 'html' | 'text';

export type EmailToCompare = Omit<Message, Body | 'attachments'> & {
  attachments: AttachmentInfo[];
  isBody(name: Body, written: string | null): Promise<boolean>;
  isFile(file: AttachmentInfo, content: Uint8Array): Promise<boolean>;
};

/** To compare a megabyte takes less than to ask another thread. */
const inlineBytesMax = 1024 * 1024;

/** Null: there is none, or its contents were purged. */
export async function findEmailToCompare(
  database: DatabaseReader,
  account: string,
  id: string,
): Promise<EmailToCompare | null> {
  type Row = EmailRow & { content: string | null } & Record<Body, number | null>;
  const [row] = await database.all<Row>(
    `select account, id, message_id, created_at, scheduled_at, key_hash, summary, content, length(html) as html, length(text) as text
     from emails where account = ? and id = ?`,
    account,
    id,
  );
  if (!row || row.content === null) return null;
  const { headers, files }: Content = JSON.parse(row.content);
  const attachments = files === 0 ? [] : await listAttachments(database, account, id);
  const isFound = async (sql: string, bytes: Uint8Array, ...more: string[]) => {
    const params = [account, id, ...more, bytes];
    const isLarge = bytes.length > inlineBytesMax;
    return (await (isLarge ? database.report(sql, ...params) : database.all(sql, ...params))).length > 0;
  };
  return {
    ...toSummary(row),
    headers,
    attachments,
    async isBody(name, written) {
      const bytes = written === null ? null : Buffer.from(written);
      // Most differ in length: then nothing is read.
      if (bytes === null || row[name] !== bytes.length) return bytes === null && row[name] === null;
      return isFound(`select id from emails where account = ? and id = ? and ${name} = ?`, bytes);
    },
    async isFile(file, content) {
      if (file.sizeBytes !== content.length) return false;
      const itself = 'select id from attachments where account = ? and email_id = ? and id = ?';
      return isFound(`${itself} and ${storedBytes} = ?`, content, file.id);
    },
  };
}
