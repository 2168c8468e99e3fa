/** Brevo's blocked domains: no mail goes to any address at one. */

import { parseDomain } from '../../core/domain.ts';
import { AppError } from '../../core/error.ts';
import type { Reader } from '../../store/database.ts';
import { listBlockedDomains } from '../../store/suppressions.ts';
import type { Suppress } from '../../use-cases/suppress.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { isAbsent, isFields } from '../fields.ts';
import { invalid, missing } from './refusal.ts';

export type BlockedDomainParts = { database: Reader; suppress: Suppress };

export async function list({ database }: BlockedDomainParts, call: Call): Promise<Reply> {
  const domains = await listBlockedDomains(database, call.caller.account);
  return { status: 200, body: JSON.stringify({ domains }) };
}

export async function block({ suppress }: BlockedDomainParts, call: Call): Promise<Reply> {
  const body = parseJson(await call.body());
  const { domain } = isFields(body) ? body : {};
  if (isAbsent(domain)) throw missing('domain');
  const name = typeof domain === 'string' ? parseDomain(domain) : null;
  if (name === null) throw invalid('domain', 'it must be a domain');
  await suppress.blockDomain(call.caller.account, name);
  return { status: 201, body: '{}' };
}

export async function unblock({ suppress }: BlockedDomainParts, call: Call): Promise<Reply> {
  const name = parseDomain(call.param('domain'));
  const isUnblocked = name !== null && (await suppress.unblockDomain(call.caller.account, name));
  if (!isUnblocked) throw new AppError('not_found', 'Domain is not blocked');
  return { status: 204, body: null };
}
