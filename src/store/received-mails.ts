/** Mail that came for the domains of an account: kept as it came, and told once. */

import { bufferOf } from '../core/pieces.ts';
import type { ReceivedFile, ReceivedHead } from '../core/received-mail.ts';
import type { Reader, SqlValue, Transaction } from './database.ts';
import { attachmentId } from './mail/attachments.ts';
import type { Page } from './mail/emails.ts';
import { writeFact } from './mail/facts.ts';

/** Without `headers` and files once its contents are purged. */
export type ReceivedMail = Omit<ReceivedHead, 'headers'> & {
  id: string;
  /** Epoch milliseconds. */
  createdAt: number;
  /** The recipients of the envelope it came in. */
  receivedFor: string[];
  headers: Readonly<Record<string, string>> | null;
  files: (ReceivedFile & { id: string })[];
  isPurged: boolean;
};

export type NewReceivedMail = {
  account: string;
  id: string;
  createdAt: number;
  hash: Uint8Array;
  head: ReceivedHead;
  receivedFor: readonly string[];
  files: readonly ReceivedFile[];
  raw: Uint8Array;
};

type Summary = Omit<ReceivedHead, 'headers'> & { receivedFor: string[] };
type Details = { headers: Record<string, string>; files: ReceivedFile[] };
type Row = { id: string; created_at: number; summary: string; details: string | null; purged_at: number | null };

const columns = 'id, created_at, summary, details, purged_at';

/** @returns the id it has: that of the first copy, where this one came before. */
export async function insertReceivedMail(tx: Transaction, mail: NewReceivedMail): Promise<string> {
  const { account, id, createdAt, hash, head, receivedFor, files, raw } = mail;
  const { headers, ...named } = head;
  const inserted = await tx.run(
    `insert into received_mails (account, id, created_at, hash, summary, details, raw) values (?, ?, ?, ?, ?, ?, ?)
     on conflict (account, hash) do nothing`,
    account,
    id,
    createdAt,
    hash,
    JSON.stringify({ ...named, receivedFor }),
    JSON.stringify({ headers, files }),
    raw,
  );
  if (inserted === 0) return findByHash(tx, account, hash);
  await writeFact(tx, { account, about: id, type: 'received', at: createdAt, detail: {} });
  return id;
}

async function findByHash(reader: Reader, account: string, hash: Uint8Array): Promise<string> {
  const [row] = await reader.all<{ id: string }>(
    'select id from received_mails where account = ? and hash = ?',
    account,
    hash,
  );
  return row?.id ?? '';
}

export async function findReceivedMail(reader: Reader, account: string, id: string): Promise<ReceivedMail | null> {
  const [row] = await reader.all<Row>(
    `select ${columns} from received_mails where account = ? and id = ?`,
    account,
    id,
  );
  return row ? toReceivedMail(row) : null;
}

/** As it came, behind its trace; null where it is gone. */
export async function findReceivedBytes(reader: Reader, account: string, id: string): Promise<Uint8Array | null> {
  const [row] = await reader.all<{ raw: Uint8Array | null }>(
    'select raw from received_mails where account = ? and id = ?',
    account,
    id,
  );
  return row?.raw ? bufferOf(row.raw) : null;
}

/** The newest first. */
export async function listReceivedMails(
  reader: Reader,
  account: string,
  { after, before, limit }: Page,
): Promise<{ mails: ReceivedMail[]; hasMore: boolean }> {
  const cursor = after ?? before;
  const order = before === null ? 'desc' : 'asc';
  const where = cursor === null ? '' : `and id ${before === null ? '<' : '>'} ?`;
  const params: SqlValue[] = cursor === null ? [account] : [account, cursor];
  const rows = await reader.all<Row>(
    `select ${columns} from received_mails where account = ? ${where} order by id ${order} limit ?`,
    ...params,
    limit + 1,
  );
  const mails = rows.slice(0, limit).map(toReceivedMail);
  return { mails: before === null ? mails : mails.reverse(), hasMore: rows.length > limit };
}

/** Forgets the contents of at most `limit` mails that came before `before`. @returns how many. */
export async function purgeReceivedMails(
  tx: Transaction,
  { before, now, limit }: { before: number; now: number; limit: number },
): Promise<number> {
  const rows = await tx.all<{ account: string; id: string }>(
    `select account, id from received_mails where created_at < ? and purged_at is null order by created_at limit ? ${tx.skipLocked}`,
    before,
    limit,
  );
  for (const { account, id } of rows) {
    await tx.run(`update received_mails set ${forgotten} where account = ? and id = ?`, now, account, id);
  }
  return rows.length;
}

/** The same for all mails of an account. */
export function forgetReceivedMails(tx: Transaction, account: string, now: number) {
  return tx.run(`update received_mails set ${forgotten} where account = ? and purged_at is null`, now, account);
}

const forgotten = 'details = null, raw = null, purged_at = ?';

function toReceivedMail({ id, created_at, summary, details, purged_at }: Row): ReceivedMail {
  const { headers, files }: Details | { headers: null; files: [] } =
    details === null ? { headers: null, files: [] } : JSON.parse(details);
  return {
    ...(JSON.parse(summary) as Summary),
    id,
    createdAt: created_at,
    headers,
    files: files.map((file, position) => ({ ...file, id: attachmentId(id, position) })),
    isPurged: purged_at !== null,
  };
}
