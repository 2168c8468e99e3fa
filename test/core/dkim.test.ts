/** Signatures are checked by a verifier written from RFC 6376 alone, sharing no code with the signer. */

import assert from 'node:assert/strict';
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createDkimSigner, createDkimSigners, type DkimSigner } from '../../src/core/dkim.ts';
import { hashBody } from '../../src/core/dkim-body.ts';
import type { Email } from '../../src/core/email.ts';
import { compose } from '../support/compose.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed25519 = generateKeyPairSync('ed25519');
const keys = [
  { algorithm: 'rsa-sha256', ...rsa },
  { algorithm: 'ed25519-sha256', ...ed25519 },
];

for (const { algorithm, privateKey, publicKey } of keys) {
  describe(`${algorithm}`, () => {
    const signer = signerWith(privateKey);

    it('verifies over the exact bytes that leave', () => {
      const bytes = compose(emailOf({}), signer);
      const result = verifyDkim(bytes, publicKey);
      assert.equal(result.ok, true);
      assert.equal(result.tags.get('a'), algorithm);
      assert.equal(result.tags.get('d'), 'example.com');
      assert.equal(result.tags.get('s'), 's1');
    });

    it('verifies whatever the author wrote', () => {
      const text = fc.string({ unit: fc.constantFrom('a', ' ', '\t', '\n', '\r\n', 'ü', '=', '.', ' \n', '\n\n') });
      fc.assert(
        fc.property(text, text, fc.string({ unit: 'grapheme' }), (plain, value, subject) => {
          const headers: [string, string][] = [
            ['X-Note', value],
            ['List-Unsubscribe', '<https://example.com/first>'],
            ['List-Unsubscribe', `<https://example.com/${'u'.repeat(80)}>,  <mailto:u@example.com>`],
          ];
          const bytes = compose(emailOf({ text: plain, html: null, subject, headers }), signer);
          assert.equal(verifyDkim(bytes, publicKey).ok, true);
        }),
        { numRuns: algorithm === 'rsa-sha256' ? 25 : 60 },
      );
    });

    it('is the same on every attempt', () => {
      assert.deepEqual(compose(emailOf({}), signer), compose(emailOf({}), signerWith(privateKey)));
    });

    it('breaks when a signed field, the body or the number of From fields changes', () => {
      const bytes = Buffer.from(compose(emailOf({}), signer)).toString();
      const changes: [string, string][] = [
        ['Subject: Hello', 'Subject: Hallo'],
        ['To: jane@', 'To: joan@'],
        ['<https://example.com/u>', '<https://evil.example/u>'],
        ['One line', 'Two lines'],
        ['\r\nSubject:', '\r\nFrom: mallory@evil.example\r\nSubject:'],
      ];
      for (const [from, to] of changes) {
        assert.ok(bytes.includes(from), from);
        assert.equal(verifyDkim(Buffer.from(bytes.replace(from, to)), publicKey).ok, false, to);
      }
    });

    it('survives what relays do to space', () => {
      const bytes = Buffer.from(compose(emailOf({}), signer)).toString();
      const relayed = bytes
        .replace('\r\nSubject: Hello', '\r\nSUBJECT :\r\n\t Hello  ')
        .replace('One line.', 'One \t line.  ')
        .concat('\r\n\r\n');
      assert.equal(verifyDkim(Buffer.from(relayed), publicKey).ok, true);
    });
  });
}

describe('two keys of one domain', () => {
  it('both sign, and each signature is good to whoever can check that one alone', () => {
    const [rsa, ed25519] = [generateKeyPairSync('rsa', { modulusLength: 2048 }), generateKeyPairSync('ed25519')];
    const keys = [rsa, ed25519].map(({ privateKey }, index) => ({
      domain: 'example.com',
      selector: `s${index}`,
      privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    }));
    const text = Buffer.from(compose(emailOf({}), createDkimSigners(keys))).toString('latin1');
    const signatures = text.match(/^DKIM-Signature: (?:.*\r\n)(?:[ \t].*\r\n)*/gm) ?? [];
    assert.deepEqual(
      signatures.map((one) => /\ba=([\w-]+)/.exec(one)?.[1]),
      ['rsa-sha256', 'ed25519-sha256'],
    );
    for (const [index, { publicKey }] of [rsa, ed25519].entries()) {
      const alone = text.replace(signatures[1 - index] ?? '', '');
      assert.equal(verifyDkim(Buffer.from(alone, 'latin1'), publicKey).ok, true);
    }
  });
});

describe('createDkimSigner', () => {
  it('takes t= from the date of the email, not from a clock', () => {
    const scheduled = compose(emailOf({ scheduledAt: 1_800_000_000_999 }), signerWith(ed25519.privateKey));
    assert.equal(verifyDkim(scheduled, ed25519.publicKey).tags.get('t'), '1800000000');
  });

  it('signs From once more than it stands there, and one-click unsubscribing', () => {
    const bytes = compose(emailOf({}), signerWith(ed25519.privateKey));
    const names = (verifyDkim(bytes, ed25519.publicKey).tags.get('h') ?? '').split(':');
    assert.equal(names.filter((name) => name === 'from').length, 2);
    for (const name of ['to', 'subject', 'date', 'message-id', 'mime-version', 'content-type', 'list-unsubscribe']) {
      assert.ok(names.includes(name), name);
    }
  });

  it('keeps every line of the field within 78 columns', () => {
    const [head] = Buffer.from(compose(emailOf({}), signerWith(rsa.privateKey)))
      .toString()
      .split('\r\nFrom:');
    for (const line of (head ?? '').split('\r\n')) assert.ok(line.length <= 78, line);
  });

  it('signs an empty body as nothing (RFC 6376 3.4.4)', () => {
    const field = signerWith(ed25519.privateKey).sign('From: a@example.com\r\n', hashBody([]), 0);
    assert.match(field.replace(/\r\n /g, ''), /bh=47DEQpj8HBSa\+\/TImW\+5JCeuQeRkm5NMpJWZG3hSuFU=/);
  });

  it('hashes a body alike wherever it is cut into pieces', () => {
    const parts = fc.array(fc.constantFrom('a', ' ', '\t', '\r\n', '\r\n\r\n', ' \r\n', 'ü', 'x'.repeat(65_530)), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(parts, fc.array(fc.nat(70_000), { maxLength: 8 }), (written, cuts) => {
        const body = Buffer.from(written.join(''));
        const ends = [...cuts.filter((cut) => cut < body.length).sort((a, b) => a - b), body.length];
        const pieces = ends.map((end, index) => body.subarray(ends[index - 1] ?? 0, end));
        const expected = createHash('sha256')
          .update(relaxedBody(body.toString('latin1')), 'latin1')
          .digest('base64');
        assert.equal(hashBody(pieces), expected);
      }),
      { numRuns: 200 },
    );
  });

  it('refuses keys and names that would not work', () => {
    const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString();
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const short = generateKeyPairSync('rsa', { modulusLength: 512 }).privateKey;
    const good = pem(ed25519.privateKey);
    const sign = (domain: string, selector: string, privateKeyPem: string) => () =>
      createDkimSigner({ domain, selector, privateKeyPem });
    assert.throws(sign('example.com', 's1', pem(ec)), /RSA or Ed25519, not ec/);
    assert.throws(sign('example.com', 's1', pem(short)), /512 bits/);
    assert.throws(sign('example.com', 's1', 'no key'));
    assert.throws(sign('example.com; x=1', 's1', good), /not a name in DNS/);
    assert.throws(sign('example.com', 's1\r\nBcc: x', good), /not a name in DNS/);
  });
});

function signerWith(privateKey: KeyObject): DkimSigner {
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return createDkimSigner({ domain: 'example.com', selector: 's1', privateKeyPem });
}

function emailOf(given: Partial<Email>): Email {
  return {
    account: 'acme',
    id: '0198c0de-0000-7000-8000-000000000001',
    messageId: '<0198c0de@example.com>',
    createdAt: 1_760_000_000_000,
    madeText: null,
    from: 'Acme <hello@example.com>',
    to: ['jane@example.org'],
    cc: [],
    bcc: [],
    replyTo: [],
    subject: 'Hello',
    html: null,
    text: 'One line.\n\nAnother.',
    headers: [['List-Unsubscribe', '<https://example.com/u>']],
    tags: [],
    topicId: null,
    attachments: [],
    scheduledText: null,
    scheduledAt: null,
    ...given,
  };
}

/** RFC 6376 6.1, for one signature with c=relaxed/relaxed; the key is handed over instead of looked up. */
function verifyDkim(message: Uint8Array, publicKey: KeyObject): { ok: boolean; tags: Map<string, string> } {
  const text = Buffer.from(message).toString('latin1');
  const split = text.indexOf('\r\n\r\n');
  const fields = unfoldedFields(text.slice(0, split + 2));
  const signature = fields.find(([name]) => name === 'dkim-signature');
  assert.ok(signature, 'there is a signature');
  const tags = new Map<string, string>();
  for (const tag of signature[1].split(';')) {
    const equals = tag.indexOf('=');
    tags.set(tag.slice(0, equals).trim(), tag.slice(equals + 1).replace(/[ \t]/g, ''));
  }

  const bodyHash = createHash('sha256')
    .update(relaxedBody(text.slice(split + 4)), 'latin1')
    .digest('base64');
  const left = fields.filter(([name]) => name !== 'dkim-signature');
  let signed = '';
  for (const name of (tags.get('h') ?? '').split(':')) {
    const index = left.findLastIndex(([candidate]) => candidate === name);
    const [field] = index === -1 ? [] : left.splice(index, 1);
    if (field) signed += `${field[0]}:${field[1]}\r\n`;
  }
  signed += `dkim-signature:${signature[1].replace(/(; b=).*$/, '$1').trim()}`;
  const value = Buffer.from(tags.get('b') ?? '', 'base64');
  return { ok: bodyHash === tags.get('bh') && isSignature(Buffer.from(signed, 'latin1'), value, publicKey), tags };
}

function isSignature(signed: Buffer, value: Buffer, publicKey: KeyObject): boolean {
  const key = createPublicKey(publicKey.export({ type: 'spki', format: 'pem' }));
  if (key.asymmetricKeyType === 'rsa') return verify('sha256', signed, key, value);
  return verify(null, createHash('sha256').update(signed).digest(), key, value);
}

function unfoldedFields(block: string): [name: string, value: string][] {
  const fields: [string, string][] = [];
  for (const line of block.split('\r\n').slice(0, -1)) {
    const last = fields.at(-1);
    if (/^[ \t]/.test(line) && last) last[1] += line;
    else fields.push([line.slice(0, line.indexOf(':')).trim().toLowerCase(), line.slice(line.indexOf(':') + 1)]);
  }
  return fields.map(([name, value]) => [name, value.replace(/[ \t]+/g, ' ').trim()]);
}

function relaxedBody(body: string): string {
  const lines = body.split('\r\n').map((line) => line.replace(/[ \t]+/g, ' ').replace(/ $/, ''));
  while (lines.at(-1) === '') lines.pop();
  return lines.map((line) => `${line}\r\n`).join('');
}
