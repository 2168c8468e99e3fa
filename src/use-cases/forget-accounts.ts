/** Whom deleted accounts wrote to, and what their mail said, is forgotten, a step at a time; ids, events and live keys stay. */

import type { Clock } from '../core/clock.ts';
import { afterAllIds } from '../core/token.ts';
import { findUnforgotten, noteForgotten } from '../store/account-rules.ts';
import type { Database } from '../store/database.ts';
import { forgetPeople } from '../store/erasure/people.ts';
import { clearSome, findCleared, putCleared } from '../store/page/inbox.ts';
import { forgetReceivedMails } from '../store/received-mails.ts';

/** False: there is nothing left to forget. */
export async function forgetSome(database: Database, clock: Pick<Clock, 'now'>): Promise<boolean> {
  const account = await findUnforgotten(database);
  if (account === null) return false;
  const now = clock.now();
  await database.write(async (tx) => {
    if (await forgetPeople(tx, account)) return;
    const after = await findCleared(tx, account);
    const { last } = await clearSome(tx, account, { after, until: afterAllIds, now });
    if (last === null) {
      await forgetReceivedMails(tx, account, now);
      await noteForgotten(tx, account, now);
    } else await putCleared(tx, account, { newest: last, firstOpen: null });
  });
  return true;
}
