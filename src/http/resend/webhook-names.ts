/** The events Resend's webhooks may be subscribed to, and which of them happen here. */

import type { Subject } from '../../core/event.ts';
import type { WebhookEvents } from '../../store/webhooks/webhooks.ts';
import { isAbsent } from '../fields.ts';
import { resendLimits } from './limits.ts';
import { invalidField, missingField } from './parse-fields.ts';
import { resendEventTypes } from './webhook-payload.ts';

/** Valid names of things Sendonce does not do (docs/resend.md): accepted, since set-up scripts name them all, and never sent. */
const others = [
  'email.opened',
  'email.clicked',
  'contact.topics.updated',
  'topic.created',
  'topic.updated',
  'topic.deleted',
  'inbox.created',
  'inbox.updated',
  'inbox.deleted',
  'inbox.thread.created',
  'inbox.thread.folder.updated',
  'inbox.thread.assigned',
  'inbox.thread.unassigned',
  'inbox.thread.labels.updated',
  'inbox.email.received',
  'inbox.email.sent',
  'inbox.draft.created',
  'inbox.draft.updated',
  'inbox.draft.sent',
  'inbox.draft.deleted',
];

const names: ReadonlyMap<string, Subject | null> = new Map<string, Subject | null>([
  ...Object.entries(resendEventTypes),
  ...others.map((name): [string, null] => [name, null]),
]);

export function parseWebhookEvents(value: unknown): WebhookEvents {
  if (isAbsent(value) || (Array.isArray(value) && value.length === 0)) throw missingField('events');
  if (!Array.isArray(value) || value.length > resendLimits.webhookEventsMax) {
    throw invalidField('events', `It must be an array of at most ${resendLimits.webhookEventsMax} event types.`);
  }
  const events: WebhookEvents = { names: [], subjects: [], perRecipient: false };
  for (const name of value) {
    const subject = typeof name === 'string' ? names.get(name) : undefined;
    if (subject === undefined) throw invalidField('events', `${shown(name)} is not an event type.`);
    if (events.names.includes(name)) continue;
    events.names.push(name);
    if (subject !== null) events.subjects.push(subject);
  }
  return events;
}

function shown(name: unknown): string {
  return `\`${String(JSON.stringify(name)).slice(0, 60)}\``;
}
