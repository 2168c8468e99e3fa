/** Mail that came from a person, for them, or with their address in its header: what it said goes, and nobody is named in what stays. */

import { createEraser, eraseIn } from '../../core/erased.ts';
import type { Database, DatabaseReader } from '../database.ts';
import type { Erasing } from './emails.ts';
import { holding } from './holding.ts';

type Row = { account: string; id: string; summary: string; details: string | null };

const atOnce = 50;

export async function eraseFromReceived(
  database: DatabaseReader,
  write: Database['write'],
  { person, standIn, erase, now }: Erasing,
): Promise<void> {
  const isNamed = (text: string) => createEraser(person, '')(text) !== text;
  for (let after = ''; ; ) {
    const rows = await database.report<Row>(
      `select account, id, summary, details from received_mails
       where id > ? and (${holding('summary')} or ${holding("coalesce(details, '')")}) order by id limit ?`,
      after,
      ...holding.params(person),
      ...holding.params(person),
      atOnce,
    );
    const named = rows.filter(({ summary, details }) => isNamed(summary) || isNamed(details ?? ''));
    await write(async (tx) => {
      for (const { account, id, summary } of named) {
        // With the address goes the name beside it.
        const without = (text: string) => (isNamed(text) ? standIn : text);
        const kept = eraseIn({ ...JSON.parse(summary), subject: '' }, without);
        await tx.run(
          `update received_mails set summary = ?, details = null, raw = null, purged_at = coalesce(purged_at, ?)
           where account = ? and id = ?`,
          erase(JSON.stringify(kept)),
          now,
          account,
          id,
        );
      }
    });
    const last = rows.at(-1);
    if (!last || rows.length < atOnce) return;
    after = last.id;
  }
}
