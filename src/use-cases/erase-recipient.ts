/** One person is forgotten, in short steps beside whoever serves: run again after a crash, it goes on with what is left. */

import { randomBytes } from 'node:crypto';
import { createEraser, erasedKey, standIn } from '../core/erased.ts';
import { listAllAccounts } from '../store/account-rules.ts';
import { lockAccount } from '../store/accounts.ts';
import type { Database } from '../store/database.ts';
import { eraseFromAccount, eraseFromAnswers } from '../store/erasure/elsewhere.ts';
import { type Erasing, emailsNaming, eraseEmail } from '../store/erasure/emails.ts';
import { eraseFromOtherEvents } from '../store/erasure/events.ts';
import { eraseFromReceived } from '../store/erasure/received.ts';

export type Erased = {
  emails: number;
  contacts: number;
  suppressions: number;
  /** Left as they are, until they are settled: ids. */
  open: string[];
};

/** `person` as suppressions spell it. */
export async function eraseRecipient(database: Database, person: string, now: number): Promise<Erased> {
  const instead = standIn(randomBytes(8));
  const erasing: Erasing = { person, standIn: instead, erase: createEraser(person, instead), now };
  const erased: Erased = { emails: 0, contacts: 0, suppressions: 0, open: [] };
  for (const account of await listAllAccounts(database)) {
    const elsewhere = await database.write(async (tx) => {
      await lockAccount(tx, account);
      return eraseFromAccount(tx, account, erasing);
    });
    erased.contacts += Number(elsewhere.contact);
    erased.suppressions += Number(elsewhere.suppression);
    await eraseEmails(database, account, erasing, erased);
  }
  await eraseEvents(database, erasing);
  await eraseFromAnswers(database, (work) => database.write(work), erasing);
  await eraseFromReceived(database, (work) => database.write(work), erasing);
  return erased;
}

async function eraseEmails(database: Database, account: string, erasing: Erasing, erased: Erased): Promise<void> {
  for await (const id of emailsNaming(database, account, erasing)) {
    const left = await database.write((tx) => eraseEmail(tx, { account, id }, erasing));
    if (left === 'open') erased.open.push(id);
    else erased.emails += 1;
  }
}

/** That somebody is suppressed is told of them in the spelling that is left of them. */
async function eraseEvents(database: Database, { person }: Erasing): Promise<void> {
  const instead = (account: string, text: string) => createEraser(person, erasedKey(account, person))(text);
  for (let after: number | null = 0; after !== null; ) {
    after = await eraseFromOtherEvents(database, (work) => database.write(work), { after, instead }, person);
  }
}
