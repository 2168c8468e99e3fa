/** POST /emails and POST /emails/batch: from raw bytes to a submission, and from what came of it to an answer. */

import { type Draft, isRemote } from '../../core/draft.ts';
import type { Message } from '../../core/email.ts';
import { AppError } from '../../core/error.ts';
import { type Fingerprint, fingerprint } from '../../core/fingerprint.ts';
import { shortHash } from '../../core/token.ts';
import type { Egress } from '../../egress/egress.ts';
import { log } from '../../log.ts';
import type { Accepted, Accepting, Answer, Submission } from '../../use-cases/accept.ts';
import { fetchAttachments, type RemoteLimits } from '../attachments.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { readIdempotencyKey, warnAboutKey } from '../idempotency-header.ts';
import { diffBatch, diffFields } from './diff.ts';
import { MESSAGES } from './errors.ts';
import { type BatchMode, checkSize, parseBatch, parseSend } from './parse.ts';
import { completeAttachment } from './parse-attachment.ts';
import { renderAccepted, renderBatchAccepted } from './render.ts';

/** Enough to tell clients apart; it is kept with each of a key's last uses. */
const clientCharsMax = 200;

/** docs/resend.md: 24 hours. */
export const keyLifetimeMs = 24 * 60 * 60_000;

export type SendParts = {
  accepting: Accepting;
  egress: Egress;
  now: () => number;
  remote: RemoteLimits;
};

type Opened = { call: Call; key: string | null; json: unknown; fingerprint: () => Fingerprint; warning: string | null };

export async function sendOne(parts: SendParts, call: Call): Promise<Reply> {
  const opened = await open(call, 'single');
  const accepted = await parts.accepting.accept(
    request(opened, 'POST /emails'),
    async () => ({
      messages: [await complete(parts, parseSend(opened.json, parts.now()))],
      lifetimeMs: keyLifetimeMs,
      keyFollowsSchedule: true,
      render: ([email]): Answer => ({ status: 200, body: renderAccepted(email?.id ?? '') }),
    }),
    ([stored]) => (stored ? diffFields(stored, parseSend(opened.json, parts.now())) : []),
  );
  return toReply(accepted, opened);
}

export async function sendBatch(parts: SendParts, call: Call): Promise<Reply> {
  const mode = batchMode(call);
  const opened = await open(call, mode);
  const accepted = await parts.accepting.accept(
    request(opened, 'POST /emails/batch'),
    () => prepareBatch(parts, opened.json, mode),
    (stored) => {
      const { drafts } = parseBatch(opened.json, mode, parts.now());
      return diffBatch(
        stored,
        drafts.map(({ draft }) => draft),
      );
    },
  );
  return toReply(accepted, opened);
}

async function prepareBatch(parts: SendParts, json: unknown, mode: BatchMode): Promise<Submission> {
  const { drafts, errors } = parseBatch(json, mode, parts.now());
  const messages: Message[] = [];
  for (const { index, draft } of drafts) {
    try {
      messages.push(await complete(parts, draft));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (mode === 'strict') throw new AppError(error.code, error.message, { extra: { ...error.extra, index } });
      errors.push({ index, message: error.message });
    }
  }
  errors.sort((a, b) => a.index - b.index);
  return {
    messages,
    lifetimeMs: keyLifetimeMs,
    keyFollowsSchedule: true,
    render: (emails): Answer => {
      const ids = emails.map((email) => email.id);
      return { status: 200, body: renderBatchAccepted(ids, mode === 'permissive' ? errors : undefined) };
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
async function open(call: Call, mode: string): Promise<Opened> {
  const body = await call.body();
  const json = parseJson(body);
  const key = readIdempotencyKey(call.rawHeaders);
  const warning = warnAboutKey(key, json, 'as the Idempotency-Key header');
  let known: Fingerprint | null = null;
  const lazily = () => {
    known ??= fingerprint(body, json, mode);
    return known;
  };
  return { call, key, json, fingerprint: lazily, warning };
}

function request(opened: Opened, endpoint: string) {
  const { key, call } = opened;
  return {
    account: call.caller.account,
    facade: 'resend',
    endpoint,
    key,
    fingerprint: opened.fingerprint,
    client: call.userAgent?.slice(0, clientCharsMax) ?? null,
  };
}

function toReply(accepted: Accepted, opened: Opened): Reply {
  const warning: Record<string, string> | undefined = opened.warning
    ? { 'sendonce-warning': opened.warning }
    : undefined;
  if (opened.warning) log.oddKey(opened.warning);
  switch (accepted.kind) {
    case 'accepted':
      return { status: accepted.answer.status, body: accepted.answer.body, headers: warning };
    case 'replay': {
      const { status, body } = accepted.record;
      return { status, body, headers: { ...warning, 'idempotent-replayed': 'true' } };
    }
    case 'conflict': {
      const { record, fields } = accepted;
      log.conflict(shortHash(record.keyHash), fields ?? []);
      throw new AppError('idempotency_mismatch', MESSAGES.idempotencyMismatch, {
        extra: { different_fields: fields ?? [], ...hintAt(fields), email_ids: record.emailIds },
      });
    }
    default:
      return accepted satisfies never;
  }
}

/** Why no field is named, where none is: the message has to stay the contract's. */
function hintAt(fields: string[] | null): { hint?: string } {
  if (fields === null) {
    return {
      hint: 'Which fields differ cannot be told: this request is not valid by itself, or the contents of the first email have been purged.',
    };
  }
  if (fields.length > 0) return {};
  return {
    hint: 'The email is the same; only fields that are ignored, the way values are written (`"a@b.c"` for `["a@b.c"]`), or the `x-batch-validation` header differ. A retry must repeat the request as it was; nothing was sent twice.',
  };
}

/** Fetches what the author gave as a URL. */
async function complete(parts: SendParts, draft: Draft): Promise<Message> {
  if (isComplete(draft)) return draft;
  const attachments = await fetchAttachments(parts, draft.attachments, completeAttachment);
  const message = { ...draft, attachments };
  checkSize(message);
  return message;
}

function isComplete(draft: Draft): draft is Message {
  return !draft.attachments.some(isRemote);
}
