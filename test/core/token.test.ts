/** Ids, API keys and the hashes stored in place of secrets. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { keyFromBytes } from '../../src/core/key-text.ts';
import {
  createApiKeyToken,
  createIdSource,
  formerKeyHashes,
  hashToken,
  isUuid,
  keyHash,
  shortHash,
} from '../../src/core/token.ts';

const nowMs = 1_760_000_000_123;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
/** Epoch milliseconds at which a UUIDv7 was made (RFC 9562 5.7). */
const uuidv7Time = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
/** A generator stuck on one byte: what is left to keep ids apart is the counter. */
const stuck = (byte: number) => (size: number) => new Uint8Array(size).fill(byte);

describe('createIdSource', () => {
  test('makes UUIDs of version 7 and the RFC variant that know their time', () => {
    const id = createIdSource(randomBytes)(nowMs);
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.ok(isUuid(id));
    assert.equal(uuidv7Time(id), nowMs);
  });

  test('places the time where the example of RFC 9562 A.6 has it', () => {
    assert.equal(uuidv7Time('017F22E2-79B0-7CC3-98C4-DC0C0C07398F'), 1_645_557_742_000);
    assert.ok(createIdSource(randomBytes)(1_645_557_742_000).startsWith('017f22e2-79b0-7'));
  });

  test('ids grow strictly, whatever the clock does', () => {
    const steps = fc.array(
      fc.oneof(fc.constant(0), fc.integer({ min: -5_000, max: 5_000 }), fc.double({ min: 0, max: 2, noNaN: true })),
    );
    fc.assert(
      fc.property(steps, fc.integer({ min: 0, max: 255 }), (deltas, byte) => {
        const next = createIdSource(stuck(byte));
        let now = nowMs;
        let last = next(now);
        for (const delta of deltas) {
          now += delta;
          const id = next(now);
          assert.ok(id > last, `${id} after ${last}`);
          last = id;
        }
      }),
    );
  });

  test('ids grow within one millisecond also when the counter overflows, by running ahead of the clock', () => {
    const next = createIdSource(stuck(255));
    let last = next(nowMs);
    // From the highest seed, 2^17 - 1, the counter reaches its end after 2^17 more.
    for (let made = 0; made < 2 ** 17; made++) {
      const id = next(nowMs);
      assert.ok(id > last);
      last = id;
    }
    assert.equal(uuidv7Time(last), nowMs);
    assert.equal(uuidv7Time(next(nowMs)), nowMs + 1);
  });

  test('ids of two sources with the same clock differ', () => {
    const [a, b] = [createIdSource(randomBytes), createIdSource(randomBytes)];
    const made = new Set<string>();
    for (let count = 0; count < 5_000; count++) made.add(a(nowMs)).add(b(nowMs));
    assert.equal(made.size, 10_000);
  });

  test('refuses a time that 48 bits do not hold', () => {
    for (const time of [Number.NaN, -5, 2 ** 48, Number.POSITIVE_INFINITY]) {
      assert.throws(() => createIdSource(randomBytes)(time), /48 bits/);
    }
  });

  test('refuses a random source that yields less than it was asked for', () => {
    assert.throws(() => createIdSource(() => new Uint8Array(8))(nowMs), /as many bytes/);
  });
});

describe('isUuid', () => {
  test('takes any version in either case, and nothing around it', () => {
    assert.ok(isUuid('49a3999c-0ce1-4ea6-ab68-afcd6dc2e794'));
    assert.ok(isUuid('49A3999C-0CE1-4EA6-AB68-AFCD6DC2E794'));
    for (const text of [
      '',
      'x',
      '49a3999c0ce14ea6ab68afcd6dc2e794',
      ' 49a3999c-0ce1-4ea6-ab68-afcd6dc2e794',
      '49a3999c-0ce1-4ea6-ab68-afcd6dc2e794\n',
    ]) {
      assert.ok(!isUuid(text), JSON.stringify(text));
    }
  });
});

describe('createApiKeyToken', () => {
  test('is re_ and 32 characters of base 62, evenly spread', () => {
    const counts = new Map<string, number>();
    for (let made = 0; made < 5_000; made++) {
      const token = createApiKeyToken(randomBytes);
      assert.match(token, /^re_[0-9A-Za-z]{32}$/);
      for (const character of token.slice(3)) counts.set(character, (counts.get(character) ?? 0) + 1);
    }
    assert.equal(counts.size, 62);
    // 2581 expected, standard deviation 50: eight of them away is not chance, a byte modulo 62 would be (2500 against 3125).
    for (const [character, count] of counts) assert.ok(Math.abs(count - 160_000 / 62) < 400, `${character}: ${count}`);
  });

  test('skips bytes that would favour some characters, and gives up on a source of nothing else', () => {
    const bytes = [...new Array(30).fill(250), ...new Array(34).fill(61)];
    assert.equal(
      createApiKeyToken(() => Uint8Array.from(bytes)),
      `re_${'z'.repeat(32)}`,
    );
    assert.throws(() => createApiKeyToken(stuck(255)), /random source/);
  });
});

describe('hashes', () => {
  test('hashToken is SHA-256 of the text', () => {
    assert.equal(hex(hashToken('abc')), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  test('keyHash tells any two pairs of scope and key apart', () => {
    const texts = fc.constantFrom('', 'a', 'b', 'ab', '"', '","', '\\', '\0', '[', ' ', '\ud800', '\ud801', 'é');
    const scope = fc.oneof(texts, fc.array(texts, { maxLength: 3 }));
    fc.assert(
      fc.property(scope, texts, scope, texts, (scopeA, keyA, scopeB, keyB) => {
        const same = keyA === keyB && JSON.stringify(scopeA) === JSON.stringify(scopeB);
        assert.equal(hex(keyHash(scopeA, keyA)) === hex(keyHash(scopeB, keyB)), same);
      }),
      { numRuns: 2_000 },
    );
  });

  test('keyHash stays what it is: stored ones outlive an upgrade', () => {
    assert.equal(
      hex(keyHash(['resend', 'acc_1', 'POST /emails'], 'k')),
      hex(hashToken('[["resend","acc_1","POST /emails"],"k"]')),
    );
    assert.deepEqual(formerKeyHashes('s', 'k'), []);
    assert.deepEqual(formerKeyHashes('s', 'é').map(hex), [hex(hashToken('["s","é"]'))]);
    const spelled = formerKeyHashes('s', keyFromBytes('\xe9')).map(hex);
    assert.deepEqual(spelled, [hex(hashToken('["s","é"]')), hex(hashToken('["s","\\udce9"]'))]);
    assert.notEqual(hex(keyHash('s', 'é')), hex(hashToken('["s","é"]')));
  });

  test('keyFromBytes gives each row of bytes a key of its own', () => {
    const bytes = [...'A\x7f\x80\xbf\xc3\xef\xbd\xff'];
    const rows = [''];
    for (const row of rows) if (row.length < 3) rows.push(...bytes.map((byte) => row + byte));
    assert.equal(new Set(rows.map(keyFromBytes)).size, 1 + 8 + 64 + 512);
  });

  test('shortHash is the beginning of the stored hash, and refuses what is none', () => {
    assert.equal(shortHash(hashToken('abc')), 'ba7816bf');
    assert.throws(() => shortHash(Buffer.from('secret-key')), /SHA-256/);
  });
});
