/** Request bodies of POST /emails and POST /emails/batch to drafts (docs/resend.md). */

import { type Draft, draftBytes } from '../../core/draft.ts';
import { AppError, hinted } from '../../core/error.ts';
import { type Fields, isAbsent, isFields } from '../fields.ts';
import type { Members } from '../misspelt.ts';
import { type ResendLimits, resendLimits } from './limits.ts';
import { parseAddress, parseAddresses } from './parse-address.ts';
import { parseAttachments } from './parse-attachment.ts';
import {
  invalidField,
  missingField,
  parseHeaders,
  parseSubject,
  parseTags,
  parseText,
  parseTopicId,
} from './parse-fields.ts';
import { noWords, parseSchedule, type ReadWords } from './parse-schedule.ts';

/** What an email may have, and what other APIs call it. */
export const sendMembers: Members = {
  known: [
    'from',
    'to',
    'cc',
    'bcc',
    'reply_to',
    'subject',
    'html',
    'text',
    'headers',
    'tags',
    'topic_id',
    'scheduled_at',
    'attachments',
    'template',
  ],
  elsewhere: {
    sender: 'from',
    recipients: 'to',
    body: 'text` or `html',
    htmlContent: 'html',
    textContent: 'text',
    attachment: 'attachments',
    send_at: 'scheduled_at',
    sendAt: 'scheduled_at',
  },
};

export type BatchMode = 'strict' | 'permissive';
export type BatchError = { index: number; message: string };
export type ParsedBatch = { drafts: { index: number; draft: Draft }[]; errors: BatchError[] };

/** `body` is what JSON.parse returned, undefined where there was none. Throws the first refusal as an AppError. */
export function parseSend(
  body: unknown,
  now: number,
  readWords: ReadWords = noWords,
  limits: ResendLimits = resendLimits,
): Draft {
  if (body === undefined || body === null) return parseDraft({}, now, readWords, limits);
  if (!isFields(body)) {
    throw new AppError(
      'invalid_field',
      'The request body must be a JSON object. Several emails go to `/emails/batch`.',
    );
  }
  return parseDraft(body, now, readWords, limits);
}

/**
 * Strict: the first refusal is thrown, its position added as the extra member `index`. Permissive: refusals are collected;
 * a batch that is no array, empty or too long is refused as a whole in both modes.
 */
export function parseBatch(
  body: unknown,
  mode: BatchMode,
  now: number,
  readWords: ReadWords = noWords,
  limits: ResendLimits = resendLimits,
): ParsedBatch {
  const items = parseItems(body, limits);
  const batch: ParsedBatch = { drafts: [], errors: [] };
  for (const [index, item] of items.entries()) {
    try {
      batch.drafts.push({ index, draft: parseItem(item, now, readWords, limits) });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (mode === 'strict') throw new AppError(error.code, error.message, { extra: { ...error.extra, index } });
      batch.errors.push({ index, message: error.message });
    }
  }
  return batch;
}

/** Refuses an email over 40 MB after Base64 (docs/resend.md). To be asked again once remote attachments are there. */
export function checkSize(
  draft: Pick<Draft, 'subject' | 'html' | 'text' | 'headers' | 'attachments'>,
  limits: ResendLimits = resendLimits,
): void {
  if (draftBytes(draft) > limits.emailBytesMax) {
    const megabytes = Math.floor(limits.emailBytesMax / (1024 * 1024));
    throw new AppError(
      'invalid_field',
      `The email is too large: with its attachments it must have at most ${megabytes} MB after Base64 encoding.`,
    );
  }
}

/** Of no more emails than a batch may have: the others need not be looked at. */
export function isBatch(body: unknown, limits: ResendLimits = resendLimits): body is unknown[] {
  return Array.isArray(body) && body.length <= limits.batchMax;
}

/** PHP sends `{}` for an empty batch and Ruby nothing at all (docs/resend.md): both are told what an empty array is told. */
function parseItems(body: unknown, limits: ResendLimits): unknown[] {
  const isEmptyObject = isFields(body) && Object.keys(body).length === 0;
  const items = body === undefined || body === null || isEmptyObject ? [] : body;
  if (!Array.isArray(items)) {
    throw new AppError('invalid_field', `The request body must be an array of 1 to ${limits.batchMax} emails.`);
  }
  if (items.length === 0 || items.length > limits.batchMax) {
    throw new AppError('invalid_field', `A batch must contain between 1 and ${limits.batchMax} emails.`);
  }
  return items;
}

function parseItem(item: unknown, now: number, readWords: ReadWords, limits: ResendLimits): Draft {
  // What came of its template (apply-template.ts).
  if (item instanceof AppError) throw item;
  if (!isFields(item)) throw new AppError('invalid_field', 'Each email in a batch must be a JSON object.');
  return parseDraft(item, now, readWords, limits);
}

/** What is missing is said before what is malformed; attachments come last, since decoding them is what costs. */
function parseDraft(fields: Fields, now: number, readWords: ReadWords, limits: ResendLimits): Draft {
  refuseTemplate(fields);
  refuseMissing(fields);
  const draft: Draft = {
    from: parseAddress('from', fields.from, limits),
    to: parseAddresses('to', fields.to, limits),
    cc: parseAddresses('cc', fields.cc, limits),
    bcc: parseAddresses('bcc', fields.bcc, limits),
    replyTo: parseAddresses('reply_to', fields.reply_to, limits),
    subject: parseSubject(fields.subject, limits),
    html: parseText('html', isAbsent(fields.html) ? null : fields.html),
    text: parseText('text', fields.text),
    headers: parseHeaders(fields.headers, limits),
    tags: parseTags(fields.tags, limits),
    topicId: parseTopicId(fields.topic_id, limits),
    scheduledText: null,
    scheduledAt: null,
    attachments: [],
  };
  Object.assign(draft, parseSchedule(fields.scheduled_at, now, readWords, limits));
  draft.attachments = parseAttachments(fields.attachments, limits);
  checkSize(draft, limits);
  return draft;
}

/** Whoever parses has put the template's own words in its place before; a comparison has none to look it up in. */
function refuseTemplate(fields: Fields): void {
  if (!isAbsent(fields.template)) throw invalidField('template', 'What it said then is not known any more.');
}

/** The first is the refusal, as the contract has it; all of them are the hint, so that nobody mends one at a time. */
function refuseMissing(fields: Fields): void {
  const [first, ...others] = missingOf(fields);
  if (first === undefined) return;
  const hint = others.length === 0 ? {} : hinted(`Missing as well: ${others.map(nameMissing).join(', ')}.`);
  // docs/resend.md, observed live: this one is a validation_error.
  if (first === 'html') throw new AppError('invalid_field', 'Missing `html` or `text` field.', hint);
  throw missingField(first, hint);
}

type Needed = 'from' | 'to' | 'subject' | 'html';

function missingOf(fields: Fields): Needed[] {
  const isMissing: Record<Needed, boolean> = {
    from: isAbsent(fields.from),
    to: isAbsent(fields.to) || (Array.isArray(fields.to) && fields.to.length === 0),
    subject: isAbsent(fields.subject),
    html: isAbsent(fields.html) && isAbsent(fields.text),
  };
  return (Object.keys(isMissing) as Needed[]).filter((name) => isMissing[name]);
}

function nameMissing(name: Needed): string {
  return name === 'html' ? '`html` or `text`' : `\`${name}\``;
}
