/** Submission: takes mail for anybody from a client that has signed in, and accepts it once. */

import { parseMailbox } from '../../core/address.ts';
import { asksAnything } from '../../core/dsn.ts';
import type { Message } from '../../core/email.ts';
import { AppError } from '../../core/error.ts';
import { bufferOf } from '../../core/pieces.ts';
import { shortHash } from '../../core/token.ts';
import type { KeyCheck } from '../../http/auth.ts';
import type { Bodies, Body } from '../../http/bodies.ts';
import { readIdempotencyKey, warnAboutKey } from '../../http/idempotency-header.ts';
import type { Keyless } from '../../http/keyless.ts';
import type { RateLimit } from '../../http/rate-limit.ts';
import { log } from '../../log.ts';
import { readMailIn } from '../../render/mail-reading.ts';
import type { Reader } from '../../store/database.ts';
import type { Accepting, Outcome, Turn } from '../../use-cases/accept.ts';
import { requestTo, type SendRequest, type Submission } from '../../use-cases/submission.ts';
import type { Intake, Transaction } from '../intake.ts';
import { hashContent } from './content-hash.ts';
import { type Asked, endpoint } from './endpoint.ts';
import { type ReadHeader, readHeader, valuesOf, withoutOurs } from './header.ts';
import { submissionLimits as limits } from './limits.ts';
import { createLineCheck } from './line-check.ts';
import { readHead, subjectOf, toMessage } from './message.ts';
import { readSchedule } from './schedule.ts';
import { fillTemplate, readTemplateAsked } from './template.ts';

/** What it shares with the doors over HTTP. */
export type SubmissionParts = {
  accepting: Accepting;
  checkKey: KeyCheck;
  bodies: Bodies;
  rateLimit: RateLimit;
  keyless: Keyless;
  /** Where the account's templates are. */
  reader: Reader;
  now: () => number;
};

/** `name`: what this server calls itself. */
export type SubmissionOptions = Pick<SubmissionParts, 'accepting' | 'keyless' | 'now' | 'reader'> & { name: string };

/** Of a mail that is to be tried only: Brevo's word for it (docs/smtp.md). */
const sandbox = 'x-sib-sandbox';

export function createSubmission(options: SubmissionOptions): Intake {
  return {
    bytesMax: limits.mailBytesMax,
    isOpen: () => false,
    takes(recipient, { caller }) {
      if (!caller) return false;
      requireAddress(recipient);
      return true;
    },
    look: () => createLineCheck(limits.lineBytesMax),
    receive: (transaction, mail) => submit(options, transaction, mail),
  };
}

async function submit(options: SubmissionOptions, transaction: Transaction, { bytes }: Body): Promise<string> {
  const mail = bufferOf(bytes);
  const header = readHeader(mail, limits);
  const request = requestOf(transaction, mail, header);
  const warning = warnAboutKey(request.key, null, '') ?? options.keyless.warn(request);
  if (warning) log.oddRequest(transaction.id, warning);
  const found = await options.accepting.lookUp(request);
  if (found.kind !== 'new') return toReply(found, request);
  const outcome = await options.accepting.commit(found, prepare(options, found, { transaction, mail, header }));
  return toReply(outcome, request);
}

/** What a submission is told from another by is its envelope and its content, not the bytes that a client writes anew. */
function requestOf(transaction: Transaction, mail: Buffer, header: ReadHeader): SendRequest {
  const { id, caller, client, from, to } = transaction;
  if (!caller) throw new AppError('missing_api_key', 'Sign in first, with an API key as the password.');
  const asked: Asked = { from, to: to.toSorted(), subject: subjectOf(header), content: hashContent(mail, header) };
  const key = readIdempotencyKey(rawHeadersOf(header), 'resend-idempotency-key');
  return requestTo(
    endpoint,
    { caller, userAgent: client.name, requestId: id, traceparent: null },
    { key, body: Buffer.from(JSON.stringify(asked)), json: asked },
  );
}

/** As Node hands over those of HTTP: name and value in turn, the value one character a byte. */
function rawHeadersOf({ fields }: ReadHeader): string[] {
  return fields.flatMap(({ name, value }) => [name, Buffer.from(value).toString('latin1')]);
}

type Written = { transaction: Transaction; mail: Buffer; header: ReadHeader };

async function prepare({ now, name, reader }: SubmissionOptions, turn: Turn, written: Written): Promise<Submission> {
  const { transaction, mail, header } = written;
  const head = readHead(header, transaction.to, limits);
  const schedule = await readSchedule(valuesOf(header, 'resend-scheduled-at'), turn.rendering, now());
  const template = readTemplateAsked(header);
  if (template) {
    const parts = { reader, account: turn.request.account, rendering: turn.rendering };
    const made = await fillTemplate(parts, template, { head, header, mail, returnPath: transaction.from });
    return submissionOf({ ...made, ...schedule }, header);
  }
  const bytes = withoutOurs(mail, header);
  const raw = {
    bytes,
    messageId:
      valuesOf(header, 'message-id')[0]
        ?.replace(/[^!-~]+/g, '')
        .slice(0, 900) || null,
    hasDate: valuesOf(header, 'date').length > 0,
    trace: { by: name, protocol: transaction.client.protocol },
    ...(asksAnything(transaction.dsn) ? { dsn: transaction.dsn } : {}),
  };
  const message: Message = {
    ...toMessage(head, await readMailIn(turn.rendering, bytes)),
    ...schedule,
    raw,
    returnPath: transaction.from,
  };
  return submissionOf(message, header);
}

function submissionOf(message: Message, header: ReadHeader): Submission {
  if (valuesOf(header, sandbox).some((value) => value.toLowerCase() === 'drop'))
    return { messages: [], answer: () => tried };
  return { messages: [message], answer: ([email]) => ({ status: 250, body: `2.0.0 queued as ${email?.id}` }) };
}

const tried = { status: 250, body: '2.0.0 sandbox: nothing was queued' };

function toReply(outcome: Outcome, request: SendRequest): string {
  switch (outcome.kind) {
    case 'accepted':
      return outcome.answer.body;
    case 'replay':
      return outcome.record.body;
    case 'conflict': {
      const { record, fields } = outcome;
      log.conflict(request.origin.request ?? '', shortHash(record.keyHash), fields ?? []);
      throw new AppError('idempotency_mismatch', conflictText(record.emailIds, fields));
    }
    default:
      return outcome satisfies never;
  }
}

function conflictText(emailIds: readonly string[], fields: string[] | null): string {
  const what = fields === null || fields.length === 0 ? '' : ` with other ${fields.join(', ')}`;
  return `This Resend-Idempotency-Key was used for another mail${what}, which was accepted as ${emailIds.join(', ')}; this one was not.`;
}

function requireAddress(recipient: string): void {
  if (parseMailbox(recipient)?.address !== recipient) {
    throw new AppError('invalid_parameter', 'The recipient is no address that mail could go to.');
  }
}
