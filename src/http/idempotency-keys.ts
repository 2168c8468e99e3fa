/** GET /idempotency-keys/:key, our own route: what happened under a key. */

import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/error.ts';
import { keyFromBytes, readableKey } from '../core/key-text.ts';
import type { FindKeyLives, KeyLife } from '../use-cases/key-history.ts';
import type { Call, Reply } from './call.ts';

export type KeyParts = {
  clock: Clock;
  findKeyLives: FindKeyLives;
  /** By what `?endpoint=` may say. */
  keyScopes: ReadonlyMap<string, string>;
};

export const keyPath = '/idempotency-keys/';

/** `path` is the raw path of the request: a key may hold slashes, encoded or not. */
export async function showKey(parts: KeyParts, call: Call, path: string): Promise<Reply> {
  const key = decodeKey(path.slice(keyPath.length));
  const scopes = wantedScopes(parts.keyScopes, call.query().endpoint);
  const [life] = await parts.findKeyLives(call.caller.account, key, scopes);
  if (life) return { status: 200, body: JSON.stringify(view(readableKey(key), life, parts.clock.expiryNow())) };
  throw new AppError('not_found', 'Nothing was accepted under this idempotency key, or it has been forgotten since.');
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
    endpoint: record.scope.replace(/^\S+ /, ''),
    status: record.expiresAt > now ? 'active' : 'expired',
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
      // None is not an answer: Brevo's requests are not compared, and what was purged cannot be.
      ...(use.fields.length > 0 ? { different_fields: use.fields } : {}),
    })),
  };
}

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
