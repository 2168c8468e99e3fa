/** GET /in-doubt and POST /in-doubt/:id, our own routes: what is held with the evidence there is, and the operator's answer. */

import type { DeliveryState } from '../../core/delivery-state.ts';
import { AppError } from '../../core/error.ts';
import { isUuid } from '../../core/token.ts';
import type { Reader } from '../../store/database.ts';
import { type DeliveryRef, never } from '../../store/mail/deliveries.ts';
import { type DoubtAnswer, doubtAnswers, type HeldDelivery, listHeld } from '../../store/mail/doubt.ts';
import type { SettleDoubt } from '../../use-cases/settle-doubt.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';

export type DoubtParts = { database: Reader; settleDoubt: SettleDoubt };

export const doubtPath = '/in-doubt';

/** As many as a page of any list of ours. */
const pageSizeMax = 100;

/** Oldest email first; `?after=` takes the id of the last one seen. */
export async function listDoubt({ database }: DoubtParts, call: Call): Promise<Reply> {
  const { after, limit } = call.query();
  const size = limit === undefined ? pageSizeMax : Number(limit);
  if (!Number.isInteger(size) || size < 1 || size > pageSizeMax) {
    throw new AppError('invalid_parameter', `\`limit\` must be a whole number from 1 to ${pageSizeMax}.`);
  }
  const cursor = after === undefined ? null : parseId(after);
  if (after !== undefined && !cursor) throw new AppError('invalid_parameter', '`after` must be an id of this list.');
  const held = await listHeld(database, call.caller.account, cursor, size + 1);
  const body = { object: 'list', has_more: held.length > size, data: held.slice(0, size).map(view) };
  return { status: 200, body: JSON.stringify(body) };
}

/** What SMTP cannot tell, somebody has looked up at the relay. @throws AppError `not_found` when it is not in doubt (any more). */
export async function answerOne({ settleDoubt }: DoubtParts, call: Call): Promise<Reply> {
  const id = call.param('id');
  const answer = parseAnswer(parseJson(await call.body()));
  const named = parseId(id);
  const { account } = call.caller;
  const answered = named ? await settleDoubt.answer({ ...named, account }, answer) : nowhere;
  if (!answered.isSettled) throw notInDoubt(answered.state);
  return { status: 200, body: JSON.stringify({ object: 'delivery', id: id.toLowerCase(), state: answered.state }) };
}

const nowhere = { isSettled: false, state: null } as const;

/** Another answer, or the relay's own late one, may have come first. */
function notInDoubt(state: DeliveryState | null): AppError {
  const now = state === null ? '' : ` It is \`${state}\` now.`;
  return new AppError('not_found', `No delivery of this id is in doubt.${now}`);
}

function parseAnswer(body: unknown): DoubtAnswer {
  const given = typeof body === 'object' && body !== null && 'answer' in body ? body.answer : undefined;
  const answer = doubtAnswers.find((one) => one === given);
  if (answer) return answer;
  throw new AppError(
    'invalid_field',
    'The `answer` must be `sent` (the relay has it), `send-again` (the same bytes go out again) or `abandon` (given up).',
  );
}

/** `EMAIL` or `EMAIL.PART`, as the list and `sendonce queue` name deliveries. */
function parseId(text: string): Omit<DeliveryRef, 'account'> | null {
  const [, emailId = '', part = '0'] = /^([^.]+)(?:\.(\d{1,9}))?$/.exec(text.toLowerCase()) ?? [];
  return isUuid(emailId) ? { emailId, part: Number(part) } : null;
}

function view(held: HeldDelivery) {
  return {
    object: 'delivery',
    id: held.part === 0 ? held.emailId : `${held.emailId}.${held.part}`,
    email_id: held.emailId,
    message_id: held.messageId,
    to: held.recipients,
    subject: held.subject,
    reason: held.reply,
    handed_off_at: held.gatedAt === null ? null : new Date(held.gatedAt).toISOString(),
    ...(held.relay === null ? {} : { relay: held.relay }),
    ...(held.repeatUntil === null ? {} : { asked_until: new Date(held.repeatUntil).toISOString() }),
    sends_again_at: held.runAt === never ? null : new Date(held.runAt).toISOString(),
  };
}
