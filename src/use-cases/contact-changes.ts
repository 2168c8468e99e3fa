/** What webhooks are told of contacts: what a change came to, found by a look before it and one after it. */

import { isChanged } from '../core/change.ts';
import type { Contact } from '../core/contact.ts';
import { isContactAsked, seeContact, tellContact } from '../store/changes.ts';
import { listSegmentNumbers } from '../store/contacts/segments.ts';
import type { Transaction } from '../store/database.ts';

/** `before`: null where the work makes it. Told once, in the transaction of the change; what changes nothing is not told. */
export async function tellOfChange(
  tx: Transaction,
  before: Contact | null,
  at: number,
  work: () => Promise<Contact>,
): Promise<Contact> {
  const was = before && (await isContactAsked(tx, before.account)) ? await seeContact(tx, before) : null;
  const changed = await work();
  const { account } = changed;
  if ((before !== null && was === null) || !(await isContactAsked(tx, account))) return changed;
  const contact = await seeContact(tx, changed);
  if (was === null) await tellContact(tx, account, 'contact_created', { contact, at });
  else if (isChanged(was, contact)) await tellContact(tx, account, 'contact_updated', { contact, at });
  const cameTo = contact.segments.filter((one) => !was?.segments.includes(one));
  if (cameTo.length > 0) {
    const lists = await listSegmentNumbers(tx, account, cameTo);
    await tellContact(tx, account, 'contact_listed', { contact, at, lists });
  }
  return changed;
}

export async function tellOfRemoval(tx: Transaction, contact: Contact, at: number): Promise<void> {
  if (!(await isContactAsked(tx, contact.account))) return;
  await tellContact(tx, contact.account, 'contact_deleted', { contact: await seeContact(tx, contact), at });
}
