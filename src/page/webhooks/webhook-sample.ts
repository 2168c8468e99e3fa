/** What a test event tells: as the real one, of an email that never was. */

import type { ContactSeen } from '../../core/change.ts';
import { type FactType, isContactFact, isDomainFact } from '../../core/event.ts';
import { resendEventTypes } from '../../http/resend/webhook-payload.ts';
import type { ReceivedMail } from '../../store/received-mails.ts';
import type { WebhookDelivery } from '../../store/webhooks/deliveries.ts';
import type { Webhook } from '../../store/webhooks/webhooks.ts';
import type { Told } from '../../webhook/told.ts';

/** Nobody owns it, whatever a receiver does with it (RFC 2606). */
const recipient = 'test@example.com';

export function isTestable(name: string): name is keyof typeof resendEventTypes {
  return Object.hasOwn(resendEventTypes, name);
}

/** `name` as the form sent it; where it is none of the webhook's, its first. */
export function sampleTypeOf(webhook: Pick<Webhook, 'events'>, name: string | null): FactType {
  const offered = webhook.events.filter(isTestable);
  const wanted = offered.find((one) => one === name) ?? offered[0];
  return wanted === undefined ? 'delivered' : resendEventTypes[wanted];
}

export type Sample = { delivery: WebhookDelivery; told: Told };

export function createSample(webhook: Webhook, type: FactType, { id, now }: { id: string; now: number }): Sample {
  const { number, account, facade } = webhook;
  const delivery = { webhook: number, emailId: id, event: 0, position: 0, id, attempt: 0, tries: 0 };
  if (type === 'suppression_added' || type === 'suppression_removed') {
    const about = { account, id, address: recipient, origin: 'manual' as const, sourceId: null, reply: null };
    return {
      delivery,
      told: { event: { id: 0, type, at: now, suppression: { ...about, createdAt: now } }, email: null },
    };
  }
  if (type === 'received')
    return { delivery, told: { event: { id: 0, type, at: now }, email: null, received: mailOf(id, now) } };
  if (isContactFact(type)) {
    return {
      delivery,
      told: { event: { id: 0, type, at: now, contact: contactOf(id, now), lists: [1] }, email: null },
    };
  }
  if (isDomainFact(type)) {
    const domain = {
      id,
      name: 'example.com',
      status: 'pending' as const,
      region: 'us-east-1',
      createdAt: now,
      records: [],
    };
    return { delivery, told: { event: { id: 0, type, at: now, domain }, email: null } };
  }
  const email = {
    id,
    messageId: `<${id}@example.com>`,
    createdAt: now,
    from: 'Sendonce <test@example.com>',
    to: [recipient],
    subject: 'A test event from Sendonce: this email does not exist',
    tags: [{ name: 'sendonce', value: 'test' }],
    headers: [],
    facade,
  };
  const detail = { recipients: [recipient], reply: 'This is a test: no relay has said anything.', said: null };
  return { delivery, told: { event: { id: 0, type, at: now, detail }, email } };
}

function contactOf(id: string, at: number): ContactSeen {
  const named = { address: recipient, firstName: 'Test', lastName: null, unsubscribed: false };
  return { id, number: 1, ...named, properties: {}, segments: [], createdAt: at, updatedAt: at };
}

function mailOf(id: string, createdAt: number): ReceivedMail {
  const named = { from: 'Sendonce <test@example.com>', to: [recipient], receivedFor: [recipient], cc: [], bcc: [] };
  const subject = 'A test event from Sendonce: this mail does not exist';
  const said = { replyTo: [], subject, messageId: `<${id}@example.com>`, headers: {}, files: [] };
  return { id, createdAt, ...named, ...said, isPurged: false };
}
