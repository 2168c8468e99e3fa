/** /suppressions: the addresses this account does not mail, one at a time or up to a hundred at once. */

import { parseMailbox } from '../../core/address.ts';
import { AppError } from '../../core/error.ts';
import { type SuppressionOrigin, suppressionOrigins } from '../../core/suppression.ts';
import type { Reader } from '../../store/database.ts';
import { findSuppression, listSuppressions, type Suppression, type SuppressionName } from '../../store/suppressions.ts';
import type { Suppress } from '../../use-cases/suppress.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { breaksLine, type Fields, isAbsent, isFields } from '../fields.ts';
import { refusalTexts } from './errors.ts';
import { resendLimits } from './limits.ts';
import { invalidField, missingField } from './parse-fields.ts';
import { parsePagination } from './parse-query.ts';
import { renderTime } from './render.ts';

export type SuppressionParts = { database: Reader; suppress: Suppress };

export async function addSuppression(parts: SuppressionParts, call: Call): Promise<Reply> {
  const fields = await readFields(call);
  if (isAbsent(fields.email)) throw missingField('email');
  const [added] = await addAll(parts, call, [parseEmail('email', fields.email)], parseOrigin(fields.origin));
  return { status: 201, body: JSON.stringify(added) };
}

export async function addSuppressions(parts: SuppressionParts, call: Call): Promise<Reply> {
  const fields = await readFields(call);
  const addresses = parseBatch('emails', fields.emails, (one) => parseEmail('emails', one));
  const data = await addAll(parts, call, addresses, parseOrigin(fields.origin));
  return { status: 201, body: JSON.stringify({ data }) };
}

/** All or none; an address that is suppressed already answers with the id it has. */
async function addAll({ suppress }: SuppressionParts, call: Call, addresses: string[], origin: SuppressionOrigin) {
  const held = await suppress.add(call.caller.account, addresses, origin);
  return held.map(({ id }) => ({ object: 'suppression', id }));
}

export async function showSuppressions({ database }: SuppressionParts, call: Call): Promise<Reply> {
  const query = call.query();
  const page = { ...parsePagination(query), origin: query.origin ? parseOrigin(query.origin) : null };
  const { suppressions, hasMore } = await listSuppressions(database, call.caller.account, page);
  return ok({ object: 'list', has_more: hasMore, data: suppressions.map(membersOf) });
}

export async function showSuppression({ database }: SuppressionParts, call: Call): Promise<Reply> {
  const found = await findSuppression(database, call.caller.account, nameIn(call));
  if (!found) throw notFound();
  return ok({ object: 'suppression', ...membersOf(found) });
}

export async function removeSuppression({ suppress }: SuppressionParts, call: Call): Promise<Reply> {
  const [removed] = await suppress.remove(call.caller.account, [nameIn(call)]);
  if (!removed) throw notFound();
  return ok({ object: 'suppression', id: removed.id, deleted: true });
}

export async function removeSuppressions({ suppress }: SuppressionParts, call: Call): Promise<Reply> {
  const names = parseNames(await readFields(call));
  const removed = await suppress.remove(call.caller.account, names);
  const data = names.flatMap((name, index) => {
    const one = removed[index];
    if (one) return [{ object: 'suppression', id: one.id, deleted: true }];
    // An address that was not suppressed has no id to answer with.
    return 'id' in name ? [{ object: 'suppression', id: name.id, deleted: false }] : [];
  });
  return ok({ data });
}

async function readFields(call: Call): Promise<Fields> {
  const body = parseJson(await call.body());
  if (!isFields(body)) throw new AppError('invalid_field', 'The request body must be a JSON object.');
  return body;
}

function parseNames(fields: Fields): SuppressionName[] {
  if (isAbsent(fields.emails) === isAbsent(fields.ids)) {
    throw new AppError('invalid_field', 'Provide either `emails` or `ids`, but not both.');
  }
  if (isAbsent(fields.ids)) {
    return parseBatch('emails', fields.emails, (one) => ({ address: parseEmail('emails', one) }));
  }
  return parseBatch('ids', fields.ids, (one) => {
    if (typeof one !== 'string') throw invalidField('ids', 'It must be an array of strings.');
    return { id: one.toLowerCase() };
  });
}

function parseBatch<T>(field: string, value: unknown, parse: (one: unknown) => T): T[] {
  if (isAbsent(value)) throw missingField(field);
  const most = resendLimits.batchMax;
  if (!Array.isArray(value) || value.length === 0 || value.length > most) {
    throw invalidField(field, `It must be an array of 1 to ${most} items.`);
  }
  return value.map(parse);
}

function parseEmail(field: string, value: unknown): string {
  const isText = typeof value === 'string' && value.length <= resendLimits.addressCharsMax && !breaksLine(value);
  const mailbox = isText ? parseMailbox(value) : null;
  if (!mailbox) throw invalidField(field, 'It must be an email address, as `email@example.com`.');
  return mailbox.address;
}

/** In a body our own: complaints and bounces that an operator learned elsewhere are recorded as what they are. */
function parseOrigin(value: unknown): SuppressionOrigin {
  if (isAbsent(value)) return 'manual';
  const origin = suppressionOrigins.find((one) => one === value);
  if (!origin)
    throw invalidField('origin', `It must be one of ${suppressionOrigins.map((one) => `\`${one}\``).join(', ')}.`);
  return origin;
}

function nameIn(call: Call): SuppressionName {
  const text = call.param('suppression').trim();
  return text.includes('@') ? { address: parseMailbox(text)?.address ?? text } : { id: text.toLowerCase() };
}

function membersOf(one: Suppression) {
  return {
    id: one.id,
    email: one.address,
    origin: one.origin,
    source_id: one.sourceId,
    created_at: renderTime(one.createdAt),
  };
}

function notFound(): AppError {
  return new AppError('not_found', refusalTexts.suppressionNotFound);
}

function ok(body: unknown): Reply {
  return { status: 200, body: JSON.stringify(body) };
}
