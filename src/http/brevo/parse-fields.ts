/** The plain members of a send request: subject, bodies, headers, tags, params, numbers. */

import type { Tag } from '../../core/email.ts';
import {
  breaksLine,
  type Fields,
  headerNameCharsMax,
  isAbsent,
  isFields,
  isHeaderName,
  wellFormed,
} from '../fields.ts';
import { brevoLimits } from './limits.ts';
import { invalid, missing } from './refusal.ts';

/** Null where absent or empty. */
export function parseSubject(value: unknown): string | null {
  if (isAbsent(value)) return null;
  if (typeof value !== 'string') throw invalid('subject', 'it must be a string');
  return checkSubject(value);
}

/** Also asked of what a template made of a subject: params can hold line breaks. */
export function checkSubject(subject: string): string {
  if (breaksLine(subject)) throw invalid('subject', 'line breaks and NUL characters are not allowed');
  if (subject.length > brevoLimits.subjectCharsMax) {
    throw invalid('subject', `it must have at most ${brevoLimits.subjectCharsMax} characters`);
  }
  return wellFormed(subject);
}

/** Null where absent. An empty text is a mistake (docs/brevo.md), an empty html is none. */
export function parseBody(field: 'htmlContent' | 'textContent', value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string') throw invalid(field, 'it must be a string');
  if (value === '' && field === 'textContent') throw missing(field);
  return value === '' ? null : wellFormed(value);
}

/** What headers say to us, and what of them goes into the mail. */
export type ParsedHeaders = {
  mail: Map<string, string>;
  isSandbox: boolean;
  /** Names found that are about the request as a whole. */
  ofRequest: string[];
};

/** Names that speak to Brevo; they are no header fields of the mail. */
const ofRequest = new Set(['idempotencykey', 'idempotency-key', 'x-sib-sandbox']);
/** Which dedicated address to send from: a relay's business here. */
const senderIp = 'sender.ip';

export function parseHeaders(value: unknown): ParsedHeaders {
  const parsed: ParsedHeaders = { mail: new Map(), isSandbox: false, ofRequest: [] };
  // PHP writes an empty map as `[]`.
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) return parsed;
  if (!isFields(value)) throw invalid('headers', 'it must be an object of strings');
  const entries = Object.entries(value).filter(([, one]) => one !== null);
  if (entries.length > brevoLimits.headersMax)
    throw invalid('headers', `there must be at most ${brevoLimits.headersMax}`);
  for (const [name, raw] of entries) {
    const text = parseHeader(name, raw);
    const lower = name.toLowerCase();
    if (ofRequest.has(lower)) parsed.ofRequest.push(name);
    else if (lower !== senderIp) parsed.mail.set(titleCase(name), text);
    if (lower === 'x-sib-sandbox') parsed.isSandbox = text.trim().toLowerCase() === 'drop';
  }
  return parsed;
}

function parseHeader(name: string, raw: unknown): string {
  if (!isHeaderName(name)) {
    throw invalid(
      'headers',
      `a name must be 1 to ${headerNameCharsMax} printable ASCII characters without spaces or colons`,
    );
  }
  if (typeof raw !== 'string') throw invalid('headers', `the value of ${name} must be a string`);
  if (breaksLine(raw)) throw invalid('headers', `the value of ${name} must not contain line breaks or NUL characters`);
  if (raw.length > brevoLimits.headerValueCharsMax) {
    throw invalid('headers', `the value of ${name} must have at most ${brevoLimits.headerValueCharsMax} characters`);
  }
  return wellFormed(raw);
}

/** `x-custom-id` is `X-Custom-Id`, as Brevo converts it. */
function titleCase(name: string): string {
  return name.toLowerCase().replace(/(?<=^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

/** The one tag that means something to us is written as the header is: `sendonce-in-doubt: send-again`. */
const policyTag = /^(sendonce-in-doubt): *(.*)$/i;

/** A tag of ours has a name and a value; Brevo's are names only. */
export function parseTags(value: unknown): Tag[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid('tags', 'it must be an array of strings');
  if (value.length > brevoLimits.tagsMax) throw invalid('tags', `there must be at most ${brevoLimits.tagsMax}`);
  return value.map((tag) => {
    if (typeof tag !== 'string' || tag.trim() === '') throw invalid('tags', 'each must be a string that is not empty');
    if (breaksLine(tag)) throw invalid('tags', 'line breaks and NUL characters are not allowed');
    if (tag.length > brevoLimits.tagCharsMax)
      throw invalid('tags', `each must have at most ${brevoLimits.tagCharsMax} characters`);
    const [, name = wellFormed(tag), policy = ''] = policyTag.exec(tag) ?? [];
    return { name, value: policy };
  });
}

/** What templates are filled with. Null where absent. */
export function parseParams(value: unknown): Fields | null {
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) return null;
  if (!isFields(value)) throw invalid('params', 'it must be an object');
  return value;
}

/** @throws AppError where one params object is too large or too deep to be read. */
export function paramsBytes(params: Fields): number {
  const bytes = sizeOf(params);
  if (bytes > brevoLimits.paramsBytesMax) {
    throw invalid('params', `it must have at most ${brevoLimits.paramsBytesMax / 1024} KB`);
  }
  return bytes;
}

function sizeOf(params: Fields): number {
  try {
    return Buffer.byteLength(JSON.stringify(params));
  } catch (error) {
    if (error instanceof RangeError) throw invalid('params', 'it is nested too deeply');
    throw error;
  }
}

/** Null where absent. Brevo takes only numbers here, although templates may also be named by texts elsewhere. */
export function parseTemplateId(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  throw invalid('templateId', 'it must be a number');
}
