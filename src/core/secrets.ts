/**
 * What the database alone must not give away: MACs under keys derived from SECRET_KEY, one for each purpose (RFC 5869), so that
 * nothing made for one is good for another.
 */

import { createHmac, hkdfSync } from 'node:crypto';

/** In base64url: SHA-256. To be compared as text, since in Base64 several last characters stand for the same bytes. */
export type Mac = (text: string) => string;

export type Secrets = {
  /** One for each key that counts, the newest first: that one signs, and what any of them has signed is good. */
  macs(purpose: string): readonly [Mac, ...Mac[]];
  /** Tell whether another process has the same keys, and tell nothing of them; in their order. */
  checks: readonly [string, ...string[]];
};

/** What counts beside the newest key was the newest one before. */
export function createSecrets([newest, ...older]: readonly [string, ...string[]]): Secrets {
  const derive = (key: string, purpose: string) => Buffer.from(hkdfSync('sha256', key, '', `sendonce ${purpose}`, 32));
  const checkOf = (key: string) => derive(key, 'check').toString('base64url');

  return {
    checks: [checkOf(newest), ...older.map(checkOf)],

    macs(purpose) {
      const macUnder = (key: string) => createMac(derive(key, purpose));
      return [macUnder(newest), ...older.map(macUnder)];
    },
  };
}

function createMac(key: Buffer): Mac {
  return (text) => createHmac('sha256', key).update(text).digest('base64url');
}
