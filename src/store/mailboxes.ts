/** Mailboxes that bounces come to: one process at a time reads each, and writes down how far it has come. */

import type { Reader, Transaction } from './database.ts';

export type Hold = { id: string; holder: string; now: number; until: number };

/** Takes it up, or goes on holding it. False: another process holds it. */
export async function holdMailbox(tx: Transaction, { id, holder, now, until }: Hold): Promise<boolean> {
  const rows = await tx.all(
    `insert into mailboxes (id, holder, held_until, uid_validity, last_uid) values (?, ?, ?, '', 0)
     on conflict (id) do update set holder = excluded.holder, held_until = excluded.held_until
     where mailboxes.holder = excluded.holder or mailboxes.held_until <= ?
     returning id`,
    id,
    holder,
    until,
    now,
  );
  return rows.length > 0;
}

export async function leaveMailbox(tx: Transaction, { id, holder }: Pick<Hold, 'id' | 'holder'>): Promise<void> {
  await tx.run('update mailboxes set held_until = 0 where id = ? and holder = ?', id, holder);
}

/** It cannot be read, by whomever: from the first time of several in a row on. */
export async function noteFailing(tx: Transaction, id: string, now: number): Promise<void> {
  await tx.run(
    'update mailboxes set failing_since = coalesce(failing_since, ?), failed_at = ? where id = ?',
    now,
    now,
    id,
  );
}

export async function noteReadable(tx: Transaction, id: string): Promise<void> {
  await tx.run('update mailboxes set failing_since = null where id = ? and failing_since is not null', id);
}

/** Since when one cannot be read that was tried not long ago; null: each can. */
export async function findFailing(reader: Reader, triedAfter: number): Promise<number | null> {
  const sql = 'select min(failing_since) as since from mailboxes where failing_since is not null and failed_at >= ?';
  const [row] = await reader.all<{ since: number | null }>(sql, triedAfter);
  return row?.since ?? null;
}

/** The last that was taken; 0 where none was under this validity. */
export async function findLastUid(reader: Reader, id: string, uidValidity: string): Promise<number> {
  const [row] = await reader.all<{ last_uid: number }>(
    'select last_uid from mailboxes where id = ? and uid_validity = ?',
    id,
    uidValidity,
  );
  return row?.last_uid ?? 0;
}

/** False: it is another process's by now, which has come as far as it has. */
export async function recordUid(
  tx: Transaction,
  { id, holder, uidValidity, uid }: { id: string; holder: string; uidValidity: string; uid: number },
): Promise<boolean> {
  const sql = 'update mailboxes set uid_validity = ?, last_uid = ? where id = ? and holder = ?';
  return (await tx.run(sql, uidValidity, uid, id, holder)) === 1;
}
