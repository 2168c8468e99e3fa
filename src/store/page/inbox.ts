/** Captured mail as an inbox: what has not been cleared, newest first. Clearing forgets contents; ids, keys and events stay. */

import { afterAllIds } from '../../core/token.ts';
import { findSetting, putSetting } from '../accounts.ts';
import type { Reader, Transaction } from '../database.ts';
import { purgeContent } from '../mail/purge.ts';

/** Everything up to this email has been cleared. */
function clearedName(account: string): string {
  return `inbox_cleared ${account}`;
}

export async function findCleared(reader: Reader, account: string): Promise<string> {
  return (await findSetting(reader, clearedName(account))) ?? '';
}

/** Ids older than `after` and newer than `oldest`, whose contents are there. */
export async function listInbox(
  reader: Reader,
  account: string,
  page: { after: string | null; oldest: string; limit: number },
): Promise<string[]> {
  const rows = await reader.all<{ id: string }>(
    `select id from emails where account = ? and id > ? and id < ? and purged_at is null
     order by id desc limit ?`,
    account,
    page.oldest,
    page.after ?? afterAllIds,
    page.limit,
  );
  return rows.map((row) => row.id);
}

/** Emails whose contents one transaction forgets: they may be large, and freeing their pages takes time. */
const clearAtOnce = 50;

/** Null where the account has no email. */
export async function findNewest(reader: Reader, account: string): Promise<string | null> {
  const [row] = await reader.all<{ id: string }>(
    'select id from emails where account = ? order by id desc limit 1',
    account,
  );
  return row?.id ?? null;
}

/** Notes up to where the inbox was cleared: what was open is above it, and looked at again the next time. */
export async function putCleared(
  tx: Transaction,
  account: string,
  { newest, firstOpen }: { newest: string; firstOpen: string | null },
): Promise<void> {
  await putSetting(tx, clearedName(account), firstOpen === null ? newest : before(firstOpen));
}

/** A text just below this id, and above every older one of another millisecond. */
function before(id: string): string {
  return id.slice(0, -1);
}

type Range = { after: string; until: string; now: number };

/** One step: `last` is the id it came to, null past the end; `firstOpen` the first it left alone. */
export async function clearSome(
  tx: Transaction,
  account: string,
  { after, until, now }: Range,
): Promise<{ last: string | null; firstOpen: string | null }> {
  const rows = await tx.all<{ id: string; open: number; purged_at: number | null }>(
    `select id, purged_at, (select count(*) from deliveries where deliveries.account = emails.account
       and deliveries.email_id = emails.id and deliveries.state in ('queued', 'sending', 'handoff', 'in_doubt')) as open
     from emails where account = ? and id > ? and id <= ? order by id limit ?`,
    account,
    after,
    until,
    clearAtOnce,
  );
  for (const { id, open, purged_at } of rows) {
    if (open > 0 || purged_at !== null) continue;
    await purgeContent(tx, account, id, now);
  }
  return { last: rows.at(-1)?.id ?? null, firstOpen: rows.find((row) => row.open > 0)?.id ?? null };
}
