/** POST /v3/smtp/email: from raw bytes to a submission, and from what came of it to an answer. */

import { randomUUID } from 'node:crypto';
import type { Message } from '../../core/email.ts';
import { senderAddress } from '../../core/envelope.ts';
import { AppError } from '../../core/error.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import { type IdSource, shortHash } from '../../core/token.ts';
import { log } from '../../log.ts';
import type { Accepted, Accepting, Answer, Submission } from '../../use-cases/accept.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { warnAboutKey } from '../idempotency-header.ts';
import { keyPlace, readKey } from './idempotency-key.ts';
import { type ParsedSend, parseSend } from './parse.ts';
import { type PrepareParts, prepareMessages } from './prepare.ts';

/** docs/brevo.md: 30 minutes from use, whenever the mail leaves. */
const keyLifetimeMs = 30 * 60_000;

/** Enough to tell clients apart; it is kept with each of a key's last uses. */
const clientCharsMax = 200;

export type SendParts = PrepareParts & {
  accepting: Accepting;
  now: () => number;
  nextId: IdSource;
  keyMustBeUuid: boolean;
};

export async function send(parts: SendParts, call: Call): Promise<Reply> {
  const body = await call.body();
  const json = parseJson(body);
  const key = readKey(call, json, parts.keyMustBeUuid);
  const warning = warnAboutKey(key, json, keyPlace);
  if (warning) log.oddKey(warning);
  const request = {
    account: call.caller.account,
    facade: 'brevo',
    endpoint: 'POST /v3/smtp/email',
    key,
    // Nothing is refused by it; the key's history tells by it whether a repeat was the same request.
    fingerprint: () => fingerprint(body, json, ''),
    client: call.userAgent?.slice(0, clientCharsMax) ?? null,
  };
  const accepted = await parts.accepting.accept(request, () => prepare(parts, call.caller.account, json), null);
  return { ...answerOf(accepted), headers: warning ? { 'sendonce-warning': warning } : undefined };
}

async function prepare(parts: SendParts, account: string, json: unknown): Promise<Submission> {
  const parsed = parseSend(json, parts.now());
  const batchId = parsed.schedule && (parsed.schedule.batchId ?? randomUUID());
  const messages = await prepareMessages(parts, account, parsed, { batchId });
  const render = (messageIds: string[]) => renderAccepted(parsed, messageIds, batchId);
  const terms = { lifetimeMs: keyLifetimeMs, keyFollowsSchedule: false };
  if (parsed.isSandbox) {
    return { ...terms, messages: [], render: () => render(messages.map((message) => madeUpId(parts, message))) };
  }
  return { ...terms, messages, render: (emails) => render(emails.map((email) => email.messageId)) };
}

function madeUpId({ nextId, now }: SendParts, message: Message): string {
  return `<${nextId(now())}@${senderAddress(message).split('@').pop()}>`;
}

/** 201, or 202 with the batch's name where it was scheduled; one id, or one for each version. */
function renderAccepted(parsed: ParsedSend, messageIds: string[], batchId: string | null): Answer {
  const ids = parsed.isBatch ? { messageIds } : { messageId: messageIds[0] };
  if (batchId === null) return { status: 201, body: JSON.stringify(ids) };
  return { status: 202, body: JSON.stringify({ ...ids, batchId }) };
}

/** Clients take a refused repeat for success, which it is not where it was another email that waited for its turn. */
const anotherRequest =
  'This is not the request that was accepted under this idempotencyKey. If it is another email, it was not sent: give it a key of its own.';

/** Any repeat of a key is refused, the same request as well; what Brevo leaves out is which ids the first one got. */
function answerOf(accepted: Accepted): Answer {
  if (accepted.kind === 'accepted') return accepted.answer;
  const { record } = accepted;
  const isAnother = accepted.kind === 'conflict';
  if (isAnother) log.conflict(shortHash(record.keyHash), []);
  throw new AppError('idempotency_mismatch', 'Email for the idempotency key has already been processed', {
    extra: { ...JSON.parse(record.body), ...(isAnother ? { hint: anotherRequest } : {}) },
  });
}
