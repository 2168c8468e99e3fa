/** POST /emails and POST /emails/batch: from raw bytes to a submission, and from what came of it to an answer. */

import { type Draft, isRemote } from '../../core/draft.ts';
import type { Message } from '../../core/email.ts';
import { AppError } from '../../core/error.ts';
import { shortHash } from '../../core/token.ts';
import type { Egress } from '../../egress/egress.ts';
import { log } from '../../log.ts';
import type { Awaitable } from '../../store/database.ts';
import type { Accepting, Outcome, Turn } from '../../use-cases/accept.ts';
import { type Endpoint, requestTo, type SendRequest, type Submission } from '../../use-cases/submission.ts';
import { fetchAttachments, type RemoteLimits } from '../attachments.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { keyExpiresHeader, readIdempotencyKey, warnAboutKey } from '../idempotency-header.ts';
import type { Keyless } from '../keyless.ts';
import { joined, warnAboutMembers } from '../misspelt.ts';
import { applyTemplates } from './apply-template.ts';
import { batchEndpoint, singleEndpoint } from './endpoints.ts';
import { refusalTexts } from './errors.ts';
import { type BatchMode, checkSize, isBatch, parseBatch, parseSend, sendMembers } from './parse.ts';
import { completeAttachment } from './parse-attachment.ts';
import { readDatesInWords } from './parse-schedule.ts';
import { renderAccepted, renderBatchAccepted } from './render.ts';
import { type TopicOfParts, withTopic } from './topic-of.ts';

export type SendParts = TopicOfParts & {
  accepting: Accepting;
  egress: Egress;
  now: () => number;
  remote: RemoteLimits;
  keyless: Keyless;
};

type Opened = { request: SendRequest; warning: string | null };

export async function sendOne(parts: SendParts, call: Call): Promise<Reply> {
  const opened = await open(parts, call, singleEndpoint, 'single');
  const found = await parts.accepting.lookUp(opened.request);
  if (found.kind !== 'new') return toReply(found, opened);
  const outcome = await parts.accepting.commit(found, prepareOne(parts, found));
  return toReply(outcome, opened);
}

export async function sendBatch(parts: SendParts, call: Call): Promise<Reply> {
  const mode = batchMode(call);
  const opened = await open(parts, call, batchEndpoint, mode);
  const found = await parts.accepting.lookUp(opened.request);
  if (found.kind !== 'new') return toReply(found, opened);
  const outcome = await parts.accepting.commit(found, prepareBatch(parts, found, mode));
  return toReply(outcome, opened);
}

async function prepareOne(parts: SendParts, turn: Turn): Promise<Submission> {
  const { rendering } = turn;
  const now = parts.now();
  const [json] = await applyTemplates(parts.database, turn, [turn.request.json]);
  if (json instanceof AppError) throw json;
  const draft = parseSend(json, now, await readDatesInWords(rendering, json, now));
  const message = await withTopic(parts, turn.request.account, await complete(parts, draft));
  return { messages: [message], answer: ([email]) => ({ status: 200, body: renderAccepted(email?.id ?? '') }) };
}

async function prepareBatch(parts: SendParts, turn: Turn, mode: BatchMode): Promise<Submission> {
  const { request, rendering } = turn;
  const now = parts.now();
  const { json: asked } = request;
  const json = isBatch(asked) ? await applyTemplates(parts.database, turn, asked) : asked;
  const { drafts, errors } = parseBatch(json, mode, now, await readDatesInWords(rendering, json, now));
  const messages: Message[] = [];
  for (const { index, draft } of drafts) {
    try {
      // Before its files are fetched: they are asked for by whoever may send.
      await parts.accepting.requireSender(request, draft);
      messages.push(await withTopic(parts, request.account, await complete(parts, draft)));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (mode === 'strict') throw new AppError(error.code, error.message, { extra: { ...error.extra, index } });
      errors.push({ index, message: error.message });
    }
  }
  errors.sort((a, b) => a.index - b.index);
  const told = mode === 'permissive' ? errors : undefined;
  return {
    messages,
    answer: (emails) => {
      const ids = emails.map((email) => email.id);
      return { status: 200, body: renderBatchAccepted(ids, told) };
    },
  };
}

/** docs/resend.md: strict unless said otherwise. The mode is part of the fingerprint. */
function batchMode(call: Call): BatchMode {
  const text = call.header('x-batch-validation')?.trim().toLowerCase() ?? '';
  if (text === '' || text === 'strict') return 'strict';
  if (text === 'permissive') return 'permissive';
  throw new AppError('invalid_field', 'The `x-batch-validation` header must be `strict` or `permissive`.');
}

/** In the order of docs/architecture.md: size and JSON, then the syntax of the key. */
async function open({ keyless }: SendParts, call: Call, endpoint: Endpoint, mode: string): Promise<Opened> {
  const body = await call.body();
  const json = parseJson(body);
  const key = readIdempotencyKey(call.rawHeaders);
  const request = requestTo(endpoint, call, { key, body, json, mode });
  const misplaced = warnAboutKey(key, json, 'as the Idempotency-Key header');
  const warning = joined(misplaced ?? keyless.warn(request), warnAboutMembers(sendMembers, json));
  return { request, warning };
}

function toReply(outcome: Outcome, opened: Opened): Reply {
  const { request = '' } = opened.request.origin;
  if (opened.warning) log.oddRequest(request, opened.warning);
  switch (outcome.kind) {
    case 'accepted': {
      const { status, body } = outcome.answer;
      return { status, body, headers: headersOf(opened, outcome.keyExpiresAt) };
    }
    case 'replay': {
      const { status, body, expiresAt } = outcome.record;
      const headers = headersOf(opened, expiresAt);
      headers['idempotent-replayed'] = 'true';
      return { status, body, headers };
    }
    case 'conflict': {
      const { record, fields } = outcome;
      log.conflict(request, shortHash(record.keyHash), fields ?? []);
      throw new AppError('idempotency_mismatch', refusalTexts.idempotencyMismatch, {
        extra: { different_fields: fields ?? [], ...hintAt(fields), email_ids: record.emailIds },
      });
    }
    default:
      return outcome satisfies never;
  }
}

function headersOf({ warning }: Opened, expiresAt: number | null): Record<string, string> {
  const headers = keyExpiresHeader(expiresAt);
  return warning ? { 'sendonce-warning': warning, ...headers } : headers;
}

/** Why no field is named, where none is: the message has to stay the contract's. */
function hintAt(fields: string[] | null): { hint?: string } {
  if (fields === null) {
    return {
      hint: 'Which fields differ cannot be told: this request is not valid by itself, is made of a template, or the contents of the first email have been purged.',
    };
  }
  if (fields.length > 0) return {};
  return {
    hint: 'The email is the same; only fields that are ignored, the way values are written (`"a@b.c"` for `["a@b.c"]`), or the `x-batch-validation` header differ. A retry must repeat the request as it was; nothing was sent twice.',
  };
}

/** Fetches what the author gave as a URL. */
function complete(parts: SendParts, draft: Draft): Awaitable<Message> {
  return isComplete(draft) ? draft : fetchRest(parts, draft);
}

async function fetchRest(parts: SendParts, draft: Draft): Promise<Message> {
  const attachments = await fetchAttachments(parts, draft.attachments, completeAttachment);
  const message = { ...draft, attachments };
  checkSize(message);
  return message;
}

function isComplete(draft: Draft): draft is Message {
  return !draft.attachments.some(isRemote);
}
