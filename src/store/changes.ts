/** Changes of contacts and domains as webhooks are told of them: facts, written where one asks for them. */

import type { ContactSeen, DomainSeen } from '../core/change.ts';
import type { Contact } from '../core/contact.ts';
import { type ContactFact, contactFacts, type DomainFact, type Subject } from '../core/event.ts';
import type { Reader, Transaction } from './database.ts';
import { writeFact } from './mail/facts.ts';

/** Nobody asks for them in most accounts, and a hundred thousand contacts that are imported are no history. */
async function isAsked(reader: Reader, account: string, subjects: readonly Subject[]): Promise<boolean> {
  const marks = subjects.map(() => '?').join(', ');
  const sql = `select 1 as one from webhook_subscriptions where account = ? and subject in (${marks}) limit 1`;
  return (await reader.all(sql, account, ...subjects)).length > 0;
}

export function isContactAsked(reader: Reader, account: string): Promise<boolean> {
  return isAsked(reader, account, contactFacts);
}

/** As it is in this moment of the transaction. */
export async function seeContact(reader: Reader, contact: Contact): Promise<ContactSeen> {
  const rows = await reader.all<{ segment: string }>(
    'select segment from segment_contacts where account = ? and contact = ? order by segment',
    contact.account,
    contact.id,
  );
  const { account: _, unsubscribedAt, ...rest } = contact;
  return { ...rest, unsubscribed: unsubscribedAt !== null, segments: rows.map(({ segment }) => segment) };
}

export async function tellContact(
  tx: Transaction,
  account: string,
  type: ContactFact,
  { contact, at, lists }: { contact: ContactSeen; at: number; lists?: readonly number[] },
): Promise<void> {
  if (!(await isAsked(tx, account, [type]))) return;
  await writeFact(tx, { account, about: contact.id, type, at, detail: { contact, ...(lists && { lists }) } });
}

/** `see` is asked where a webhook wants to know. */
export async function tellDomain(
  tx: Transaction,
  account: string,
  type: DomainFact,
  at: number,
  see: () => DomainSeen,
): Promise<void> {
  if (!(await isAsked(tx, account, [type]))) return;
  const domain = see();
  await writeFact(tx, { account, about: domain.id, type, at, detail: { domain } });
}
