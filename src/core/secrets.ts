/**
 * What the database alone must not give away: MACs, and bytes that are sealed, under keys derived from SECRET_KEY, one for each purpose
 * (RFC 5869), so that nothing made for one is good for another.
 */

import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import type { RandomBytes } from './token.ts';

/** In base64url: SHA-256. To be compared as text, since in Base64 several last characters stand for the same bytes. */
export type Mac = (text: string) => string;

export type Secrets = {
  /** One for each key that counts, the newest first: that one signs, and what any of them has signed is good. */
  macs(purpose: string): readonly [Mac, ...Mac[]];
  /** Under the newest key. */
  seal(purpose: string, bytes: Uint8Array): Uint8Array;
  /** Null where no key that counts has sealed it for this purpose. */
  open(purpose: string, sealed: Uint8Array): Uint8Array | null;
  /** Tell whether another process has the same keys, and tell nothing of them; in their order. */
  checks: readonly [string, ...string[]];
};

/** AES-256-GCM (NIST SP 800-38D): 96 bits of nonce, drawn anew each time, and the tag of 128 at the end. */
const cipher = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/** What counts beside the newest key was the newest one before. */
export function createSecrets([newest, ...older]: readonly [string, ...string[]], random: RandomBytes): Secrets {
  const derive = (key: string, purpose: string) => Buffer.from(hkdfSync('sha256', key, '', `sendonce ${purpose}`, 32));
  const checkOf = (key: string) => derive(key, 'check').toString('base64url');

  return {
    checks: [checkOf(newest), ...older.map(checkOf)],

    macs(purpose) {
      const macUnder = (key: string) => createMac(derive(key, purpose));
      return [macUnder(newest), ...older.map(macUnder)];
    },

    seal(purpose, bytes) {
      const nonce = random(nonceBytes);
      const sealing = createCipheriv(cipher, derive(newest, purpose), nonce);
      return Buffer.concat([nonce, sealing.update(bytes), sealing.final(), sealing.getAuthTag()]);
    },

    open(purpose, sealed) {
      for (const key of [newest, ...older]) {
        const bytes = unseal(derive(key, purpose), sealed);
        if (bytes) return bytes;
      }
      return null;
    },
  };
}

function createMac(key: Buffer): Mac {
  return (text) => createHmac('sha256', key).update(text).digest('base64url');
}

function unseal(key: Buffer, sealed: Uint8Array): Uint8Array | null {
  if (sealed.length < nonceBytes + tagBytes) return null;
  const opening = createDecipheriv(cipher, key, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes });
  opening.setAuthTag(sealed.subarray(-tagBytes));
  try {
    return Buffer.concat([opening.update(sealed.subarray(nonceBytes, -tagBytes)), opening.final()]);
  } catch {
    return null;
  }
}
