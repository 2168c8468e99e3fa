/** An email as webhooks are told of it. */

import type { Email } from '../../core/email.ts';
import type { Reader } from '../database.ts';
import type { Content, EmailRow, Summary } from './emails.ts';

export type EmailToTell = Pick<
  Email,
  'id' | 'messageId' | 'createdAt' | 'from' | 'to' | 'subject' | 'tags' | 'headers' | 'templateId' | 'traceparent'
> & { facade: string };

type StoredRow = Pick<EmailRow, 'id' | 'message_id' | 'created_at' | 'summary'> & {
  facade: string;
  content: string | null;
};

/** Without bodies and attachments; after the purge without headers. */
export async function findEmailToTell(reader: Reader, account: string, id: string): Promise<EmailToTell | null> {
  const [row] = await reader.all<StoredRow>(
    'select id, message_id, created_at, summary, facade, content from emails where account = ? and id = ?',
    account,
    id,
  );
  if (!row) return null;
  const { from, to, subject, tags, templateId, traceparent }: Summary = JSON.parse(row.summary);
  const { headers }: Pick<Content, 'headers'> = row.content === null ? { headers: [] } : JSON.parse(row.content);
  const { facade, message_id: messageId, created_at: createdAt } = row;
  return { id, messageId, createdAt, from, to, subject, tags, headers, templateId, traceparent, facade };
}
