/** What Amazon SES tells through SNS, as notifications or as published events. docs.aws.amazon.com/ses/latest/dg/notification-contents.html */

import type { Notice } from '../core/notice.ts';
import { type Heard, isJson, type Json, momentIn, noticeOf, textIn, textsIn } from './heard.ts';

/** As the mail was given to it (docs/relays.md). */
const deliveryTag = 'sendonce-delivery';

export function readSesEvent(message: unknown): Heard[] {
  if (!isJson(message) || !isJson(message.mail)) return [];
  const { mail } = message;
  const notices = noticesOf(textIn(message.eventType) || textIn(message.notificationType), message, mail);
  if (notices.length === 0) return [];
  const tags = isJson(mail.tags) ? textsIn(mail.tags[deliveryTag]) : [];
  // The mail's own time says when it was sent: how long ago that is says whether we may not have written it down yet.
  return [{ upstreamId: textIn(mail.messageId) || null, envelopeIds: tags, at: momentIn(mail.timestamp), notices }];
}

function noticesOf(type: string, message: Json, mail: Json): Notice[] {
  switch (type) {
    case 'Bounce': {
      const isTransient = isJson(message.bounce) && message.bounce.bounceType === 'Transient';
      return each(message.bounce, 'bouncedRecipients').map((one) =>
        noticeOf('bounced', textIn(one.emailAddress), wordsOf(one), isTransient),
      );
    }
    case 'Complaint': {
      const kind = isJson(message.complaint) ? textIn(message.complaint.complaintFeedbackType) : '';
      if (kind === 'not-spam') return [];
      return each(message.complaint, 'complainedRecipients').map((one) =>
        noticeOf('complained', textIn(one.emailAddress), kind),
      );
    }
    case 'Delivery': {
      const { recipients, smtpResponse } = isJson(message.delivery) ? message.delivery : {};
      return textsIn(recipients).map((one) => noticeOf('delivered', one, textIn(smtpResponse)));
    }
    case 'DeliveryDelay':
      return each(message.deliveryDelay, 'delayedRecipients').map((one) =>
        noticeOf('delayed', textIn(one.emailAddress), wordsOf(one)),
      );
    case 'Reject': {
      const reason = isJson(message.reject) ? textIn(message.reject.reason) : '';
      return textsIn(mail.destination).map((one) => noticeOf('bounced', one, reason));
    }
    default:
      return [];
  }
}

function each(of: unknown, name: string): Json[] {
  const list = isJson(of) ? of[name] : null;
  return Array.isArray(list) ? list.slice(0, 1_000).filter(isJson) : [];
}

function wordsOf({ diagnosticCode, status }: Json): string {
  return textIn(diagnosticCode) || textIn(status);
}
