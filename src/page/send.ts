/** Mail that the page itself has sent: under a key of its form, so that a second click or a reload sends nothing. */

import type { Message } from '../core/email.ts';
import { AppError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import { isUuid } from '../core/token.ts';
import type { Visit } from './visit.ts';

/** Long enough for every "resubmit this form?". */
const keyLifetimeMs = 24 * 60 * 60_000;

/** The id of the email: the same one for the same form, however often it is sent. */
export async function sendNow({ parts, session, form, context }: Visit, message: Message): Promise<string> {
  const key = form.get('key') ?? '';
  if (!isUuid(key))
    throw new AppError('invalid_idempotency_key', 'This form is not complete: reload the page and try again.');
  const { path } = context.req;
  const body = Buffer.from(JSON.stringify([path, message.to, message.subject]));
  const accepted = await parts.accepting.accept(
    {
      account: session.account,
      facade: 'dashboard',
      endpoint: 'POST /dashboard',
      key,
      fingerprint: () => fingerprint(body, JSON.parse(body.toString()), ''),
      client: context.req.header('user-agent')?.slice(0, 200) ?? null,
    },
    async () => ({
      messages: [messageOf(message)],
      lifetimeMs: keyLifetimeMs,
      keyFollowsSchedule: false,
      render: ([email]) => ({ status: 200, body: email?.id ?? '' }),
    }),
    null,
  );
  if (accepted.kind === 'accepted') return accepted.answer.body;
  if (accepted.kind === 'replay') return accepted.record.body;
  throw new AppError('idempotency_mismatch', 'This form was sent before with something else in it. Reload the page.');
}

/** Only what its author wrote: an email that is sent anew gets a name and a time of its own. */
function messageOf(message: Message): Message {
  const { from, to, cc, bcc, replyTo, subject, html, text, headers, tags, topicId, attachments } = message;
  const { templateId, scheduledText, scheduledAt } = message;
  return {
    from,
    to,
    cc,
    bcc,
    replyTo,
    subject,
    html,
    text,
    headers,
    tags,
    topicId,
    attachments,
    templateId,
    scheduledText,
    scheduledAt,
  };
}
