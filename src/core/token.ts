/** Names and secrets made of randomness: ids that grow with time, API keys, and the hashes that are stored instead of secrets. */

import assert from 'node:assert';
import { hash } from 'node:crypto';
import { readableKey } from './key-text.ts';

/** Exactly `size` random bytes, fit for secrets (`crypto.randomBytes`). */
export type RandomBytes = (size: number) => Uint8Array;

/** A fresh UUIDv7 in lower case, for the time in epoch milliseconds. */
export type IdSource = (nowMs: number) => string;

/** One request to the system's generator serves some 580 ids: asking for each id costs more than all the rest. */
const poolBytes = 4096;
/** RFC 9562 §6.2 method 1: a counter of 18 bits (rand_a and the next 6), seeded anew each millisecond… */
const counterMax = 2 ** 18 - 1;
/** …with its top bit clear: at least 131,072 ids fit, a hundred times what one process makes in a millisecond. */
const counterSeedMask = 2 ** 17 - 1;
const timestampMax = 2 ** 48 - 1;

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 62^32 is 190 bits: hashing once is enough, no salt or stretching needed. */
const apiKeyLength = 32;
/** The largest multiple of 62 a byte can stay below: beyond it some characters would be more likely. */
const unbiasedBytes = 248;

/** Ids of one source grow strictly, also within a millisecond and after `nowMs` went back (RFC 9562 §6.2). */
export function createIdSource(random: RandomBytes): IdSource {
  const takeHex = createHexPool(random);
  let lastMs = -1;
  let counter = 0;
  let prefix = '';

  function startMillisecond(ms: number): void {
    lastMs = ms;
    counter = Number.parseInt(takeHex(8), 16) & counterSeedMask;
    const time = hex(ms, 12);
    prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`;
  }

  return (nowMs) => {
    const ms = Math.floor(nowMs);
    assert(ms >= 0 && ms <= timestampMax, 'a UUIDv7 holds 48 bits of epoch milliseconds');
    if (ms > lastMs) startMillisecond(ms);
    else if (counter < counterMax) counter++;
    // The RFC lets the timestamp run ahead of the clock rather than wait for it.
    else startMillisecond(lastMs + 1);
    return `${prefix}${hex(counter >>> 6, 3)}-${hex(0x80 | (counter & 0x3f), 2)}${takeHex(2)}-${takeHex(12)}`;
  };
}

/** Not larger than any UUIDv7 of this millisecond, and larger than all before: where a search by time begins or ends. */
export function uuidv7Floor(ms: number): string {
  const time = hex(Math.min(Math.max(0, Math.floor(ms)), timestampMax), 12);
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`;
}

/** When a UUIDv7 was made: epoch milliseconds. */
export function idTime(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** Above every id, in whatever order a database sorts text: no collation puts a letter before a digit. */
export const afterAllIds = 'g';

/** A UUID of any version, in either case: what a client may put where an id belongs. */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text);
}

/** SHA-256 of the UTF-8 text: what is stored of an API key. */
export function hashToken(text: string): Uint8Array {
  return hash('sha256', text, 'buffer');
}

/** `re_` and 32 characters of base 62: shaped like a real Resend key, since SDKs and scanners look at the prefix. */
export function createApiKeyToken(random: RandomBytes): string {
  let token = '';
  // One draw is as good as always enough; a generator stuck on bytes that are thrown away must not hang us.
  for (let draw = 0; draw < 16; draw++) {
    for (const byte of random(2 * apiKeyLength)) {
      if (byte < unbiasedBytes) token += base62.charAt(byte % 62);
      if (token.length === apiKeyLength) return `re_${token}`;
    }
  }
  throw new Error('the random source yields no usable bytes');
}

/** What a key is called where it is listed and revoked: a UUID (version 4), as Resend's, which its SDK for .NET parses. */
export function createKeyId(random: RandomBytes): string {
  const hex = Buffer.from(random(16)).toString('hex');
  const variant = '89ab'.charAt(Number.parseInt(hex.charAt(16), 16) % 4);
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, variant + hex.slice(17, 20), hex.slice(20)].join(
    '-',
  );
}

/**
 * What is stored for an idempotency key (32 bytes): SHA-256 of the JSON of [scope, key], in which no scope and key can be cut in
 * another place. The scope is (facade, account, method and endpoint). A key beyond ASCII has a mark, so that no row of an older
 * version is taken for it, which had one hash for UTF-8 and for Latin-1.
 */
export function keyHash(scope: string | readonly string[], key: string): Uint8Array {
  return hashToken(JSON.stringify(isAscii(key) ? [scope, key] : [scope, key, 'exact']));
}

/** What an older version may have stored for it; none where that is the same. */
export function formerKeyHashes(scope: string | readonly string[], key: string): Uint8Array[] {
  if (isAscii(key)) return [];
  return [...new Set([readableKey(key), key])].map((text) => hashToken(JSON.stringify([scope, text])));
}

function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}

/** The first 8 hex digits of a SHA-256, for logs: enough to find the stored hash by, useless to find the secret by. */
export function shortHash(hash: Uint8Array): string {
  assert(hash.length === 32, 'shortHash takes a SHA-256: of a secret itself it would log the beginning');
  return Buffer.from(hash.buffer, hash.byteOffset, 4).toString('hex');
}

function createHexPool(random: RandomBytes): (digits: number) => string {
  let pool = '';
  let used = 0;
  return (digits) => {
    if (used + digits > pool.length) {
      pool = Buffer.from(random(poolBytes)).toString('hex');
      assert(pool.length === 2 * poolBytes, 'the random source yields as many bytes as it was asked for');
      used = 0;
    }
    used += digits;
    return pool.slice(used - digits, used);
  };
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
