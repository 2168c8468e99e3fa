/** Which fields a mismatch under an idempotency key names. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Message } from '../../src/core/email.ts';
import { diffBatch, diffFields } from '../../src/http/resend/diff.ts';
import { resendLimits } from '../../src/http/resend/limits.ts';
import { parseSend } from '../../src/http/resend/parse.ts';
import { fixedNow, send, smallestMail } from './refusal.ts';

describe('diffFields and diffBatch', () => {
  const message = (changes: object) => send(changes) as Message;

  it('find nothing where only the writing differs', () => {
    assert.deepEqual(diffFields(message({}), send({ to: ['ann@example.org'], cc: null, unknown: 1 })), []);
    const [a, b] = [
      { 'X-A': '1', 'X-B': '2' },
      { 'X-B': '2', 'X-A': '1' },
    ];
    assert.deepEqual(diffFields(message({ headers: a }), send({ headers: b })), [], 'Rust shuffles its headers');
  });

  it('name each field that differs as the wire does', () => {
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
      assert.deepEqual(diffFields(message({}), send({ [field]: value })), [field]);
    }
    assert.deepEqual(diffFields(message({}), send(changes)), Object.keys(changes));
  });

  it('compare times as written, not as read', () => {
    const later = parseSend({ ...smallestMail, scheduled_at: 'in 1 hour' }, fixedNow + 5000);
    assert.deepEqual(diffFields(message({ scheduled_at: 'in 1 hour' }), later), []);
  });

  it('compare attachments by their bytes, remote ones by their path', () => {
    const inline = { attachments: [{ filename: 'a.txt', content: 'aGk=' }] };
    assert.deepEqual(
      diffFields(message(inline), send({ attachments: [{ filename: 'a.txt', content: [104, 105] }] })),
      [],
    );
    assert.deepEqual(diffFields(message(inline), send({ attachments: [{ filename: 'a.txt', content: 'aGo=' }] })), [
      'attachments',
    ]);
    const file = { filename: 'a.txt', contentType: 'text/plain', contentId: null, content: Buffer.from('hi') };
    const fetched: Message = { ...message({}), attachments: [{ ...file, path: 'https://example.org/a.txt' }] };
    assert.deepEqual(diffFields(fetched, send({ attachments: [{ path: 'https://example.org/a.txt' }] })), []);
    assert.deepEqual(diffFields(fetched, send({ attachments: [{ path: 'https://example.org/b.txt' }] })), [
      'attachments',
    ]);
    assert.deepEqual(diffFields(fetched, send(inline)), ['attachments']);
  });

  it('say the position in a batch, and when the counts differ', () => {
    const other = send({ subject: 'Other' });
    assert.deepEqual(diffBatch([message({}), message({})], [send({}), other]), ['[1].subject']);
    assert.deepEqual(diffBatch([message({})], [other, send({})]), ['length', '[0].subject']);
    const [stored, drafts] = [Array.from({ length: 100 }, () => message({})), Array.from({ length: 100 }, () => other)];
    assert.equal(diffBatch(stored, drafts).length, resendLimits.diffNamesMax);
  });
});
