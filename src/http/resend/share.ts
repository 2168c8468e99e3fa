/** POST /emails/:id/share: a link that shows an email to whoever has it, for at most two days. */

import { AppError } from '../../core/error.ts';
import type { Reader } from '../../store/database.ts';
import { findEmailSummary } from '../../store/mail/emails.ts';
import type { Call, Reply } from '../call.ts';
import { isAbsent } from '../fields.ts';
import type { ShareLinks } from '../links/shared.ts';
import { refusalTexts } from './errors.ts';
import { readFields, reply } from './json-body.ts';
import { invalidField } from './parse-fields.ts';
import { parseEmailId } from './parse-query.ts';

export type ShareParts = { database: Reader; shareLinks: ShareLinks; now: () => number };

const minuteMs = 60_000;
const expiresMsMax = 48 * 60 * minuteMs;
const duration = /^(\d{1,4}) ?(?:(m|mins?|minutes?)|(h|hrs?|hours?)|(d|days?))$/i;

export async function share({ database, shareLinks, now }: ShareParts, call: Call): Promise<Reply> {
  const { expires_in: expiresIn } = await readFields(call);
  const { account } = call.caller;
  const email = await findEmailSummary(database, account, parseEmailId(call.param('id')));
  if (!email) throw new AppError('not_found', refusalTexts.emailNotFound);
  const url = shareLinks.create({ account, email: email.id }, now() + parseExpiry(expiresIn));
  return reply(200, { object: 'email', id: email.id, url });
}

function parseExpiry(value: unknown): number {
  if (isAbsent(value)) return expiresMsMax;
  const match = typeof value === 'string' ? duration.exec(value.trim()) : null;
  if (!match) throw invalidField('expires_in', 'It must be a duration such as `10m`, `2 hours` or `1 day`.');
  const unitMs = match[2] ? minuteMs : match[3] ? 60 * minuteMs : 24 * 60 * minuteMs;
  const expiresMs = Number(match[1]) * unitMs;
  // Byte for byte what the Node SDK's tests record.
  if (expiresMs > expiresMsMax) throw new AppError('invalid_field', 'expires_in must not exceed 48 hours');
  return expiresMs;
}
