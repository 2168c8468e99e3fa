/** What a send or a batch request becomes, and what each bad one is told (docs/resend.md). */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resendLimits } from '../../src/http/resend/limits.ts';
import { parseBatch, parseSend } from '../../src/http/resend/parse.ts';
import { noWords } from '../../src/http/resend/parse-schedule.ts';
import { addressRule, assertRefused, fixedNow, refusal, send, smallestMail } from './refusal.ts';

describe('parseSend', () => {
  it('reads the smallest send', () => {
    assert.deepEqual(parseSend(smallestMail, fixedNow), {
      from: 'Acme <onboarding@resend.dev>',
      to: ['ann@example.org'],
      cc: [],
      bcc: [],
      replyTo: [],
      subject: 'Hello',
      html: '<p>Hi</p>',
      text: null,
      headers: [],
      tags: [],
      topicId: null,
      attachments: [],
      scheduledText: null,
      scheduledAt: null,
    });
  });

  it('reads every field, as a string or as an array', () => {
    const draft = send({
      from: 'Name<a@example.org>',
      to: ['a@example.org', 'B <b@example.org>'],
      cc: 'c@example.org',
      bcc: ['d@example.org'],
      reply_to: 'e@example.org',
      text: 'Hi',
      headers: { 'X-Entity-Ref-ID': '1' },
      tags: [{ name: 'category', value: 'confirm_email' }],
      topic_id: 'topic',
      scheduled_at: 'in 1 min',
    });
    assert.deepEqual(draft.to, ['a@example.org', 'B <b@example.org>']);
    assert.deepEqual([draft.cc, draft.bcc, draft.replyTo], [['c@example.org'], ['d@example.org'], ['e@example.org']]);
    assert.deepEqual(draft.headers, [['X-Entity-Ref-ID', '1']]);
    assert.deepEqual(draft.tags, [{ name: 'category', value: 'confirm_email' }]);
    assert.equal(draft.topicId, 'topic');
    assert.deepEqual([draft.scheduledText, draft.scheduledAt], ['in 1 min', fixedNow + 60_000]);
  });

  it('takes null and the empty string for absent, and ignores unknown fields', () => {
    const blank = { cc: null, bcc: '', reply_to: null, text: null, headers: null, tags: '', topic_id: '' };
    const draft = send({ ...blank, template: null, attachments: null, scheduled_at: '', replyTo: 'x', react: {} });
    assert.deepEqual(draft, parseSend(smallestMail, fixedNow));
    assert.deepEqual(send({ headers: [] }), draft, 'PHP writes an empty map as []');
  });

  it('names the first missing field before it looks at any format', () => {
    const bad = { from: 'nobody', to: 'nobody', subject: 5 };
    assertRefused({ ...bad, from: undefined }, 'missing_field', 'Missing `from` field.');
    assertRefused({ ...bad, to: [] }, 'missing_field', 'Missing `to` field.');
    assertRefused({ ...bad, subject: '' }, 'missing_field', 'Missing `subject` field.');
    assertRefused({ ...bad, html: null }, 'invalid_field', 'Missing `html` or `text` field.');
    for (const body of [undefined, null, {}]) {
      assert.equal(refusal(() => parseSend(body, fixedNow)).message, 'Missing `from` field.');
    }
    for (const body of [[], [smallestMail], 'x', 5, true]) {
      assert.equal(refusal(() => parseSend(body, fixedNow)).code, 'invalid_field');
    }
  });

  it('lets an empty text opt out of the text part, but not stand alone', () => {
    assert.equal(send({ text: '' }).text, '');
    assert.equal(send({ html: undefined, text: 'Hi' }).html, null);
    assertRefused({ html: '', text: '' }, 'invalid_field', 'Missing `html` or `text` field.');
  });

  it('does not name the fields a template would have supplied', () => {
    assertRefused(
      { from: '', to: null, subject: '', html: '', template: { id: 'x' } },
      'invalid_field',
      /^Invalid `template` field/,
    );
  });

  it('refuses malformed addresses in the words of the real API', () => {
    for (const value of ['nobody', 'a@b@c.d', '@example.org', 'a@', 5, {}, ['a@example.org']]) {
      assertRefused({ from: value }, 'invalid_field', `Invalid \`from\` field. ${addressRule}`);
    }
    for (const field of ['to', 'cc', 'bcc', 'reply_to']) {
      for (const value of ['nobody', ['a@example.org', ''], [null], {}, 7, [['a@example.org']], 'a@b.c, d@e.f']) {
        assertRefused({ [field]: value }, 'invalid_field', `Invalid \`${field}\` field. ${addressRule}`);
      }
    }
  });

  it('takes 50 addresses in a field and refuses 51', () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => `a${i}@example.org`);
    for (const field of ['to', 'cc', 'bcc', 'reply_to']) {
      send({ [field]: many(50) });
      assertRefused({ [field]: many(51) }, 'invalid_field', new RegExp(`^Invalid \`${field}\` field.*50`));
    }
  });

  it('refuses texts of the wrong type', () => {
    for (const field of ['subject', 'html', 'text']) {
      for (const value of [5, true, {}, ['x']]) {
        assertRefused({ [field]: value }, 'invalid_field', `Invalid \`${field}\` field. It must be a string.`);
      }
    }
  });

  it('refuses tags outside the rules, and takes a tag without a value', () => {
    const tag = (name: unknown, value: unknown) => ({ tags: [{ name, value }] });
    assert.deepEqual(send(tag('a', undefined)).tags, [{ name: 'a', value: '' }]);
    assert.deepEqual(send(tag('a', 5)).tags, [{ name: 'a', value: '5' }]);
    assert.deepEqual(send({ tags: { a: 5, b: null } }).tags, [
      { name: 'a', value: '5' },
      { name: 'b', value: '' },
    ]);
    const ascii = 'Tags should only contain ASCII letters, numbers, underscores, or dashes.';
    for (const value of ['a b', 'ä', 'a\n', 'a.b']) assertRefused(tag('a', value), 'invalid_field', ascii);
    assertRefused(tag('a', 'x'.repeat(257)), 'invalid_field', /256/);
    for (const tags of [tag('', 'x').tags, [null], ['a'], 'a', { a: {} }, tag('a', {}).tags]) {
      assertRefused({ tags }, 'invalid_field', /^Invalid `tags` field/);
    }
    const many = (count: number) => ({ tags: Array.from({ length: count }, () => ({ name: 'a', value: 'b' })) });
    send(many(75));
    assertRefused(many(76), 'invalid_field', /75/);
  });

  it('writes numbers and booleans in headers out, leaves out empty ones, refuses the rest', () => {
    assert.deepEqual(send({ headers: { 'X-Priority': 1, 'X-Test': true, 'X-None': null, 'X-Blank': '' } }).headers, [
      ['X-Priority', '1'],
      ['X-Test', 'true'],
    ]);
    for (const headers of ['x', 5, [1], { a: {} }, { a: ['b'] }]) {
      assertRefused({ headers }, 'invalid_field', /^Invalid `headers` field/);
    }
  });

  it('refuses an email over the size limit, counting attachments as Base64', () => {
    const limits = { ...resendLimits, emailBytesMax: 2 * 1024 * 1024 };
    const sized = (bytes: number) => ({
      ...smallestMail,
      attachments: [{ content: Buffer.alloc(bytes).toString('base64') }],
    });
    parseSend(sized(1.4 * 1024 * 1024), fixedNow, noWords, limits);
    assert.match(
      refusal(() => parseSend(sized(1.6 * 1024 * 1024), fixedNow, noWords, limits)).message,
      /2 MB after Base64/,
    );
  });
});

describe('parseBatch', () => {
  const bad = { ...smallestMail, to: undefined };

  it('keeps the order and the position of each email', () => {
    const { drafts, errors } = parseBatch([smallestMail, { ...smallestMail, subject: 'Two' }], 'strict', fixedNow);
    assert.deepEqual(
      drafts.map(({ index, draft }) => [index, draft.subject]),
      [
        [0, 'Hello'],
        [1, 'Two'],
      ],
    );
    assert.deepEqual(errors, []);
  });

  it('throws the first refusal in strict mode and says where it was', () => {
    const error = refusal(() => parseBatch([smallestMail, bad, 5], 'strict', fixedNow));
    assert.deepEqual([error.code, error.message, error.extra], ['missing_field', 'Missing `to` field.', { index: 1 }]);
  });

  it('collects every refusal in permissive mode', () => {
    const { drafts, errors } = parseBatch(
      [bad, smallestMail, 5, { ...smallestMail, from: 'x' }],
      'permissive',
      fixedNow,
    );
    assert.deepEqual(
      drafts.map(({ index }) => index),
      [1],
    );
    assert.deepEqual(errors, [
      { index: 0, message: 'Missing `to` field.' },
      { index: 2, message: 'Each email in a batch must be a JSON object.' },
      { index: 3, message: `Invalid \`from\` field. ${addressRule}` },
    ]);
  });

  it('takes 1 to 100 emails in an array, in both modes', () => {
    const many = (count: number) => Array.from({ length: count }, () => smallestMail);
    for (const mode of ['strict', 'permissive'] as const) {
      assert.equal(parseBatch(many(100), mode, fixedNow).drafts.length, 100);
      for (const body of [many(101), [], {}, undefined, null]) {
        const error = refusal(() => parseBatch(body, mode, fixedNow));
        assert.deepEqual(
          [error.code, error.message],
          ['invalid_field', 'A batch must contain between 1 and 100 emails.'],
        );
      }
      for (const body of [smallestMail, 'x', 5]) {
        assert.match(refusal(() => parseBatch(body, mode, fixedNow)).message, /must be an array of 1 to 100 emails/);
      }
    }
  });
});
