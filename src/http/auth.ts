/** Who is asking: an API key in any of the headers our facades' clients use, looked up by its hash. */

import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { AppError, hinted } from '../core/error.ts';
import { hashToken } from '../core/token.ts';
import { findApiKey, type Permission } from '../store/api-keys.ts';
import type { Reader } from '../store/database.ts';
import { type AccountRules, isActive } from '../use-cases/account-rules.ts';
import type { ClientAddress } from './client-address.ts';
import type { Guesses } from './guesses.ts';

export type Caller = {
  account: string;
  permission: Permission;
  /** The only one its key may send from; null: any that the account may. */
  domain: string | null;
  /** Its own; null: what counts for all. */
  requestsPerSecond: number | null;
};

/** What a request over a connection brings its key in. */
export type Auth = (incoming: IncomingMessage) => Caller | Promise<Caller>;

/** Whose a key is; the next one over the same connection mostly is the same key. */
export type KeyCheck = (connection: object, token: string, address: () => string) => Caller | Promise<Caller>;

type Known = { token: Buffer; caller: Caller; until: number };

export type AuthOptions = {
  reader: Reader;
  /** The bootstrap key from the settings, valid beside the stored ones. */
  bootstrap: { token: string; account: string } | null;
  cacheMs: number;
  guesses: Guesses;
  rules: Pick<AccountRules, 'find'>;
  /** Told of a stored key that was looked up: once a connection and `cacheMs`. */
  onUsed?: (id: string) => void;
};

/** @returns a function that throws AppError `missing_api_key`, and what `check` throws. */
export function createAuth(check: KeyCheck, clientAddress: ClientAddress): Auth {
  return (incoming) => {
    const token = tokenOf(incoming.headers as AuthHeaders);
    if (!token)
      throw new AppError('missing_api_key', 'Missing API key in the authorization header.', hinted(keysAreSent));
    return check(incoming.socket, token, () => clientAddress(incoming));
  };
}

/** @returns a function that throws AppError `invalid_api_key`, `wrong_keys` or `account_disabled`. */
export function createKeyCheck({ reader, bootstrap, cacheMs, guesses, rules, onUsed }: AuthOptions): KeyCheck {
  const bootstrapHash = bootstrap ? hashToken(bootstrap.token) : null;
  /** Per connection: nobody can fill it by guessing, and it goes with the connection. */
  const known = new WeakMap<object, Known>();

  async function lookUp(hash: Uint8Array): Promise<Pick<Caller, 'account' | 'permission' | 'domain'> | null> {
    if (bootstrap && bootstrapHash && timingSafeEqual(hash, bootstrapHash)) {
      return { account: bootstrap.account, permission: 'full_access', domain: null };
    }
    const key = await findApiKey(reader, hash);
    if (!key || key.revokedAt !== null || !timingSafeEqual(hash, key.hash)) return null;
    onUsed?.(key.id);
    return { account: key.account, permission: key.permission, domain: key.domain };
  }

  async function authenticate(connection: object, text: string, address: string): Promise<Caller> {
    await guesses.admit(address, text);
    const askedAt = performance.now();
    const key = await lookUp(hashToken(text));
    if (!key) {
      guesses.failed(address, text);
      throw new AppError('invalid_api_key', 'API key is invalid', hinted(keysAreListed));
    }
    guesses.succeeded(address, text);
    const account = await rules.find(key.account);
    if (!isActive(account)) throw new AppError('account_disabled', 'API key is not active: its account is disabled.');
    const caller = { ...key, requestsPerSecond: account.requestsPerSecond };
    known.set(connection, { token: Buffer.from(text), caller, until: askedAt + cacheMs });
    return caller;
  }

  return (connection, text, address) => {
    const token = Buffer.from(text);
    const last = known.get(connection);
    const lives = last && last.until > performance.now() && last.token.length === token.length;
    return lives && timingSafeEqual(last.token, token) ? last.caller : authenticate(connection, text, address());
  };
}

const keysAreListed =
  'It is unknown here or revoked. On the server, `sendonce key list` shows which keys there are, and `sendonce key create` makes one.';
const keysAreSent =
  'Send it as `Authorization: Bearer …` or as `api-key: …`; `sendonce key create` makes one on the server.';

type AuthHeaders = { authorization?: string | undefined; 'api-key'?: string | string[] | undefined };

/** `Authorization: Bearer re_…`, a bare `Authorization: re_…` (as Resend's announcement shows), or `api-key: …`. */
function tokenOf(headers: AuthHeaders): string | null {
  const bearer = headers.authorization?.replace(/^bearer(?:\s+|$)/i, '').trim();
  const apiKey = headers['api-key'];
  return bearer || (typeof apiKey === 'string' ? apiKey.trim() : null) || null;
}
