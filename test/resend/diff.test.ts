/** Which fields a mismatch under an idempotency key names. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Message } from '../../src/core/email.ts';
import { diffBatch, diffFields } from '../../src/http/resend/diff.ts';
import { resendLimits } from '../../src/http/resend/limits.ts';
import { parseSend } from '../../src/http/resend/parse.ts';
import { stored } from '../support/stored.ts';
import { fixedNow, send, smallestMail } from './refusal.ts';

describe('diffFields and diffBatch', () => {
  const message = (changes: object) => stored(send(changes) as Message);

  it('find nothing where only the writing differs', async () => {
    assert.deepEqual(await diffFields(message({}), send({ to: ['ann@example.org'], cc: null, unknown: 1 })), []);
    const [a, b] = [
      { 'X-A': '1', 'X-B': '2' },
      { 'X-B': '2', 'X-A': '1' },
    ];
    assert.deepEqual(await diffFields(message({ headers: a }), send({ headers: b })), [], 'Rust shuffles its headers');
  });

  it('name each field that differs as the wire does', async () => {
    const changes = {
      from: 'b@example.org',
      to: ['b@example.org'],
      subject: 'Other',
      bcc: 'b@example.org',
      cc: 'b@example.org',
      reply_to: 'b@example.org',
      html: '<p>Other</p>',
      text: '',
      headers: { 'X-A': 'b' },
      scheduled_at: 'in 1 hour',
      attachments: [{ content: 'aGk=' }],
      tags: [{ name: 'a', value: 'b' }],
      topic_id: 'b',
    };
    for (const [field, value] of Object.entries(changes)) {
      assert.deepEqual(await diffFields(message({}), send({ [field]: value })), [field]);
    }
    assert.deepEqual(await diffFields(message({}), send(changes)), Object.keys(changes));
  });

  it('compare times as written, not as read', async () => {
    const later = parseSend({ ...smallestMail, scheduled_at: 'in 1 hour' }, fixedNow + 5000);
    assert.deepEqual(await diffFields(message({ scheduled_at: 'in 1 hour' }), later), []);
  });

  it('compare attachments by their bytes, remote ones by their path', async () => {
    const inline = { attachments: [{ filename: 'a.txt', content: 'aGk=' }] };
    assert.deepEqual(
      await diffFields(message(inline), send({ attachments: [{ filename: 'a.txt', content: [104, 105] }] })),
      [],
    );
    assert.deepEqual(
      await diffFields(message(inline), send({ attachments: [{ filename: 'a.txt', content: 'aGo=' }] })),
      ['attachments'],
    );
    const file = { filename: 'a.txt', contentType: 'text/plain', contentId: null, content: Buffer.from('hi') };
    const attachments = [{ ...file, path: 'https://example.org/a.txt' }];
    const fetched = stored({ ...(send({}) as Message), attachments });
    assert.deepEqual(await diffFields(fetched, send({ attachments: [{ path: 'https://example.org/a.txt' }] })), []);
    assert.deepEqual(await diffFields(fetched, send({ attachments: [{ path: 'https://example.org/b.txt' }] })), [
      'attachments',
    ]);
    assert.deepEqual(await diffFields(fetched, send(inline)), ['attachments']);
  });

  it('say the position in a batch, and when the counts differ', async () => {
    const other = send({ subject: 'Other' });
    assert.deepEqual(await diffBatch([message({}), message({})], [send({}), other]), ['[1].subject']);
    assert.deepEqual(await diffBatch([message({})], [other, send({})]), ['length', '[0].subject']);
    const [many, drafts] = [Array.from({ length: 100 }, () => message({})), Array.from({ length: 100 }, () => other)];
    assert.equal((await diffBatch(many, drafts)).length, resendLimits.diffNamesMax);
  });
});
