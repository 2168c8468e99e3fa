/** Files of accepted emails: each with its email, or once for all emails of one request that carry it. */

import assert from 'node:assert';
import type { Attachment, Email } from '../../core/email.ts';
import type { Reader, Transaction } from '../database.ts';

export type AttachmentInfo = Omit<Attachment, 'content' | 'sizeBytes'> & { id: string; sizeBytes: number };

/** By their content: how each is named, and how many attachments it is. */
export type SharedFiles = ReadonlyMap<Uint8Array, { id: string; uses: number }>;

type Carrier = Pick<Email, 'account' | 'id' | 'attachments'>;

/**
 * What emails of one request have in common. The very same bytes in memory are meant: versions of a request are handed one file,
 * and nothing is compared.
 */
export function shareFiles(emails: readonly Carrier[]): SharedFiles {
  if (emails.length < 2) return new Map();
  const files = new Map<Uint8Array, { id: string; uses: number }>();
  for (const { id, attachments } of emails) {
    for (const [position, { content }] of attachments.entries()) {
      const known = files.get(content);
      if (known) known.uses += 1;
      else files.set(content, { id: attachmentId(id, position), uses: 1 });
    }
  }
  return new Map([...files].filter(([, { uses }]) => uses > 1));
}

export async function insertSharedFiles(tx: Transaction, account: string, files: SharedFiles): Promise<void> {
  for (const [content, { id, uses }] of files) {
    await tx.run(
      'insert into shared_files (account, id, uses, content) values (?, ?, ?, ?)',
      account,
      id,
      uses,
      content,
    );
  }
}

export async function insertAttachments(tx: Transaction, email: Carrier, shared: SharedFiles): Promise<void> {
  for (const [position, attachment] of email.attachments.entries()) {
    await insertAttachment(tx, email, { position, attachment, sharedFile: shared.get(attachment.content)?.id ?? null });
  }
}

type Inserted = { position: number; attachment: Attachment; sharedFile: string | null };

/** The column `content` takes no null. */
const nothing = new Uint8Array();

async function insertAttachment(tx: Transaction, email: Carrier, { position, attachment, sharedFile }: Inserted) {
  await tx.run(
    `insert into attachments
       (account, email_id, position, id, filename, content_type, content_id, path, size_bytes, content, shared_file)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    email.account,
    email.id,
    position,
    attachmentId(email.id, position),
    attachment.filename,
    attachment.contentType,
    attachment.contentId,
    attachment.path,
    attachment.sizeBytes ?? attachment.content.length,
    sharedFile === null ? attachment.content : nothing,
    sharedFile,
  );
}

/** The email's id with its variant bits replaced by the position: a UUID that needs no randomness of its own. */
export function attachmentId(emailId: string, position: number): string {
  return `${emailId.slice(0, 14)}8${emailId.slice(15, 19)}${position.toString(16).padStart(4, '0')}${emailId.slice(23)}`;
}

type AttachmentRow = {
  id: string;
  filename: string;
  content_type: string;
  content_id: string | null;
  path: string | null;
  size_bytes: number;
};

/** Null: it names a shared file, and there is none. */
type ContentRow = AttachmentRow & { bytes: Uint8Array | null };

const attachmentColumns = 'id, filename, content_type, content_id, path, size_bytes';

/** In SQL: the bytes of an attachment, wherever they are kept. */
export const storedBytes = `case when shared_file is null then content else (
  select shared_files.content from shared_files
  where shared_files.account = attachments.account and shared_files.id = attachments.shared_file) end`;

const contentColumns = `${attachmentColumns}, ${storedBytes} as bytes`;

export async function listAttachments(reader: Reader, account: string, emailId: string): Promise<AttachmentInfo[]> {
  const rows = await reader.all<AttachmentRow>(
    `select ${attachmentColumns} from attachments where account = ? and email_id = ? order by position`,
    account,
    emailId,
  );
  return rows.map(toAttachmentInfo);
}

export async function listAttachmentContents(reader: Reader, account: string, emailId: string): Promise<Attachment[]> {
  const rows = await reader.all<ContentRow>(
    `select ${contentColumns} from attachments where account = ? and email_id = ? order by position`,
    account,
    emailId,
  );
  return rows.map(toAttachment);
}

/** `inMail`: the mail that was written whole, and which of its files this is; null where the content is kept by itself. */
export type FoundAttachment = AttachmentInfo & Attachment & { inMail: { mail: Uint8Array; position: number } | null };

export async function findAttachmentContent(
  reader: Reader,
  account: string,
  emailId: string,
  id: string,
): Promise<FoundAttachment | null> {
  const [row] = await reader.all<ContentRow & { position: number; raw: Uint8Array | null }>(
    `select ${contentColumns}, position, (
       select raw from emails where emails.account = attachments.account and emails.id = attachments.email_id) as raw
     from attachments where account = ? and email_id = ? and id = ?`,
    account,
    emailId,
    id,
  );
  if (!row) return null;
  const { raw: mail, position } = row;
  return { ...toAttachment(row), inMail: mail && { mail, position } };
}

function toAttachment(row: ContentRow): AttachmentInfo & Attachment {
  assert(row.bytes, 'a shared file stays as long as an email carries it');
  return { ...toAttachmentInfo(row), content: row.bytes };
}

function toAttachmentInfo(row: AttachmentRow): AttachmentInfo {
  return {
    id: row.id,
    filename: row.filename,
    contentType: row.content_type,
    contentId: row.content_id,
    path: row.path,
    sizeBytes: row.size_bytes,
  };
}

/** A shared file goes with the last email that carries it. */
export async function deleteAttachments(tx: Transaction, account: string, emailId: string): Promise<void> {
  const rows = await tx.all<{ shared_file: string | null }>(
    'delete from attachments where account = ? and email_id = ? returning shared_file',
    account,
    emailId,
  );
  // In one order, as all do who let several go.
  const files = rows.flatMap((row) => row.shared_file ?? []).sort();
  for (const id of files) await letGo(tx, account, id);
}

/** Counted, not looked for: of two transactions that purge the last two emails at once, neither sees what the other deleted. */
async function letGo(tx: Transaction, account: string, id: string): Promise<void> {
  const [left] = await tx.all<{ uses: number }>(
    'update shared_files set uses = uses - 1 where account = ? and id = ? returning uses',
    account,
    id,
  );
  if (left?.uses === 0) await tx.run('delete from shared_files where account = ? and id = ?', account, id);
}
