/** Composing beside the serving thread makes the same bytes as composing on it, and takes what it is given. */

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { type Composable, compose, type Made } from '../../src/core/compose.ts';
import { createDkimSigner } from '../../src/core/dkim.ts';
import { joined, sizeOf } from '../../src/core/pieces.ts';
import { Composer } from '../../src/render/composer.ts';

const megabyte = 1024 * 1024;
const { privateKey } = generateKeyPairSync('ed25519');
const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const signer = createDkimSigner({ domain: 'example.com', selector: 's1', privateKeyPem });

function emailOf(given: Partial<Composable>): Composable {
  return {
    ...{ account: 'acme', id: '0198c0de-0000-7000-8000-000000000001', messageId: '<0198c0de@example.com>' },
    ...{ createdAt: 1_760_000_000_000, scheduledText: null, scheduledAt: null, madeText: null, html: null, text: 'x' },
    ...{ from: 'Acme <hello@example.com>', to: ['jane@example.org'], cc: [], bcc: [], replyTo: [], subject: 'Hello' },
    ...{ headers: [], tags: [], attachments: [], topicId: null },
    ...given,
  };
}

const file = (size: number) => {
  const content = Uint8Array.from({ length: size }, (_, index) => index % 251);
  return { filename: 'a.bin', contentType: 'application/pdf', contentId: null, path: null, content };
};

/** A buffer of its own each time: what is handed over is gone. */
const large: Record<string, () => Partial<Composable>> = {
  'a file': () => ({ attachments: [file(megabyte)] }),
  'two files of the same bytes': () => {
    const shared = file(megabyte);
    return { attachments: [shared, shared] };
  },
  'a text in ASCII': () => ({ text: Buffer.from('a line of text\n'.repeat(70_000)) }),
  'html of quoted-printable': () => ({ html: 'Zwölf Boxkämpfer \r\n'.repeat(50_000), madeText: 'zwölf' }),
  'text of Base64': () => ({ text: '山\r'.repeat(300_000) }),
  'an address beyond ASCII': () => ({ to: ['用户@例え.jp', 'b@example.org'], attachments: [file(megabyte)] }),
};

function start(t: TestContext): Composer {
  const composer = new Composer();
  t.after(() => composer.stop());
  return composer;
}

function bytesOf({ whole, plain }: Made): (Buffer | null)[] {
  return [joined(whole.pieces), plain && joined(plain.pieces), Buffer.from(whole.contentHash)];
}

describe('a large mail', () => {
  it('has the bytes that the serving thread would make, however it is encoded and signed', async (t) => {
    const { compose: composeAside } = start(t);
    for (const [what, given] of Object.entries(large)) {
      const made = await composeAside(emailOf(given()), signer, true);
      assert.deepEqual(bytesOf(made), bytesOf(compose(emailOf(given()), signer, true)), what);
    }
  });

  it('is taken from who asks, not copied; a small one is left alone', async (t) => {
    const { compose: composeAside } = start(t);
    const [big, small] = [file(megabyte), file(1_000)];
    await composeAside(emailOf({ attachments: [big] }), null);
    await composeAside(emailOf({ attachments: [small] }), null);
    assert.deepEqual([big.content.length, small.content.length], [0, 1_000]);
  });

  it('that was never valid is refused with the reason, and the next is composed', async (t) => {
    const { compose: composeAside } = start(t);
    const asked = composeAside(emailOf({ id: 'x"', attachments: [file(megabyte)] }), null);
    await assert.rejects(asked, /MIME boundary/);
    const { whole } = await composeAside(emailOf({ attachments: [file(megabyte)] }), null);
    assert.ok(sizeOf(whole.pieces) > megabyte);
  });
});
