/** The plain members of a send request: presence, texts, header fields, tags. */

import type { Tag } from '../../core/email.ts';
import { AppError, type ErrorDetails } from '../../core/error.ts';
import { breaksLine, headerNameCharsMax, isAbsent, isFields, isHeaderName, wellFormed } from '../fields.ts';
import type { ResendLimits } from './limits.ts';

export function invalidField(field: string, rule: string, details: ErrorDetails = {}): AppError {
  return new AppError('invalid_field', `Invalid \`${field}\` field. ${rule}`, details);
}

export function missingField(field: string, details: ErrorDetails = {}): AppError {
  return new AppError('missing_field', `Missing \`${field}\` field.`, details);
}

/** Null where absent; `""` is kept, since for `text` it means something (docs/resend.md). */
export function parseText(field: string, value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string') throw invalidField(field, 'It must be a string.');
  return wellFormed(value);
}

export function parseSubject(value: unknown, limits: ResendLimits): string {
  if (typeof value !== 'string') throw invalidField('subject', 'It must be a string.');
  if (breaksLine(value)) throw invalidField('subject', 'Line breaks and NUL characters are not allowed.');
  if (value.length > limits.subjectCharsMax) {
    throw invalidField('subject', `It must have at most ${limits.subjectCharsMax} characters.`);
  }
  return wellFormed(value);
}

export function parseHeaders(value: unknown, limits: ResendLimits): [name: string, value: string][] {
  // PHP writes an empty map as `[]`.
  if (isAbsent(value) || (Array.isArray(value) && value.length === 0)) return [];
  if (!isFields(value)) throw invalidField('headers', 'It must be an object of strings.');
  const entries = Object.entries(value);
  if (entries.length > limits.headersMax) {
    throw invalidField('headers', `The number of headers must be at most ${limits.headersMax}.`);
  }
  const headers: [string, string][] = [];
  for (const [name, raw] of entries) {
    if (!isAbsent(raw)) headers.push([parseHeaderName(name), parseHeaderValue(raw, limits)]);
  }
  return headers;
}

function parseHeaderName(name: string): string {
  if (!isHeaderName(name)) {
    throw invalidField(
      'headers',
      `A header name must be 1 to ${headerNameCharsMax} printable ASCII characters without spaces or colons.`,
    );
  }
  return name;
}

function parseHeaderValue(raw: unknown, limits: ResendLimits): string {
  const value = parseScalar(raw);
  if (value === null) throw invalidField('headers', 'A header value must be a string.');
  if (breaksLine(value)) {
    throw invalidField('headers', 'Line breaks and NUL characters are not allowed in a header value.');
  }
  if (value.length > limits.headerValueCharsMax) {
    throw invalidField('headers', `A header value must have at most ${limits.headerValueCharsMax} characters.`);
  }
  return wellFormed(value);
}

/**
 * Numbers and booleans are written out rather than refused: languages without types send `X-Priority: 1` as a number,
 * and there is only one text it can mean.
 */
function parseScalar(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return null;
}

const tagText = /^[A-Za-z0-9_-]*$/;

export function parseTags(value: unknown, limits: ResendLimits): Tag[] {
  if (isAbsent(value)) return [];
  // Some clients write a map of names to values.
  if (isFields(value))
    return parseTags(
      Object.entries(value).map(([name, one]) => ({ name, value: one })),
      limits,
    );
  if (!Array.isArray(value)) throw invalidField('tags', 'It must be an array of `{ name, value }` objects.');
  if (value.length > limits.tagsMax) {
    throw invalidField('tags', `The number of tags must be at most ${limits.tagsMax}.`);
  }
  return value.map((tag) => parseTag(tag, limits));
}

function parseTag(tag: unknown, limits: ResendLimits): Tag {
  if (!isFields(tag)) throw invalidField('tags', 'It must be an array of `{ name, value }` objects.');
  if (isAbsent(tag.name)) throw invalidField('tags', 'Each tag must have a `name`.');
  return {
    name: parseTagText(tag.name, limits),
    // The OpenAPI file requires only the name.
    value: isAbsent(tag.value) ? '' : parseTagText(tag.value, limits),
  };
}

function parseTagText(raw: unknown, limits: ResendLimits): string {
  const text = parseScalar(raw);
  if (text === null) throw invalidField('tags', 'A tag `name` and `value` must be strings.');
  // docs/resend.md, observed live.
  if (!tagText.test(text)) {
    throw new AppError('invalid_field', 'Tags should only contain ASCII letters, numbers, underscores, or dashes.');
  }
  if (text.length > limits.tagCharsMax) {
    throw invalidField('tags', `A tag \`name\` and \`value\` must have at most ${limits.tagCharsMax} characters.`);
  }
  return text;
}

/** Whether there is such a topic is asked before the mail is accepted (topic-of.ts). */
export function parseTopicId(value: unknown, limits: ResendLimits): string | null {
  if (isAbsent(value)) return null;
  if (typeof value !== 'string' || value.length > limits.topicIdCharsMax) {
    throw invalidField('topic_id', `It must be a string of at most ${limits.topicIdCharsMax} characters.`);
  }
  return wellFormed(value);
}
