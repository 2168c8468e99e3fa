/** What an operator has decided about an account: whether it waits, what it may use, and that it has ended. */

import type { Limits } from '../core/account.ts';
import type { Reader, Transaction } from './database.ts';
import { isOpen } from './mail/open-index.ts';

export type Account = Limits & {
  name: string;
  createdAt: number;
  /** Since when it waits; null: it does not. */
  disabledAt: number | null;
  deletedAt: number | null;
  /** Since when what it sends waits, for too much of it came back. */
  pausedAt: number | null;
};

type AccountRow = {
  id: string;
  created_at: number;
  disabled_at: number | null;
  deleted_at: number | null;
  paused_at: number | null;
  requests_per_second: number | null;
  emails_per_day: number | null;
  stored_bytes_max: number | null;
};

const columns =
  'id, created_at, disabled_at, deleted_at, paused_at, requests_per_second, emails_per_day, stored_bytes_max';

/** Also one that was deleted. */
export async function findAccount(reader: Reader, name: string): Promise<Account | null> {
  const [row] = await reader.all<AccountRow>(`select ${columns} from accounts where id = ?`, name);
  return row ? toAccount(row) : null;
}

/** Without those that were deleted, in the order they were made. */
export async function listAccounts(reader: Reader): Promise<Account[]> {
  const rows = await reader.all<AccountRow>(
    `select ${columns} from accounts where deleted_at is null order by created_at, id`,
  );
  return rows.map(toAccount);
}

/** The names of all there ever were. */
export async function listAllAccounts(reader: Reader): Promise<string[]> {
  return (await reader.all<{ id: string }>('select id from accounts order by id')).map(({ id }) => id);
}

function toAccount(row: AccountRow): Account {
  return {
    name: row.id,
    createdAt: row.created_at,
    disabledAt: row.disabled_at,
    deletedAt: row.deleted_at,
    pausedAt: row.paused_at,
    requestsPerSecond: row.requests_per_second,
    emailsPerDay: row.emails_per_day,
    storedBytesMax: row.stored_bytes_max,
  };
}

/** As it is, and nobody else changes it until this transaction ends; null where there is none. */
export async function holdAccount(tx: Transaction, name: string): Promise<Account | null> {
  const held = await tx.run('update accounts set created_at = created_at where id = ? and deleted_at is null', name);
  return held === 1 ? findAccount(tx, name) : null;
}

/** One that waits already keeps its time. False: there is no such account. */
export async function disableAccount(tx: Transaction, name: string, now: number): Promise<boolean> {
  const sql = 'update accounts set disabled_at = coalesce(disabled_at, ?) where id = ? and deleted_at is null';
  return (await tx.run(sql, now, name)) === 1;
}

/** From here on its mail has its days anew to be delivered in: it could not use those in which it waited. */
export async function enableAccount(tx: Transaction, name: string, now: number): Promise<boolean> {
  const sql = `update accounts set disabled_at = null, paused_at = null,
      enabled_at = case when disabled_at is null and paused_at is null then enabled_at else ? end
    where id = ? and deleted_at is null`;
  return (await tx.run(sql, now, name)) === 1;
}

export async function putLimits(tx: Transaction, name: string, limits: Limits): Promise<void> {
  await tx.run(
    'update accounts set requests_per_second = ?, emails_per_day = ?, stored_bytes_max = ? where id = ?',
    limits.requestsPerSecond,
    limits.emailsPerDay,
    limits.storedBytesMax,
    name,
  );
}

/** Whether anything of it has still to leave, or to be decided. */
export async function hasOpenDeliveries(reader: Reader, name: string): Promise<boolean> {
  for (const state of openStates) {
    const rows = await reader.all(`select 1 as one from deliveries where account = ? and ${state} limit 1`, name);
    if (rows.length > 0) return true;
  }
  return false;
}

/** As the indexes have them. */
const openStates = ["state = 'queued'", isOpen()];

/** Emails with something queued, in the order of their ids. */
export async function listQueuedAfter(reader: Reader, name: string, after: string, limit: number): Promise<string[]> {
  const rows = await reader.all<{ id: string }>(
    `select distinct email_id as id from deliveries where account = ? and state = 'queued' and email_id > ?
     order by email_id limit ?`,
    name,
    after,
    limit,
  );
  return rows.map((row) => row.id);
}

/** Its keys, domains and counts end with it. What it had queued a moment ago still leaves. */
export async function endAccount(tx: Transaction, name: string, now: number): Promise<void> {
  await tx.run('update api_keys set revoked_at = ? where account = ? and revoked_at is null', now, name);
  await tx.run('delete from account_domains where account = ?', name);
  await tx.run('delete from account_counts where account = ?', name);
  await tx.run('delete from domains where account = ?', name);
  await tx.run(
    "update broadcasts set status = 'canceled', due_at = null where account = ? and status in ('scheduled', 'queued')",
    name,
  );
  await tx.run('update accounts set deleted_at = ?, disabled_at = null, paused_at = null where id = ?', now, name);
}

/** One that has ended, and whose contents are still there; null: none. */
export async function findUnforgotten(reader: Reader): Promise<string | null> {
  const [row] = await reader.all<{ id: string }>(
    'select id from accounts where deleted_at is not null and forgotten_at is null limit 1',
  );
  return row?.id ?? null;
}

export async function noteForgotten(tx: Transaction, name: string, now: number): Promise<void> {
  await tx.run('update accounts set forgotten_at = ? where id = ?', now, name);
}
