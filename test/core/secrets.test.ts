import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSecrets } from '../../src/core/secrets.ts';

const [old, newer, stranger] = ['old key', 'newer key', 'a key of somebody else'];
const secretsOf = (...keys: [string, ...string[]]) => createSecrets(keys);

describe('what is signed', () => {
  it('is good under the key that did it, also once that is the old one, and no other', () => {
    const signature = secretsOf(old).macs('link')[0]('text');
    const isGood = (keys: [string, ...string[]]) =>
      secretsOf(...keys)
        .macs('link')
        .some((mac) => mac('text') === signature);
    for (const keys of [[old], [newer, old]] as [string, ...string[]][]) {
      assert.equal(isGood(keys), true);
    }
    for (const keys of [[newer], [stranger, newer]] as [string, ...string[]][]) {
      assert.equal(isGood(keys), false);
    }
    assert.notEqual(secretsOf(newer, old).macs('link')[0]('text'), signature, 'the newest signs');
  });

  it('is good for one purpose only', () => {
    const secrets = secretsOf(newer, old);
    const made = ['link', 'session', 'check'].flatMap((purpose) => secrets.macs(purpose).map((mac) => mac('text')));
    assert.equal(new Set(made).size, made.length);
  });

  it('tells which keys others have, and no signature', () => {
    assert.deepEqual(secretsOf(newer, old).checks, [...secretsOf(newer).checks, ...secretsOf(old).checks]);
    assert.equal(secretsOf(newer).macs('check')[0]('') === secretsOf(newer).checks[0], false);
  });
});
