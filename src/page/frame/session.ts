/** Who looks at the page: an API key, once shown, becomes a signed cookie that ends with the key. */

import { timingSafeEqual } from 'node:crypto';
import type { Mac, Secrets } from '../../core/secrets.ts';
import { hashToken } from '../../core/token.ts';
import { findSessionEpoch } from '../../store/accounts.ts';
import { findApiKey, findApiKeyById } from '../../store/api-keys.ts';
import type { Reader } from '../../store/database.ts';
import { type AccountRules, isActive } from '../../use-cases/account-rules.ts';
import type { SignOut } from '../../use-cases/sessions.ts';

export type Session = {
  keyId: string;
  account: string;
  keyName: string;
  /** Enough of the key to tell it from others: `re_…x4Kd`. */
  maskedKey: string;
  /** Goes with every form: a page of another origin cannot know it. */
  formToken: string;
};

export type Sessions = {
  /** The cookie's value; null for a key that is wrong, revoked or may only send. */
  open(token: string): Promise<string | null>;
  /** Null when the cookie was changed, is too old, was signed out, or its key has been revoked or replaced. */
  find(cookie: string | undefined): Promise<Session | null>;
  /** Ends it and every other session of its key, wherever its cookie is. */
  end(session: Session): Promise<void>;
};

export type SessionOptions = {
  database: Reader;
  signOut: SignOut;
  /** The key of the settings, which no table knows. */
  bootstrap: { token: string; account: string } | null;
  rules: Pick<AccountRules, 'find'>;
  secrets: Secrets;
  now: () => number;
};

/** A week: the page is kept open; whoever wants it shorter signs out. */
export const sessionMs = 7 * 24 * 60 * 60_000;

/** What a cookie says, signed. A sign-out ends the epoch of its key; cookies of before there were any are of the first. */
type Statement = [endsAt: number, maskedKey: string, epoch?: number];

type Key = { account: string; id: string; name: string; hash: Uint8Array };

/** No stored key has this id: theirs begin with `key_`. */
const bootstrapId = 'settings';

export function createSessions({ database, signOut, bootstrap, rules, secrets, now }: SessionOptions): Sessions {
  const macs = secrets.macs('dashboard session');
  const bootstrapKey: Key | null = bootstrap && {
    account: bootstrap.account,
    id: bootstrapId,
    name: 'SENDONCE_API_KEY',
    hash: hashToken(bootstrap.token),
  };

  function sign(mac: Mac, purpose: string, key: Key, stated: string): string {
    return mac(JSON.stringify([purpose, key.id, Buffer.from(key.hash).toString('base64'), stated]));
  }

  /** Nobody looks at an account that is disabled. */
  async function ifActive(key: Key | null): Promise<Key | null> {
    return key && isActive(await rules.find(key.account)) ? key : null;
  }

  async function findByToken(token: string): Promise<Key | null> {
    const hash = hashToken(token);
    if (bootstrapKey && timingSafeEqual(hash, bootstrapKey.hash)) return bootstrapKey;
    const key = await findApiKey(database, hash);
    return key && key.revokedAt === null && key.permission === 'full_access' ? key : null;
  }

  async function findById(id: string): Promise<Key | null> {
    if (id === bootstrapId) return bootstrapKey;
    const key = await findApiKeyById(database, id);
    return key && key.revokedAt === null ? key : null;
  }

  return {
    async open(token) {
      const key = await ifActive(await findByToken(token));
      if (!key) return null;
      const statement: Statement = [now() + sessionMs, mask(token), await findSessionEpoch(database, key.id)];
      const stated = Buffer.from(JSON.stringify(statement)).toString('base64url');
      return `${key.id}.${stated}.${sign(macs[0], 'session', key, stated)}`;
    },

    async find(cookie) {
      const [id = '', stated = '', signature = ''] = cookie?.split('.') ?? [];
      const key = id === '' ? null : await ifActive(await findById(id));
      const mac = key && macs.find((one) => isSame(sign(one, 'session', key, stated), signature));
      if (!key || !mac) return null;
      const [endsAt, maskedKey, epoch = 0] = JSON.parse(Buffer.from(stated, 'base64url').toString()) as Statement;
      if (endsAt <= now() || epoch !== (await findSessionEpoch(database, key.id))) return null;
      const formToken = sign(mac, 'form', key, stated);
      return { keyId: key.id, account: key.account, keyName: key.name, maskedKey, formToken };
    },

    end: ({ keyId }) => signOut(keyId),
  };
}

export function isSame(expected: string, given: string): boolean {
  return timingSafeEqual(hashToken(expected), hashToken(given));
}

/** Four characters of 32 tell keys apart and help nobody; of a short one somebody chose, none are shown. */
function mask(token: string): string {
  return token.length < 20 ? '••••••••' : `${token.startsWith('re_') ? 're_' : ''}••••${token.slice(-4)}`;
}
