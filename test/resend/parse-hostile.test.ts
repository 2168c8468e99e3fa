/** Requests that mean harm: header injection, broken text, JSON of any depth and shape (docs/resend.md). */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AppError } from '../../src/core/error.ts';
import { parseBatch, parseSend } from '../../src/http/resend/parse.ts';
import { parseReschedule } from '../../src/http/resend/parse-schedule.ts';
import { assertRefused, fixedNow, refusal, send, smallestMail } from './refusal.ts';

describe('what would break out of a header', () => {
  const evil = ['\r\nBcc: x@example.org', '\nBcc: x@example.org', '\rx', '\0'];

  it('is refused in every place that ends in one', () => {
    for (const tail of evil) {
      const address = `a@example.org${tail}`;
      const changes = [
        { from: address },
        { from: `A${tail} <a@example.org>` },
        { to: [address] },
        { cc: address },
        { bcc: address },
        { reply_to: address },
        { subject: `x${tail}` },
        { headers: { 'X-A': `x${tail}` } },
        { headers: { [`X-A${tail}`]: 'x' } },
        { tags: [{ name: `a${tail}`, value: 'b' }] },
        { tags: [{ name: 'a', value: `b${tail}` }] },
        { attachments: [{ content: 'aGk=', content_type: `text/plain${tail}` }] },
        { attachments: [{ content: 'aGk=', content_id: `x${tail}` }] },
        { attachments: [{ path: `https://example.org/${tail}` }] },
      ];
      for (const change of changes) {
        const { code } = refusal(() => send(change));
        assert(code === 'invalid_field' || code === 'invalid_attachment', JSON.stringify(change));
      }
    }
  });

  it('never reaches a draft, whatever the strings are', () => {
    const text = fc.array(fc.constantFrom(...evil, 'a', '@', 'example.org', '<', '>', ':', ' ', '"', '.exe', '/'), {
      maxLength: 8,
    });
    const word = text.map((parts) => parts.join(''));
    fc.assert(
      fc.property(word, word, word, (a, b, c) => {
        const file = { content: 'aGk=', filename: a, content_type: b, content_id: c };
        for (const change of [
          { from: a },
          { to: [a, b] },
          { subject: a },
          { headers: { [a]: b } },
          { attachments: [file] },
        ]) {
          let draft: ReturnType<typeof send>;
          try {
            draft = send(change);
          } catch (error) {
            assert(error instanceof AppError);
            continue;
          }
          const attached = draft.attachments.flatMap((f) => [f.filename, f.contentType, f.contentId]);
          const lines = [draft.from, ...draft.to, draft.subject, ...draft.headers.flat(), ...attached];
          for (const line of lines) assert.doesNotMatch(line ?? '', /[\r\n\0]/);
        }
      }),
    );
  });

  it('is no header name: spaces, colons, beyond ASCII, none at all, too long', () => {
    for (const name of ['X A', 'X:A', 'Ünï', '', 'x'.repeat(77), 'X\t']) {
      assertRefused({ headers: { [name]: 'x' } }, 'invalid_field', /header name/);
    }
  });

  it('is no prototype: names like __proto__ are ordinary header names', () => {
    const headers = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c"}');
    assert.deepEqual(send({ headers }).headers, [
      ['__proto__', 'a'],
      ['constructor', 'b'],
      ['toString', 'c'],
    ]);
    assert.equal(
      refusal(() => parseSend(JSON.parse('{"__proto__":{"from":"a@b.c"}}'), fixedNow)).message,
      'Missing `from` field.',
    );
  });
});

describe('hostile JSON', () => {
  it('turns lone surrogates into U+FFFD', () => {
    const draft = send({ subject: 'a\ud800', html: '\udc00b', text: 'c\ud800d', headers: { 'X-A': '\ud83d' } });
    assert.deepEqual([draft.subject, draft.html, draft.text], ['a\ufffd', '\ufffdb', 'c\ufffdd']);
    assert.deepEqual(draft.headers, [['X-A', '\ufffd']]);
  });

  it('survives deep nesting in every field', () => {
    const depth = 100_000;
    const deep = JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`);
    for (const field of [
      ...Object.keys(parseSend(smallestMail, fixedNow)),
      'reply_to',
      'topic_id',
      'scheduled_at',
      'template',
    ]) {
      try {
        send({ [field]: deep });
      } catch (error) {
        assert(error instanceof AppError, field);
      }
    }
    assert(refusal(() => parseSend(deep, fixedNow)));
    assert(refusal(() => parseBatch(deep, 'strict', fixedNow)));
  });

  it('is answered by a refusal or a draft, never by another error, and soon', () => {
    const value = fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.constantFrom('a@b.c', null, '', [], {}));
    const file = fc.record(
      { content: value, path: value, filename: value, content_type: value, content_id: value },
      { requiredKeys: [] },
    );
    const fields = { from: value, to: value, cc: value, reply_to: value, subject: value, html: value, text: value };
    const rest = {
      headers: value,
      tags: fc.oneof(value, fc.array(fc.record({ name: value, value }))),
      template: value,
    };
    const last = { scheduled_at: value, topic_id: value, attachments: fc.oneof(value, fc.array(file)) };
    const body = fc.oneof(fc.jsonValue(), fc.record({ ...fields, ...rest, ...last }, { requiredKeys: [] }));
    fc.assert(
      fc.property(body, (arbitrary) => {
        const changed =
          typeof arbitrary === 'object' && arbitrary !== null ? { ...smallestMail, ...arbitrary } : arbitrary;
        const started = performance.now();
        for (const run of [
          () => parseSend(arbitrary, fixedNow),
          () => parseSend(changed, fixedNow),
          () => parseBatch([arbitrary, changed], 'permissive', fixedNow),
          () => parseReschedule(arbitrary, fixedNow),
        ]) {
          try {
            run();
          } catch (error) {
            assert(error instanceof AppError, String(error));
          }
        }
        assert(performance.now() - started < 20_000, 'took far too long');
      }),
      { numRuns: 2000 },
    );
  });
});
