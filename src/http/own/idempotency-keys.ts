/** GET /idempotency-keys/:key and POST /idempotency-keys/lookup, our own routes: what happened under a key, and under many. */

import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/error.ts';
import { keyFromBytes, readableKey } from '../../core/key-text.ts';
import type { KeyRecord } from '../../store/idempotency.ts';
import type { FindKeyLives, KeyLife, LookUpKeys } from '../../use-cases/key-history.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { isAbsent, isFields } from '../fields.ts';
import { checkIdempotencyKey } from '../idempotency-header.ts';

export type KeyParts = {
  clock: Clock;
  findKeyLives: FindKeyLives;
  lookUpKeys: LookUpKeys;
  /** By what `endpoint` may say. */
  keyScopes: ReadonlyMap<string, string>;
};

export const keyPath = '/idempotency-keys/';
export const lookupPath = '/idempotency-keys/lookup';

/** As many as one answer has room for, and an outbox asks about at once. */
const lookupKeysMax = 500;

/** `path` is the raw path of the request: a key may hold slashes, encoded or not. */
export async function showKey(parts: KeyParts, call: Call, path: string): Promise<Reply> {
  const key = decodeKey(path.slice(keyPath.length));
  const scopes = wantedScopes(parts.keyScopes, call.query().endpoint);
  const [life] = await parts.findKeyLives(call.caller.account, key, scopes);
  if (life) return { status: 200, body: JSON.stringify(view(readableKey(key), life, parts.clock.expiryNow())) };
  throw new AppError('not_found', 'Nothing was accepted under this idempotency key, or it has been forgotten since.');
}

/** For whoever lost answers: which of these requests were accepted. A key of text stands for its UTF-8 bytes. */
export async function lookUpKeys(parts: KeyParts, call: Call): Promise<Reply> {
  const { keys, endpoint } = parseLookup(parseJson(await call.body()));
  const scopes = wantedScopes(parts.keyScopes, endpoint);
  const records = await parts.lookUpKeys(call.caller.account, keys, scopes);
  const now = parts.clock.expiryNow();
  const data = keys.map((key, index) => summary(key, records[index] ?? null, now));
  return { status: 200, body: JSON.stringify({ object: 'list', data }) };
}

function parseLookup(body: unknown): { keys: string[]; endpoint: string | undefined } {
  const { keys, endpoint } = isFields(body) ? body : {};
  if (!Array.isArray(keys) || keys.length > lookupKeysMax || !keys.every((key) => typeof key === 'string')) {
    throw new AppError('invalid_field', `The \`keys\` must be a list of at most ${lookupKeysMax} texts.`);
  }
  if (!isAbsent(endpoint) && typeof endpoint !== 'string') {
    throw new AppError('invalid_field', 'The `endpoint` must be a text, such as `/emails`.');
  }
  return { keys: keys.map(checkIdempotencyKey), endpoint: isAbsent(endpoint) ? undefined : endpoint };
}

/** `unknown`: nothing was accepted under it yet, which a request on its way may still change. */
function summary(key: string, record: KeyRecord | null, now: number) {
  return {
    object: 'idempotency_key',
    key,
    endpoint: record && endpointOf(record),
    status: record ? statusOf(record, now) : 'unknown',
    email_ids: record?.emailIds ?? [],
    first_seen_at: iso(record?.createdAt ?? null),
    expires_at: iso(record?.expiresAt ?? null),
  };
}

/** Its bytes, as the header has them: a key need not be UTF-8. */
function decodeKey(encoded: string): string {
  if (/%(?![0-9a-f]{2})/i.test(encoded)) {
    throw new AppError('invalid_parameter', 'The key must be percent-encoded UTF-8.');
  }
  return keyFromBytes(encoded.replace(/%(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))));
}

function wantedScopes(keyScopes: KeyParts['keyScopes'], endpoint: string | undefined): string[] {
  if (endpoint === undefined) return [...keyScopes.values()];
  const scope = keyScopes.get(endpoint.replace(/^POST /, ''));
  if (scope) return [scope];
  throw new AppError('invalid_parameter', `\`endpoint\` must be one of ${[...keyScopes.keys()].join(', ')}.`);
}

function view(key: string, record: KeyLife, now: number) {
  return {
    object: 'idempotency_key',
    key,
    endpoint: endpointOf(record),
    status: statusOf(record, now),
    first_seen_at: iso(record.createdAt),
    expires_at: iso(record.expiresAt),
    response_status: record.status,
    email_ids: record.emailIds,
    replays: record.replays,
    last_replay_at: iso(record.lastReplayAt),
    conflicts: record.conflicts,
    last_conflict_at: iso(record.lastConflictAt),
    uses: record.uses.map((use) => ({
      at: iso(use.at),
      kind: use.kind,
      client: use.client,
      ...(use.attempt === undefined ? {} : { attempt: use.attempt }),
      // None is not an answer: Brevo's requests are not compared, and what was purged cannot be.
      ...(use.fields.length > 0 ? { different_fields: use.fields } : {}),
    })),
  };
}

function endpointOf({ scope }: KeyRecord): string {
  return scope.replace(/^\S+ /, '');
}

function statusOf({ expiresAt }: KeyRecord, now: number): 'active' | 'expired' {
  return expiresAt > now ? 'active' : 'expired';
}

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
