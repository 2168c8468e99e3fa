/** What came back and matched nothing: kept for a while, so that a person can look at it. */

import type { Reader, Transaction } from './database.ts';

/** `not_ours`: it carries no MAC of ours. `unreadable`: it is no mail, or no notice. `nobody`: it names no recipient of the mail it is about. */
export type StrayReason = 'not_ours' | 'unreadable' | 'nobody';

/** `recipient`: where it came to, as far as that is known. */
export type Stray = {
  at: number;
  cameBy: string;
  why: StrayReason;
  recipient: string | null;
  sender: string;
  subject: string;
};

type StrayRow = { id: number; at: number; came_by: string; why: StrayReason } & Pick<
  Stray,
  'recipient' | 'sender' | 'subject'
>;

/** Whoever can send to the mailbox can fill this: the newest stay, and the beginning of each. */
const straysMax = 1_000;
const bytesMax = 64 * 1024;
const keptMs = 30 * 24 * 60 * 60_000;

export async function keepStray(tx: Transaction, stray: Stray, bytes: Uint8Array): Promise<void> {
  const { at, cameBy, why, recipient, sender, subject } = stray;
  const [row] = await tx.all<{ id: number }>(
    `insert into stray_notices (at, came_by, why, recipient, sender, subject, bytes) values (?, ?, ?, ?, ?, ?, ?)
     returning id`,
    at,
    cameBy,
    why,
    recipient,
    sender,
    subject,
    Buffer.from(bytes.subarray(0, bytesMax)),
  );
  await tx.run('delete from stray_notices where id <= ? or at < ?', (row?.id ?? 0) - straysMax, at - keptMs);
}

/** The newest first. */
export async function listStrays(reader: Reader, limit: number): Promise<(Stray & { id: number })[]> {
  const rows = await reader.all<StrayRow>(
    'select id, at, came_by, why, recipient, sender, subject from stray_notices order by id desc limit ?',
    limit,
  );
  return rows.map(({ came_by: cameBy, ...row }) => ({ ...row, cameBy }));
}

/** The beginning of what came; null where it is gone. */
export async function findStrayBytes(reader: Reader, id: number): Promise<Uint8Array | null> {
  const [row] = await reader.all<{ bytes: Uint8Array }>('select bytes from stray_notices where id = ?', id);
  return row?.bytes ?? null;
}
