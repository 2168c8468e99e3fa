/** The key a client names its operation by, read from the raw headers: Node joins repeated ones, which would hide a mistake. */

import { AppError } from '../core/error.ts';
import { keyFromBytes } from '../core/key-text.ts';

/** Contract: "Idempotency keys, if present, must have between 1 and 256 characters." */
const keyCharsMax = 256;

/**
 * Null where the header is absent; `name` in lower case.
 * @throws AppError `invalid_idempotency_key` when empty, too long, or sent twice.
 */
export function readIdempotencyKey(rawHeaders: string[], name = 'idempotency-key'): string | null {
  const values: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const sent = rawHeaders[index];
    if (sent?.length === name.length && sent.toLowerCase() === name) values.push(rawHeaders[index + 1] ?? '');
  }
  if (values.length === 0) return null;
  if (values.length > 1) throw invalid('The Idempotency-Key header was sent more than once.');
  return checkIdempotencyKey(keyFromBytes(values[0] ?? ''));
}

/** @throws AppError `invalid_idempotency_key` */
export function checkIdempotencyKey(key: string): string {
  // Before it is taken apart: Brevo's stands in the body, and may have any length.
  const length = key.length > 2 * keyCharsMax ? key.length : [...key].length;
  if (length >= 1 && length <= keyCharsMax) return key;
  throw invalid(`Idempotency keys, if present, must have between 1 and ${keyCharsMax} characters.`);
}

function invalid(message: string): AppError {
  return new AppError('invalid_idempotency_key', message);
}

/** Tells until when a retry under the key is none; nothing where there is no key. */
export function keyExpiresHeader(expiresAt: number | null): Record<string, string> {
  return expiresAt === null ? {} : { 'sendonce-key-expires': new Date(expiresAt).toISOString() };
}

/** What an unset variable looks like once it has been made a string. */
const accidents = new Set(['none', 'undefined', 'null', 'nan', '[object object]']);

/**
 * A sentence about a key that is probably a client's accident, null where nothing seems wrong. `place` says where a key in
 * the body should have been.
 */
export function warnAboutKey(key: string | null, body: unknown, place: string): string | null {
  if (key !== null && accidents.has(key.toLowerCase())) {
    return `The idempotency key is the text "${key}": probably an unset variable, which makes unlike requests look the same.`;
  }
  if (key !== null || typeof body !== 'object' || body === null) return null;
  const misplaced = ['idempotency_key', 'idempotencyKey'].find((member) => member in body);
  if (!misplaced) return null;
  return `\`${misplaced}\` in the body is ignored: send it ${place}. This request was not protected against a retry.`;
}
