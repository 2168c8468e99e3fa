import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { createReturnPaths } from '../../src/core/return-path.ts';
import { createSecrets } from '../../src/core/secrets.ts';

const delivery = { emailId: '019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071', part: 9_999 };

function pathsOf(keys: [string, ...string[]], bounceDomain: string | null = 'back.example.com') {
  return createReturnPaths(createSecrets(keys, randomBytes), { bounceDomain, bounceNotify: ['failure', 'delay'] });
}

describe('a return path', () => {
  const paths = pathsOf(['key']);
  const { address, envelopeId, notify } = paths.returnsOf(delivery);
  assert(address);

  it('names its delivery, in whatever case it comes back, and fits what SMTP has room for', () => {
    assert.match(address, /^bounces\+019a2b3c4d5e7f608a1b2c3d4e5f6071-9999\.[0-9a-v]{16}@back\.example\.com$/);
    assert.ok(address.indexOf('@') <= 64 && envelopeId.length <= 100);
    for (const one of [address, address.toUpperCase()]) assert.deepEqual(paths.readAddress(one), delivery);
    for (const one of [envelopeId, envelopeId.toUpperCase()]) assert.deepEqual(paths.readEnvelopeId(one), delivery);
    assert.deepEqual(notify, ['failure', 'delay']);
  });

  it('counts under the key before, and under nobody else’s', () => {
    assert.deepEqual(pathsOf(['newer', 'key']).readAddress(address), delivery);
    assert.deepEqual(pathsOf(['newer', 'key']).readEnvelopeId(envelopeId), delivery);
    assert.equal(pathsOf(['newer']).readAddress(address), null);
    assert.equal(pathsOf(['newer']).readEnvelopeId(envelopeId), null);
  });

  it('says nothing where a character of it is another, or it is another’s', () => {
    for (let at = 0; at < address.length; at++) {
      const changed: string = `${address.slice(0, at)}${address[at] === '1' ? '2' : '1'}${address.slice(at + 1)}`;
      assert.equal(paths.readAddress(changed), null, changed);
    }
    const others = ['', 'complaints@back.example.com', 'bounces+@back.example.com', address.replace('-9999', '-9998')];
    for (const other of others) assert.equal(paths.readAddress(other), null, other);
    for (const other of ['', delivery.emailId, `${delivery.emailId}.9999.`, envelopeId.replace('.9999', '.1')]) {
      assert.equal(paths.readEnvelopeId(other), null, other);
    }
  });

  it('is the author where no domain takes bounces, and nothing is asked of relays', () => {
    const none = pathsOf(['key'], null);
    assert.deepEqual(none.returnsOf(delivery), { address: null, envelopeId, notify: [] });
    assert.equal(none.readAddress(address), null);
    assert.deepEqual(none.readEnvelopeId(envelopeId), delivery);
  });
});
