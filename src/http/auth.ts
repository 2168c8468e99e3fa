/** Who is asking: an API key in any of the headers our facades' clients use, looked up by its hash. */

import { timingSafeEqual } from 'node:crypto';
import { AppError } from '../core/error.ts';
import { hashToken } from '../core/token.ts';
import { findApiKey, type Permission } from '../store/accounts.ts';
import type { Reader } from '../store/database.ts';

export type Caller = { account: string; permission: Permission };

export type Auth = (headers: {
  authorization?: string | undefined;
  'api-key'?: string | string[] | undefined;
}) => Promise<Caller>;

type Known = { caller: Caller | null; until: number };

/** Bounds what guessing can make us remember. */
const cacheSizeMax = 1_000;

export type AuthOptions = {
  reader: Reader;
  /** The bootstrap key from the settings, valid beside the stored ones. */
  bootstrap: { token: string; account: string } | null;
  cacheMs: number;
};

/** @returns a function that throws AppError `missing_api_key` or `invalid_api_key`. */
export function createAuth({ reader, bootstrap, cacheMs }: AuthOptions): Auth {
  const bootstrapHash = bootstrap ? hashToken(bootstrap.token) : null;
  const known = new Map<string, Known>();

  async function lookUp(hash: Uint8Array): Promise<Caller | null> {
    if (bootstrap && bootstrapHash && timingSafeEqual(hash, bootstrapHash)) {
      return { account: bootstrap.account, permission: 'full_access' };
    }
    const key = await findApiKey(reader, hash);
    if (!key || key.revokedAt !== null || !timingSafeEqual(hash, key.hash)) return null;
    return { account: key.account, permission: key.permission };
  }

  return async (headers) => {
    const token = tokenOf(headers);
    if (!token) throw new AppError('missing_api_key', 'Missing API key in the authorization header.');
    const now = performance.now();
    // By the hash: a map compares its keys in no constant time, and memory holds no token longer than it must.
    const hash = hashToken(token);
    const slot = Buffer.from(hash).toString('base64');
    let found = known.get(slot);
    if (!found || found.until <= now) {
      if (known.size >= cacheSizeMax) known.clear();
      found = { caller: await lookUp(hash), until: now + cacheMs };
      known.set(slot, found);
    }
    if (!found.caller) throw new AppError('invalid_api_key', 'API key is invalid');
    return found.caller;
  };
}

/** `Authorization: Bearer re_…`, a bare `Authorization: re_…` (as Resend's announcement shows), or `api-key: …`. */
function tokenOf(headers: Parameters<Auth>[0]): string | null {
  const bearer = headers.authorization?.replace(/^bearer(?:\s+|$)/i, '').trim();
  const apiKey = headers['api-key'];
  return bearer || (typeof apiKey === 'string' ? apiKey.trim() : null) || null;
}
