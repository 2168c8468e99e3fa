/** The people of a request: `sender`, `to`, `cc`, `bcc`, `replyTo`; each an object, never a bare text. */

import { parseMailbox, writeMailbox } from '../../core/address.ts';
import { AppError } from '../../core/error.ts';
import { isAbsent, isFields, wellFormed } from '../fields.ts';
import { brevoLimits } from './limits.ts';
import { invalid, missing } from './refusal.ts';

/** A mailbox, or the number of a stored sender; null where the template's has to do. */
export type SenderRef = { from: string } | { id: number } | null;

export function parseSender(value: unknown): SenderRef {
  if (value === undefined || value === null) return null;
  if (!isFields(value)) throw invalid('sender', 'it must be an object with an email or an id');
  // `name` is ignored beside an id.
  if (!isAbsent(value.id)) return { id: parseSenderId(value.id) };
  if (isAbsent(value.email)) {
    throw new AppError('missing_field', 'One of sender email or sender ID is mandatory');
  }
  if (value.name === '') throw missing('sender name');
  const name = parseName('sender', value.name);
  const from = typeof value.email === 'string' ? writeMailbox({ name, address: value.email.trim() }) : null;
  if (from !== null) return { from };
  if (typeof value.email === 'string' && isBareAddress(value.email)) throw invalid('sender name');
  throw new AppError('invalid_field', 'valid sender email required');
}

function parseSenderId(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  throw invalid('sender id', 'it must be a number');
}

/** Absent is empty. */
export function parseRecipients(field: 'to' | 'cc' | 'bcc', value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid(field, 'it must be an array of objects');
  // Before each of them is read.
  if (value.length > brevoLimits.requestRecipientsMax) throw tooManyRecipients(field);
  return value.map((item) => parseRecipient(field, item));
}

export function tooManyRecipients(field: string): AppError {
  return invalid(field, `a request must have at most ${brevoLimits.requestRecipientsMax} recipients`);
}

function parseRecipient(field: string, item: unknown): string {
  if (!isFields(item)) throw invalid(field, 'each recipient must be an object with an email');
  const consent = item.contactPixelTrackingConsent;
  if (consent !== undefined && consent !== null && typeof consent !== 'boolean') {
    throw invalid(`contactPixelTrackingConsent in ${field}`, 'it must be a boolean');
  }
  return parseMember(field, item);
}

/** One object, alone or in an array (AdonisJS); an empty one is none (Strapi). Several are refused, as Brevo does. */
export function parseReplyTo(value: unknown): string[] {
  const [one, ...others] = Array.isArray(value) ? value : [value];
  if (others.length > 0) throw invalid('replyTo', 'it must be one object with an email');
  if (one === undefined || one === null) return [];
  if (!isFields(one)) throw invalid('replyTo', 'it must be one object with an email');
  return Object.keys(one).length === 0 ? [] : [parseMember('replyTo', one)];
}

function parseMember(field: string, item: Record<string, unknown>): string {
  if (isAbsent(item.email)) throw missing(`email in ${field}`);
  if (typeof item.email !== 'string' || !isBareAddress(item.email)) throw invalidEmail(field);
  const mailbox = writeMailbox({ name: parseName(field, item.name), address: item.email.trim() });
  if (mailbox === null) throw invalid(`name in ${field}`);
  return mailbox;
}

/** Nothing around the address, line breaks least of all: those are somebody's mistake or somebody's injection. */
function isBareAddress(text: string): boolean {
  return !/[<>\r\n\0]/.test(text) && parseMailbox(text) !== null;
}

function parseName(field: string, value: unknown): string {
  if (isAbsent(value)) return '';
  if (typeof value !== 'string') throw invalid(`name in ${field}`, 'it must be a string');
  if (value.length > brevoLimits.nameCharsMax) {
    throw invalid(`name in ${field}`, `it must have at most ${brevoLimits.nameCharsMax} characters`);
  }
  // Before it is trimmed: a line break at the end is no name either.
  if (/\p{Cc}/u.test(value)) throw invalid(`name in ${field}`, 'it must not contain line breaks or control characters');
  return wellFormed(value).trim();
}

/** Byte for byte what clients know. */
function invalidEmail(field: string): AppError {
  return new AppError('invalid_field', `email is not valid in ${field}`);
}
