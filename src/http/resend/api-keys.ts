/** /api-keys: the keys of the caller's own account. A token is shown once, when it is made. */

import { AppError } from '../../core/error.ts';
import { listKeysInUse, type Permission } from '../../store/api-keys.ts';
import type { Reader } from '../../store/database.ts';
import type { ApiKeys } from '../../use-cases/api-keys.ts';
import type { Domains } from '../../use-cases/domains.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { type Fields, isAbsent, isFields } from '../fields.ts';
import { refusalTexts } from './errors.ts';
import { invalidField, missingField } from './parse-fields.ts';
import { parsePagination, sliceOf } from './parse-query.ts';
import { renderTime } from './render.ts';

export type ApiKeyParts = { database: Reader; domains: Domains; apiKeys: ApiKeys };

/** docs/resend.md: a key's name has at most 50 characters. */
export const keyNameCharsMax = 50;

export async function createApiKey({ domains, apiKeys }: ApiKeyParts, call: Call): Promise<Reply> {
  const fields = await readFields(call);
  const name = parseName(fields.name);
  const permission = parsePermission(fields.permission);
  const domain = await domainOf(domains, call, fields.domain_id, permission);
  const { id, token } = await apiKeys.make({ account: call.caller.account, name, permission, domain });
  // The real API says `list` (docs/resend.md).
  return reply(201, { id, object: 'list', token });
}

export async function showApiKeys({ database }: ApiKeyParts, call: Call): Promise<Reply> {
  const query = call.query();
  const all = (await listKeysInUse(database, call.caller.account)).reverse();
  // As the real API's older lists: without a limit all of them.
  const page = { ...parsePagination(query), ...(query.limit ? {} : { limit: Math.max(1, all.length) }) };
  const { items, hasMore } = sliceOf(all, page);
  const data = items.map(({ id, name, createdAt, lastUsedAt }) => ({
    id,
    name,
    created_at: renderTime(createdAt),
    last_used_at: lastUsedAt === null ? null : renderTime(lastUsedAt),
  }));
  return reply(200, { object: 'list', has_more: hasMore, data });
}

export async function changeApiKey({ apiKeys }: ApiKeyParts, call: Call): Promise<Reply> {
  const { name } = await readFields(call);
  const id = call.param('id');
  if (!(await apiKeys.rename(call.caller.account, id, parseName(name)))) throw notFound();
  return reply(200, { object: 'api_key', id });
}

export async function removeApiKey({ apiKeys }: ApiKeyParts, call: Call): Promise<Reply> {
  const id = call.param('id');
  if (!(await apiKeys.revoke(id, call.caller.account))) throw notFound();
  return reply(200, { object: 'list', id, deleted: true });
}

async function readFields(call: Call): Promise<Fields> {
  const body = parseJson(await call.body());
  if (!isFields(body)) throw new AppError('invalid_field', 'The request body must be a JSON object.');
  return body;
}

/** The real API takes an empty one. */
function parseName(value: unknown): string {
  if (value === undefined || value === null) throw missingField('name');
  if (typeof value !== 'string' || value.length > keyNameCharsMax)
    throw invalidField('name', `It must be a text of at most ${keyNameCharsMax} characters.`);
  return value;
}

function parsePermission(value: unknown): Permission {
  if (isAbsent(value) || value === 'full_access') return 'full_access';
  if (value === 'sending_access') return value;
  throw new AppError('invalid_field', 'Access must be "full_access" | "sending_access"');
}

/** By its name: a domain that is deleted and made anew is the same one. */
async function domainOf(domains: Domains, call: Call, id: unknown, permission: Permission): Promise<string | null> {
  if (isAbsent(id)) return null;
  if (permission !== 'sending_access') throw invalidField('domain_id', 'It is for keys with `sending_access` only.');
  const domain = typeof id === 'string' ? await domains.find(call.caller.account, { id }) : null;
  if (!domain) throw invalidField('domain_id', 'There is no such domain.');
  return domain.name;
}

function notFound(): AppError {
  return new AppError('not_found', refusalTexts.apiKeyNotFound);
}

function reply(status: number, body: unknown): Reply {
  return { status, body: JSON.stringify(body) };
}
