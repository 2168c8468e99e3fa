/** Brevo's blocked contacts are our suppressions: whom no mail goes to, why, and letting it through again. */

import { AppError } from '../../core/error.ts';
import { type SuppressionOrigin, whySuppressed } from '../../core/suppression.ts';
import type { Reader } from '../../store/database.ts';
import { listSuppressionsMade, type Suppression } from '../../store/suppressions.ts';
import type { Suppress } from '../../use-cases/suppress.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { isAbsent, isFields } from '../fields.ts';
import { parseEmail } from './emails.ts';
import { parseSpanIfNamed } from './parse-dates.ts';
import { parsePage } from './parse-query.ts';
import { invalid } from './refusal.ts';

export type BlockedParts = { database: Reader; suppress: Suppress; now: () => number };

/** docs/brevo.md: pages of 50, at most 100. */
const pageLimits = { limitDefault: 50, limitMax: 100 };

/** Where no days are named. */
const always = { from: 0, until: Number.MAX_SAFE_INTEGER };

const reasonCodes: Record<SuppressionOrigin, string> = {
  bounce: 'hardBounce',
  complaint: 'contactFlaggedAsSpam',
  manual: 'adminBlocked',
};

export async function list({ database, now }: BlockedParts, call: Call): Promise<Reply> {
  const query = call.query();
  const page = parsePage(query, pageLimits);
  const span = parseSpanIfNamed(query, now()) ?? always;
  const { suppressions, count } = await listSuppressionsMade(database, call.caller.account, { ...page, ...span });
  return { status: 200, body: JSON.stringify({ count, contacts: suppressions.map(render) }) };
}

/** An address is blocked whoever writes to it: there is no sender to name, and strict SDKs take no null. */
function render({ address, origin, createdAt }: Suppression) {
  return {
    email: address,
    senderEmail: '',
    blockedAt: new Date(createdAt).toISOString(),
    reason: { code: reasonCodes[origin], message: whySuppressed(origin) },
  };
}

export async function unblock({ suppress }: BlockedParts, call: Call): Promise<Reply> {
  const address = call.param('email').trim();
  const [removed] = await suppress.remove(call.caller.account, [{ address }]);
  if (!removed) throw new AppError('not_found', 'Contact is not blocked');
  return { status: 204, body: null };
}

/** POST /v3/smtp/deleteHardbounces: lets mail through again to whom a bounce blocked, after a provider's bad day. */
export async function deleteBounces({ suppress, now }: BlockedParts, call: Call): Promise<Reply> {
  const body = parseJson(await call.body());
  if (body !== undefined && !isFields(body)) {
    throw new AppError('invalid_field', 'The request body must be a JSON object.');
  }
  const { contactEmail, startDate, endDate } = body ?? {};
  const address = parseEmail('contactEmail', parseText('contactEmail', contactEmail));
  const days = { startDate: parseText('startDate', startDate), endDate: parseText('endDate', endDate) };
  const span = parseSpanIfNamed(days, now()) ?? always;
  await suppress.removeBounces(call.caller.account, { address, ...span });
  return { status: 204, body: null };
}

function parseText(name: string, value: unknown): string | undefined {
  if (isAbsent(value)) return undefined;
  if (typeof value === 'string') return value;
  throw invalid(name, 'it must be a string');
}
