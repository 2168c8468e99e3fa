/** From the bytes of a request to JSON: what is no text, no JSON, or too much of either, is refused with a sentence. */

import { isUtf8 } from 'node:buffer';
import { collectAfter } from '../collect.ts';
import { AppError } from '../core/error.ts';

/** Undefined where there is no body (some SDKs send a JSON content type with none). @throws AppError `invalid_json` */
export function parseJson(body: Uint8Array): unknown {
  if (body.length === 0) return undefined;
  if (!isUtf8(body)) throw notUtf8();
  const parsed = parseText(body);
  // The text is as large again, and needed no more.
  collectAfter(body.length);
  return parsed;
}

function parseText(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8'));
  } catch (cause) {
    throw new AppError('invalid_json', `The request body is not valid JSON: ${(cause as Error).message}`, { cause });
  }
}

/** Decoded all the same, each byte that is none would leave as U+FFFD in somebody's mail. */
function notUtf8(): AppError {
  const message =
    'The request body is not valid JSON: it must be UTF-8 (RFC 8259), and some of its bytes are not. Encode it as UTF-8, or escape such characters as \\uXXXX.';
  return new AppError('invalid_json', message);
}

/** @throws AppError `invalid_json` for a body that is compressed: what it would unpack to nobody knows. */
export function refuseCompressed(encoding: string | undefined): void {
  const coding = encoding?.trim().toLowerCase() ?? '';
  if (coding === '' || coding === 'identity') return;
  throw new AppError(
    'invalid_json',
    `The request body is not valid JSON: it is compressed (Content-Encoding: ${coding.slice(0, 20)}), which this server does not read. Send it as it is.`,
  );
}
