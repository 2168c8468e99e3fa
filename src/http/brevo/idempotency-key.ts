/** The four places people put Brevo's idempotency key in; only the first is documented, all of them count (docs/brevo.md). */

import { AppError } from '../../core/error.ts';
import { isUuid } from '../../core/token.ts';
import type { Call } from '../call.ts';
import { isFields } from '../fields.ts';
import { checkIdempotencyKey, readIdempotencyKey } from '../idempotency-header.ts';

/** Where a key belongs, for those who put it elsewhere. */
export const keyPlace = 'as `idempotencyKey` in the `headers` of the body';

/** Null where there is none. @throws AppError `invalid_idempotency_key` */
export function readKey(call: Call, body: unknown, mustBeUuid: boolean): string | null {
  const key =
    keyInBody(body, 'idempotencykey') ??
    keyInBody(body, 'idempotency-key') ??
    readIdempotencyKey(call.rawHeaders, 'idempotencykey') ??
    readIdempotencyKey(call.rawHeaders);
  if (key !== null && mustBeUuid && !isUuid(key)) {
    throw new AppError('invalid_idempotency_key', 'idempotencyKey is not valid: it must be a UUID');
  }
  return key;
}

function keyInBody(body: unknown, name: string): string | null {
  if (!isFields(body) || !isFields(body.headers)) return null;
  const [, value] = Object.entries(body.headers).find(([member]) => member.toLowerCase() === name) ?? [];
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return checkIdempotencyKey(value);
  throw new AppError('invalid_idempotency_key', 'idempotencyKey is not valid: it must be a string');
}
