/** What Resend's webhooks are told of an event (docs/resend.md, webhooks). */

import { describeBounce } from '../../core/bounce.ts';
import type { ContactSeen, DomainSeen } from '../../core/change.ts';
import { type FactType, isEmailFact } from '../../core/event.ts';
import type { Said } from '../../core/reply.ts';
import type { WithheldReason } from '../../core/suppression.ts';
import type { Event } from '../../store/mail/events.ts';
import type { Suppression } from '../../store/suppressions.ts';
import type { EmailTold, Told } from '../../webhook/told.ts';
import { shownRecords } from './domain-records.ts';
import { renderReceivedEvent } from './render-received.ts';

/** The types that have a webhook; `queued` and `canceled` have none in the contract. */
export const resendEventTypes = {
  'email.sent': 'sent',
  'email.scheduled': 'scheduled',
  'email.delivered': 'delivered',
  'email.delivery_delayed': 'delivery_delayed',
  'email.bounced': 'bounced',
  'email.complained': 'complained',
  'email.failed': 'failed',
  'email.suppressed': 'suppressed',
  'email.received': 'received',
  'suppression.added': 'suppression_added',
  'suppression.removed': 'suppression_removed',
  'contact.created': 'contact_created',
  'contact.updated': 'contact_updated',
  'contact.deleted': 'contact_deleted',
  'domain.created': 'domain_created',
  'domain.updated': 'domain_updated',
  'domain.deleted': 'domain_deleted',
} as const satisfies Record<string, FactType>;

/** What the wire calls it, whether or not the contract has a webhook for it. */
export function resendNameOf(type: FactType): string {
  return isEmailFact(type) || type === 'received' ? `email.${type}` : type.replace('_', '.');
}

/** A pure function of what is stored, so that each attempt says the same. */
export function resendPayload(told: Told): Record<string, unknown> {
  const { type, at } = told.event;
  const data = dataOf(told);
  return { type: resendNameOf(type), created_at: new Date(at).toISOString(), data };
}

function dataOf(told: Told): Record<string, unknown> {
  if (told.email !== null) return emailData(told);
  if ('received' in told) return renderReceivedEvent(told.received);
  if ('contact' in told.event) return contactData(told.event.contact);
  return 'domain' in told.event ? domainData(told.event.domain) : suppressionData(told.event.suppression);
}

function contactData(contact: ContactSeen): Record<string, unknown> {
  return {
    id: contact.id,
    // The SDK has both: audiences are what segments were called once, and a contact had one.
    audience_id: contact.segments[0] ?? '',
    segment_ids: contact.segments,
    created_at: new Date(contact.createdAt).toISOString(),
    updated_at: new Date(contact.updatedAt).toISOString(),
    email: contact.address,
    first_name: contact.firstName,
    last_name: contact.lastName,
    unsubscribed: contact.unsubscribed,
  };
}

function domainData({ id, name, status, createdAt, region, records }: DomainSeen): Record<string, unknown> {
  return {
    id,
    name,
    status,
    created_at: new Date(createdAt).toISOString(),
    region,
    records: shownRecords(records),
  };
}

function suppressionData({ id, address, origin, sourceId, createdAt }: Suppression): Record<string, unknown> {
  return { id, email: address, origin, source_id: sourceId, created_at: new Date(createdAt).toISOString() };
}

function emailData({ event, email }: EmailTold): Record<string, unknown> {
  return {
    created_at: new Date(email.createdAt).toISOString(),
    email_id: email.id,
    message_id: email.messageId,
    from: email.from,
    to: event.detail.recipients ?? email.to,
    subject: email.subject,
    ...(email.tags.length > 0 ? { tags: Object.fromEntries(email.tags.map(({ name, value }) => [name, value])) } : {}),
    ...(email.headers.length > 0 ? { headers: email.headers.map(([name, value]) => ({ name, value })) } : {}),
    ...(email.traceparent === undefined ? {} : { traceparent: email.traceparent }),
    ...about(event),
  };
}

function about(event: Event): Record<string, unknown> {
  const { reply = '', replies = [reply], said = null, each = [said], origin, in_doubt, scheduled_at } = event.detail;
  switch (event.type) {
    case 'bounced':
      return { bounce: { ...describeBounce(said), message: reply, diagnosticCode: diagnose(replies, each) } };
    case 'delivered':
      return said?.captured ? { captured: true } : {};
    case 'failed':
      return { failed: { reason: reply } };
    case 'suppressed':
      return {
        suppressed: {
          message: reply,
          type: 'OnAccountSuppressionList',
          reason: suppressedReasons[origin ?? 'bounce'],
          diagnosticCode: [],
        },
      };
    case 'scheduled':
      return scheduled_at === undefined ? {} : { scheduled_at: new Date(scheduled_at).toISOString() };
    case 'delivery_delayed':
      return { ...(in_doubt ? { in_doubt: true } : {}), message: reply };
    default:
      return {};
  }
}

/** The contract has no word for an address somebody put on the list, nor for who has unsubscribed. */
const suppressedReasons: Record<WithheldReason, string> = {
  manual: 'manual',
  complaint: 'previous_complaint',
  bounce: 'previous_bounce',
  unsubscribed: 'unsubscribed',
};

/** RFC 3464 2.3.6: `smtp;` and what the relay said, where it was the relay. */
function diagnose(replies: string[], each: (Said | null)[]): string[] {
  const isRelays = (_: string, index: number) => each[index]?.code != null && !each[index].simulated;
  return replies.filter(isRelays).map((reply) => `smtp; ${reply}`);
}
