/** What Resend's webhooks are told of an event (docs/resend.md, webhooks). */

import { describeBounce } from '../core/bounce.ts';
import type { EventType } from '../core/event.ts';
import type { Told } from './told.ts';

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
} as const satisfies Record<string, EventType>;

export function isResendType(type: EventType): boolean {
  return `email.${type}` in resendEventTypes;
}

/** A pure function of what is stored, so that each attempt says the same. */
export function resendPayload({ event, email }: Told): Record<string, unknown> {
  return {
    type: `email.${event.type}`,
    created_at: new Date(event.at).toISOString(),
    data: {
      created_at: new Date(email.createdAt).toISOString(),
      email_id: email.id,
      message_id: email.messageId,
      from: email.from,
      to: event.detail.recipients ?? email.to,
      subject: email.subject,
      ...(email.tags.length > 0
        ? { tags: Object.fromEntries(email.tags.map(({ name, value }) => [name, value])) }
        : {}),
      ...(email.headers.length > 0 ? { headers: email.headers.map(([name, value]) => ({ name, value })) } : {}),
      ...about({ event, email }),
    },
  };
}

function about({ event }: Told): Record<string, unknown> {
  const { reply = '', replies, origin, in_doubt, scheduled_at } = event.detail;
  switch (event.type) {
    case 'bounced':
      return { bounce: { ...bounceOf(reply), message: reply, diagnosticCode: diagnose(replies ?? [reply]) } };
    case 'failed':
      return { failed: { reason: reply } };
    case 'suppressed':
      return {
        suppressed: {
          message: reply,
          type: 'OnAccountSuppressionList',
          // The contract has no word for an address somebody put on the list.
          reason: origin === 'manual' ? 'manual' : origin === 'complaint' ? 'previous_complaint' : 'previous_bounce',
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

function bounceOf(reply: string): { type: string; subType: string } {
  const { type, subType } = describeBounce(reply);
  return { type, subType };
}

/** RFC 3464 2.3.6: `smtp;` and what the relay said, where it was the relay. */
function diagnose(replies: string[]): string[] {
  return replies.filter((reply) => /^[245]\d\d/.test(reply)).map((reply) => `smtp; ${reply}`);
}
