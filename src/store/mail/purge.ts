/** What emails said is forgotten: contents and files go; ids, events and live keys stay. */

import { subtractContent } from '../account-counts.ts';
import type { Transaction } from '../database.ts';
import { deleteAttachments } from './attachments.ts';

/**
 * Forgets the contents of at most `limit` emails accepted before `before` whose deliveries are all settled.
 * Ids, events and live keys stay.
 */
export async function purgeContents(tx: Transaction, before: number, now: number, limit: number): Promise<number> {
  const rows = await tx.all<{ account: string; id: string }>(
    `select account, id from emails where created_at < ? and purged_at is null
     and not exists (select 1 from deliveries where deliveries.account = emails.account
       and deliveries.email_id = emails.id and deliveries.state in ('queued', 'sending', 'handoff', 'in_doubt'))
     order by created_at limit ? ${tx.skipLocked}`,
    before,
    limit,
  );
  // An account's counts are held in one order by all who hold several.
  const byAccount = rows.toSorted((a, b) => (a.account < b.account ? -1 : 1));
  await Promise.all(byAccount.map(({ account, id }) => purgeContent(tx, account, id, now)));
  return rows.length;
}

export async function purgeContent(tx: Transaction, account: string, id: string, now: number): Promise<void> {
  await subtractContent(tx, account, id);
  await tx.run(
    'update emails set content = null, html = null, text = null, made_text = null, raw = null, purged_at = ? where account = ? and id = ?',
    now,
    account,
    id,
  );
  await deleteAttachments(tx, account, id);
}
