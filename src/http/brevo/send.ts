/** POST /v3/smtp/email: from raw bytes to a submission, and from what came of it to an answer. */

import { randomUUID } from 'node:crypto';
import type { Message } from '../../core/email.ts';
import { senderAddress } from '../../core/envelope.ts';
import { AppError } from '../../core/error.ts';
import { type IdSource, shortHash } from '../../core/token.ts';
import { log } from '../../log.ts';
import type { Renderer } from '../../render/renderer.ts';
import type { KeyRecord } from '../../store/idempotency.ts';
import type { Accepting, Outcome, Turn } from '../../use-cases/accept.ts';
import { requestTo, type StoredAnswer, type Submission } from '../../use-cases/submission.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { keyExpiresHeader, warnAboutKey } from '../idempotency-header.ts';
import type { Keyless } from '../keyless.ts';
import { joined, warnAboutMembers } from '../misspelt.ts';
import { sendEndpoint } from './endpoints.ts';
import { keyPlace, readKey } from './idempotency-key.ts';
import { type ParsedSend, parseSend, sendMembers } from './parse.ts';
import { type PrepareParts, prepareMessages } from './prepare.ts';

export type SendParts = PrepareParts & {
  accepting: Accepting;
  renderer: Pick<Renderer, 'open'>;
  now: () => number;
  nextId: IdSource;
  keyMustBeUuid: boolean;
  keyless: Keyless;
};

export async function send(parts: SendParts, call: Call): Promise<Reply> {
  const body = await call.body();
  const json = parseJson(body);
  const key = readKey(call, json, parts.keyMustBeUuid);
  const request = requestTo(sendEndpoint, call, { key, body, json });
  const misplaced = warnAboutKey(key, json, keyPlace);
  const warning = joined(misplaced ?? parts.keyless.warn(request), warnAboutMembers(sendMembers, json));
  if (warning) log.oddRequest(call.requestId, warning);
  const found = await parts.accepting.lookUp(request);
  const outcome = found.kind === 'new' ? await parts.accepting.commit(found, prepare(parts, found)) : found;
  const answer = answerTo(outcome, call.requestId);
  const expires = outcome.kind === 'accepted' ? keyExpiresHeader(outcome.keyExpiresAt) : {};
  return { ...answer, headers: { ...expires, ...(warning ? { 'sendonce-warning': warning } : {}) } };
}

async function prepare(parts: SendParts, { request: { account, json }, rendering }: Turn): Promise<Submission> {
  const parsed = parseSend(json, parts.now());
  const batchId = parsed.schedule && (parsed.schedule.batchId ?? randomUUID());
  const messages = await prepareMessages(parts, account, parsed, { batchId, rendering });
  if (parsed.isSandbox) {
    const madeUp = messages.map((message) => madeUpId(parts, message));
    return { messages: [], answer: () => renderAccepted(parsed, madeUp, batchId) };
  }
  return {
    messages,
    answer: (emails) =>
      renderAccepted(
        parsed,
        emails.map(({ messageId }) => messageId),
        batchId,
      ),
  };
}

function madeUpId({ nextId, now }: SendParts, message: Message): string {
  return `<${nextId(now())}@${senderAddress(message).split('@').pop()}>`;
}

/** 201, or 202 with the batch's name where it was scheduled; one id, or one for each version. */
function renderAccepted(parsed: ParsedSend, messageIds: string[], batchId: string | null): StoredAnswer {
  const ids = parsed.isBatch ? { messageIds } : { messageId: messageIds[0] };
  if (batchId === null) return { status: 201, body: JSON.stringify(ids) };
  return { status: 202, body: JSON.stringify({ ...ids, batchId }) };
}

/** Clients take a refused repeat for success, which it is not where it was another email that waited for its turn. */
const anotherRequest =
  'This is not the request that was accepted under this idempotencyKey. If it is another email, it was not sent: give it a key of its own.';

/** Any repeat of a key is refused, the same request as well; what Brevo leaves out is which ids the first one got. */
function answerTo(outcome: Outcome, request: string): StoredAnswer {
  switch (outcome.kind) {
    case 'accepted':
      return outcome.answer;
    case 'replay':
      throw usedBefore(outcome.record, {});
    case 'conflict':
      log.conflict(request, shortHash(outcome.record.keyHash), []);
      throw usedBefore(outcome.record, { hint: anotherRequest });
    default:
      return outcome satisfies never;
  }
}

function usedBefore(record: KeyRecord, more: { hint?: string }): AppError {
  return new AppError('idempotency_mismatch', 'Email for the idempotency key has already been processed', {
    extra: { ...JSON.parse(record.body), ...more },
  });
}
