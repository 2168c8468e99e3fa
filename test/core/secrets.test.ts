import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { createSecrets } from '../../src/core/secrets.ts';

const [old, newer, stranger] = ['old key', 'newer key', 'a key of somebody else'];
const secretsOf = (...keys: [string, ...string[]]) => createSecrets(keys, randomBytes);

describe('what is signed or sealed', () => {
  it('is good under the key that did it, also once that is the old one, and no other', () => {
    const bytes = Buffer.from('a DKIM key');
    const sealed = secretsOf(old).seal('dkim', bytes);
    const signature = secretsOf(old).macs('link')[0]('text');
    const isGood = (keys: [string, ...string[]]) =>
      secretsOf(...keys)
        .macs('link')
        .some((mac) => mac('text') === signature);
    for (const keys of [[old], [newer, old]] as [string, ...string[]][]) {
      assert.deepEqual(secretsOf(...keys).open('dkim', sealed), bytes);
      assert.equal(isGood(keys), true);
    }
    for (const keys of [[newer], [stranger, newer]] as [string, ...string[]][]) {
      assert.equal(secretsOf(...keys).open('dkim', sealed), null);
      assert.equal(isGood(keys), false);
    }
    assert.notEqual(secretsOf(newer, old).macs('link')[0]('text'), signature, 'the newest signs');
  });

  it('is good for one purpose only', () => {
    const secrets = secretsOf(newer, old);
    const sealed = secrets.seal('dkim', Buffer.from('x'));
    assert.equal(secrets.open('bounce', sealed), null);
    const made = ['link', 'session', 'check'].flatMap((purpose) => secrets.macs(purpose).map((mac) => mac('text')));
    assert.equal(new Set(made).size, made.length);
  });

  it('is seen to be changed in every byte, and never sealed the same way twice', () => {
    const secrets = secretsOf(newer);
    const sealed = secrets.seal('dkim', Buffer.from('a key'));
    for (const at of sealed.keys()) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.equal(secrets.open('dkim', changed), null);
    }
    for (let length = 0; length < sealed.length; length += 1) {
      assert.equal(secrets.open('dkim', sealed.subarray(0, length)), null);
    }
    assert.notDeepEqual(secrets.seal('dkim', Buffer.from('a key')), sealed);
  });

  it('tells which keys others have, and no signature', () => {
    assert.deepEqual(secretsOf(newer, old).checks, [...secretsOf(newer).checks, ...secretsOf(old).checks]);
    assert.equal(secretsOf(newer).macs('check')[0]('') === secretsOf(newer).checks[0], false);
  });
});
