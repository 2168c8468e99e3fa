/** `sendonce recipient export`: what is kept of one person, for the day they ask. */

import { envelopeAddress } from '../../core/address.ts';
import type { Attachment } from '../../core/email.ts';
import { suppressionKey } from '../../core/suppression.ts';
import { listAccounts } from '../../store/account-rules.ts';
import { findContact } from '../../store/contacts/contacts.ts';
import { listSegmentsOf } from '../../store/contacts/segments.ts';
import { listChoices } from '../../store/contacts/topics.ts';
import type { DatabaseReader } from '../../store/database.ts';
import { type EmailSummary, findEmail, type StoredEmail } from '../../store/mail/emails.ts';
import { type Event, listEvents } from '../../store/mail/events.ts';
import { listDeliveries } from '../../store/mail/history.ts';
import { searchEmails } from '../../store/page/email-search.ts';
import { findSuppression } from '../../store/suppressions.ts';

/** The last moment that an id can have (RFC 9562 5.7): a clock that was wrong hides nothing. */
const endOfTime = 2 ** 48 - 1;

/**
 * Prints a line of JSON for each thing: whatever there is of it, no more than one mail is in memory. `person` is spelled as in
 * suppressions.
 */
export async function exportRecipient(database: DatabaseReader, person: string): Promise<void> {
  for (const { name } of await listAccounts(database)) {
    await exportContact(database, name, person);
    const suppression = await findSuppression(database, name, { address: person });
    if (suppression) print('suppression', suppression);
    await exportEmails(database, name, person);
  }
}

async function exportContact(database: DatabaseReader, account: string, person: string): Promise<void> {
  const contact = await findContact(database, account, { address: person });
  if (!contact) return;
  const { segments } = await listSegmentsOf(database, account, contact.id, { limit: null, after: null, before: null });
  const topics = await listChoices(database, account, contact.id);
  print('contact', {
    ...contact,
    segments: segments.map(({ name }) => name),
    topics: topics.map(({ name, subscription }) => ({ name, subscription })),
  });
}

async function exportEmails(database: DatabaseReader, account: string, person: string): Promise<void> {
  const everything = { span: { from: 0, until: endOfTime }, order: 'asc' as const };
  for await (const summary of searchEmails(database, account, { ...everything, named: { recipient: person } })) {
    if (!isTo(summary, person)) continue;
    const email = await findEmail(database, account, summary.id);
    if (!email) continue;
    const deliveries = await listDeliveries(database, account, email.id);
    const events = (await listEvents(database, account, email.id)).flatMap((event) => eventOf(event, person));
    print('email', {
      ...shownOf(email, person),
      states: deliveries.filter(({ recipients }) => recipients.some(isPerson(person))).map(({ state }) => state),
      events,
    });
  }
}

function isTo({ to, cc, bcc }: Pick<EmailSummary, 'to' | 'cc' | 'bcc'>, person: string): boolean {
  return [...to, ...cc, ...bcc].some(isPerson(person));
}

function isPerson(person: string): (mailbox: string) => boolean {
  return (mailbox) => suppressionKey(envelopeAddress(mailbox)) === person;
}

/** As the person could read it: who else got a blind copy is nobody's but theirs. */
function shownOf(email: StoredEmail, person: string) {
  const { account, id, messageId, createdAt, scheduledAt, from, to, cc, bcc, replyTo, subject, tags, headers } = email;
  const { html, text, madeText, topicId, broadcastId, purged, raw } = email;
  return {
    ...{ account, id, messageId, createdAt, scheduledAt, from, to, cc, bcc: bcc.filter(isPerson(person)) },
    ...{ replyTo, subject, tags, topicId, broadcastId, purged, headers, html, text: text ?? madeText },
    raw: raw && base64(raw.bytes),
    attachments: email.attachments.map(attachmentOf),
  };
}

function attachmentOf({ filename, contentType, content }: Attachment) {
  return { filename, contentType, content: base64(content) };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** Those that are about this person, or about all; with nobody else's address, and nobody else's answer. */
function eventOf({ type, at, detail }: Event, person: string) {
  const { recipients, reply, replies } = detail;
  if (recipients === undefined) return [{ type, at, reply }];
  const own = recipients.findIndex(isPerson(person));
  if (own === -1) return [];
  const isEach = replies?.length === recipients.length;
  return [{ type, at, recipient: recipients[own], reply: isEach ? replies[own] : reply }];
}

/** Times are epoch milliseconds, bytes Base64. */
function print(what: 'contact' | 'suppression' | 'email', is: object): void {
  console.log(JSON.stringify({ what, ...is }));
}
