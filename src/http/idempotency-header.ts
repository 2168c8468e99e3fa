/** The key a client names its operation by, read from the raw headers: Node joins repeated ones, which would hide a mistake. */

import { AppError } from '../core/error.ts';

/** Contract: "Idempotency keys, if present, must have between 1 and 256 characters." */
const keyCharsMax = 256;

/** Null where the header is absent. @throws AppError `invalid_idempotency_key` when empty, too long, or sent twice. */
export function readIdempotencyKey(rawHeaders: string[]): string | null {
  const values: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 15 && name.toLowerCase() === 'idempotency-key') values.push(rawHeaders[index + 1] ?? '');
  }
  if (values.length === 0) return null;
  if (values.length > 1) throw invalid('The Idempotency-Key header was sent more than once.');
  const key = decode(values[0] ?? '');
  const length = [...key].length;
  if (length < 1 || length > keyCharsMax) {
    throw invalid(`Idempotency keys, if present, must have between 1 and ${keyCharsMax} characters.`);
  }
  return key;
}

/** Header bytes arrive as Latin-1; most clients mean UTF-8. */
function decode(value: string): string {
  const bytes = Buffer.from(value, 'latin1');
  const text = bytes.toString('utf8');
  return text.includes('\uFFFD') ? value : text;
}

function invalid(message: string): AppError {
  return new AppError('invalid_idempotency_key', message);
}

/** What an unset variable looks like once it has been made a string. */
const accidents = new Set(['none', 'undefined', 'null', 'nan', '[object object]']);

/** A sentence about a key that is probably a client's accident, null where nothing seems wrong. */
export function warnAboutKey(key: string | null, body: unknown): string | null {
  if (key !== null && accidents.has(key.toLowerCase())) {
    return `The idempotency key is the text "${key}": probably an unset variable, which makes unlike requests look the same.`;
  }
  if (key !== null || typeof body !== 'object' || body === null) return null;
  const misplaced = ['idempotency_key', 'idempotencyKey'].find((member) => member in body);
  if (!misplaced) return null;
  return `\`${misplaced}\` in the body is ignored: send it as the Idempotency-Key header. This request was not protected against a retry.`;
}
