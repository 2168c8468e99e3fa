/** What Brevo's webhooks are told of an event, once for each recipient (docs/brevo.md, webhooks). */

import { writeTag } from '../../core/email.ts';
import { subjectsOf } from '../../core/event.ts';
import type { ContactEvent } from '../../store/mail/events.ts';
import type { EmailTold } from '../../webhook/told.ts';
import { attributesOf } from './contacts.ts';

/** Null: Brevo has no word for it, and nobody can subscribe to it. */
function eventNameOf({ event }: EmailTold): string | null {
  const [, subject] = subjectsOf(event.type, event.detail.said ?? null);
  switch (subject) {
    case 'sent':
      return 'request';
    case 'delivered':
    case 'hard_bounce':
    case 'soft_bounce':
      return subject;
    case 'suppressed':
      return 'blocked';
    case 'complained':
      return 'complaint';
    case 'delivery_delayed':
      return 'deferred';
    default:
      return null;
  }
}

/** A pure function of what is stored. `webhook` is the webhook's number, which Brevo sends as `id`. */
export function brevoPayload(told: EmailTold, webhook: number, position: number): Record<string, unknown> {
  const { event, email } = told;
  const { recipients = [], reply = '', replies } = event.detail;
  const tags = email.tags.map(writeTag);
  const seconds = Math.floor(event.at / 1_000);
  const custom = email.headers.find(([name]) => name.toLowerCase() === 'x-mailin-custom')?.[1];
  const name = eventNameOf(told);
  return {
    id: webhook,
    email: recipients[position] ?? '',
    'message-id': email.messageId,
    // The time zone of accounts is UTC here.
    date: new Date(event.at).toISOString().slice(0, 19).replace('T', ' '),
    tags,
    // The array as a text, as Brevo has it.
    tag: JSON.stringify(tags),
    event: name,
    subject: email.subject,
    sending_ip: '',
    ts_event: seconds,
    ts: seconds,
    ts_epoch: event.at,
    reason: name === 'request' ? 'sent' : (replies?.[position] ?? reply),
    ...(email.templateId === undefined ? {} : { template_id: email.templateId }),
    ...(event.detail.said?.captured && event.type === 'delivered' ? { captured: true } : {}),
    ...(email.traceparent === undefined ? {} : { traceparent: email.traceparent }),
    ...(custom === undefined ? {} : { 'X-Mailin-custom': custom }),
  };
}

const contactNames: Partial<Record<ContactEvent['type'], string>> = {
  contact_updated: 'contact_updated',
  contact_deleted: 'contact_deleted',
  contact_listed: 'list_addition',
};

/** What a marketing webhook is told of a contact: as it was then. */
export function contactPayload({ type, at, contact, lists }: ContactEvent, webhook: number): Record<string, unknown> {
  return {
    id: webhook,
    email: contact.address,
    event: contactNames[type],
    key: contact.id,
    ...(type === 'contact_listed' ? { list_id: lists } : {}),
    ...(type === 'contact_updated' ? { content: [attributesOf(contact)] } : {}),
    // The time zone of accounts is UTC here.
    date: new Date(at).toISOString().slice(0, 19).replace('T', ' '),
    ts: Math.floor(at / 1_000),
  };
}
