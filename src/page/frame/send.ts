/** Mail that the page itself has sent: under a key of its form, so that a second click or a reload sends nothing. */

import type { Message } from '../../core/email.ts';
import { AppError } from '../../core/error.ts';
import { isUuid } from '../../core/token.ts';
import { requestIdOf } from '../../http/request-id.ts';
import { type Endpoint, requestTo, type Submission } from '../../use-cases/submission.ts';
import type { Visit } from './visit.ts';

const endpoint: Endpoint = {
  facade: 'dashboard',
  name: 'POST /dashboard',
  // Long enough for every "resubmit this form?".
  keyTerms: { lifetimeMs: 24 * 60 * 60_000, followsSchedule: false },
  differences: null,
};

/** The id of the email: the same one for the same form, however often it is sent. */
export async function sendNow({ parts, session, form, context }: Visit, message: Message): Promise<string> {
  const key = form.get('key') ?? '';
  if (!isUuid(key))
    throw new AppError('invalid_idempotency_key', 'This form is incomplete. Reload the page and try again.');
  const json = [context.req.path, message.to, message.subject];
  const requestId = requestIdOf(context.env.incoming);
  const client = { caller: session, userAgent: context.req.header('user-agent') ?? null, requestId, traceparent: null };
  const request = requestTo(endpoint, client, { key, body: Buffer.from(JSON.stringify(json)), json });
  const found = await parts.use.accepting.lookUp(request);
  const outcome = found.kind === 'new' ? await parts.use.accepting.commit(found, prepare(message)) : found;
  switch (outcome.kind) {
    case 'accepted':
      return outcome.answer.body;
    case 'replay':
      return outcome.record.body;
    case 'conflict':
      throw new AppError(
        'idempotency_mismatch',
        'This form was already submitted with different values. Reload the page.',
      );
    default:
      return outcome satisfies never;
  }
}

/** An email that is sent anew gets a name and a time of its own. */
async function prepare(message: Message): Promise<Submission> {
  return { messages: [message], answer: ([email]) => ({ status: 200, body: email?.id ?? '' }) };
}
