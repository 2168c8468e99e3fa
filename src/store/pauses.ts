/** Accounts whose mail comes back too often: found by what is counted already, and paused until an operator lets them go on. */

import type { DatabaseReader, Reader, Transaction } from './database.ts';
import { hourMs } from './page/rollups.ts';

/** What came back in this hour, and how many recipients were handed to relays in this one and the one before. */
export type CameBack = { account: string; handed: number; bounced: number; complained: number };

/**
 * Of the accounts that are not paused. Nothing from the hours in which an operator let one go on is held against it again. Each
 * account is one look into an index.
 */
export async function listCameBack(database: DatabaseReader, now: number): Promise<CameBack[]> {
  const hour = Math.floor(now / hourMs);
  const rows = await database.report<CameBack>(
    `select accounts.id as account, coalesce(sum(sent + bounced), 0) as handed,
       coalesce(sum(case when hour = ? then bounced else 0 end), 0) as bounced,
       (select count(*) from notices where at >= ? and notices.account = accounts.id and kind = 'complained') as complained
     from accounts left join rollups on rollups.account = accounts.id and hour in (?, ?)
     where paused_at is null and disabled_at is null and deleted_at is null and coalesce(enabled_at, 0) < ?
     group by accounts.id`,
    hour,
    hour * hourMs,
    hour,
    hour - 1,
    hour * hourMs,
  );
  // PostgreSQL adds bigints up to a numeric, which may come as text.
  return rows.map(({ account, ...counts }) => ({
    account,
    handed: Number(counts.handed),
    bounced: Number(counts.bounced),
    complained: Number(counts.complained),
  }));
}

/** The same of one account, in the hour of a moment: why it was paused then. */
export async function findCameBack(reader: Reader, account: string, at: number): Promise<Omit<CameBack, 'account'>> {
  const hour = Math.floor(at / hourMs);
  const [row] = await reader.all<{ [name in keyof Omit<CameBack, 'account'>]: number | string }>(
    `select coalesce(sum(sent + bounced), 0) as handed,
       coalesce(sum(case when hour = ? then bounced else 0 end), 0) as bounced,
       (select count(*) from notices where at >= ? and at < ? and account = ? and kind = 'complained') as complained
     from rollups where account = ? and hour in (?, ?)`,
    hour,
    hour * hourMs,
    (hour + 1) * hourMs,
    account,
    account,
    hour,
    hour - 1,
  );
  const { handed = 0, bounced = 0, complained = 0 } = row ?? {};
  return { handed: Number(handed), bounced: Number(bounced), complained: Number(complained) };
}

/** False: it is paused already. */
export async function pauseAccount(tx: Transaction, name: string, now: number): Promise<boolean> {
  return (await tx.run('update accounts set paused_at = ? where id = ? and paused_at is null', now, name)) === 1;
}

export async function countPaused(reader: Reader): Promise<number> {
  const [row] = await reader.all<{ paused: number }>(
    'select count(*) as paused from accounts where paused_at is not null and deleted_at is null',
  );
  return Number(row?.paused ?? 0);
}
