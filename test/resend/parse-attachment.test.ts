/** Attachments in every encoding the SDKs send, and the ones that are refused (docs/resend.md). */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isRemote } from '../../src/core/draft.ts';
import type { Attachment } from '../../src/core/email.ts';
import { AppError } from '../../src/core/error.ts';
import { resendLimits } from '../../src/http/resend/limits.ts';
import { completeAttachment, parseAttachments } from '../../src/http/resend/parse-attachment.ts';

const hello = 'aGVsbG8=';

function parseOne(item: unknown) {
  const [attachment] = parseAttachments([item], resendLimits);
  assert(attachment !== undefined);
  return attachment;
}

function parseInline(item: object): Attachment {
  const attachment = parseOne({ content: hello, ...item });
  assert(!isRemote(attachment));
  return attachment;
}

function assertRefused(item: unknown, message: string | RegExp): void {
  assert.throws(
    () => parseOne(item),
    (error) => {
      assert(error instanceof AppError, String(error));
      assert.equal(error.code, 'invalid_attachment');
      if (typeof message === 'string') assert.equal(error.message, message);
      else assert.match(error.message, message);
      return true;
    },
  );
}

describe('attachment content', () => {
  const bytesOf = (content: unknown) => Buffer.from(parseInline({ content }).content);

  it('is the same bytes in every encoding', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
        const buffer = Buffer.from(bytes);
        const base64 = buffer.toString('base64');
        const wrapped = base64.replace(/.{4}/g, '$&\r\n');
        const encodings = [base64, base64.replace(/=/g, ''), buffer.toString('base64url'), wrapped, ` ${base64}\n`];
        for (const content of [...encodings, buffer.toJSON(), [...bytes]]) assert.deepEqual(bytesOf(content), buffer);
      }),
    );
  });

  it('is refused where it is not Base64', () => {
    for (const content of [
      'a',
      'aGVsb',
      '*',
      'aGV$bG8=',
      'data:text/plain;base64,aGVsbG8=',
      '====',
      ' ',
      'häßlich',
      'aG=Vs',
    ]) {
      assertRefused({ content }, 'Attachment `content` is not valid Base64.');
    }
  });

  it('is refused where it is no list of bytes', () => {
    for (const bad of [-1, 256, 1.5, Number.NaN, '1', null, [1]]) {
      for (const content of [[1, bad], { type: 'Buffer', data: [bad] }])
        assertRefused({ content }, /between 0 and 255/);
    }
    for (const content of [5, true, {}, { type: 'Buffer' }, { type: 'Buffer', data: 'x' }, { 0: 1 }]) {
      assertRefused({ content }, /Base64 string or an array of bytes/);
    }
  });

  it('is an empty file where it is empty, and there is no path', () => {
    for (const content of ['', [], { type: 'Buffer', data: [] }]) {
      assert.equal(parseInline({ content, filename: 'empty.log' }).content.length, 0);
      assert(isRemote(parseOne({ content, path: 'https://example.org/a' })));
    }
  });

  it('is the text itself where a text file does not come in Base64, as calendar invites do', () => {
    const invite = 'BEGIN:VCALENDAR\r\nSUMMARY:Grüße\r\nEND:VCALENDAR\r\n';
    const typed = { content_type: 'text/calendar; charset=utf-8; method=REQUEST', filename: 'invite' };
    for (const item of [typed, { filename: 'invite.ics' }])
      assert.equal(Buffer.from(parseInline({ ...item, content: invite }).content).toString(), invite);
    assert.deepEqual(bytesOf(hello), Buffer.from('hello'));
    assertRefused({ content: invite, filename: 'a.pdf' }, 'Attachment `content` is not valid Base64.');
  });

  it('must be there where there is no path', () => {
    for (const content of [undefined, null]) {
      assertRefused({ content, filename: 'a.txt' }, 'Attachment must have either a `content` or `path`.');
      assert(isRemote(parseOne({ content, path: 'https://example.org/a' })));
    }
    for (const item of [null, 'x', 5, []]) assertRefused(item, 'Attachment must have either a `content` or `path`.');
  });

  it('wins over a path beside it', () => {
    assert.equal(parseInline({ path: 'https://example.org/a' }).path, null);
  });
});

describe('attachment path', () => {
  it('is kept for later', () => {
    assert.deepEqual(parseOne({ path: 'https://example.org/a.pdf?x=1' }), {
      path: 'https://example.org/a.pdf?x=1',
      filename: null,
      contentType: null,
      contentId: null,
    });
  });

  it('is refused where it is no http or https URL', () => {
    for (const path of [
      '/etc/passwd',
      'file:///etc/passwd',
      'ftp://example.org/a',
      'data:,x',
      'https://',
      'x',
      5,
      {},
    ]) {
      assertRefused({ path }, 'Attachment `path` must be an http or https URL.');
    }
    assertRefused({ path: `https://example.org/${'a'.repeat(9000)}` }, /http or https URL/);
  });

  it('becomes an attachment named after its URL once fetched', () => {
    const complete = (path: string, served: string | null, changes = {}) => {
      const remote = { path, filename: null, contentType: null, contentId: null, ...changes };
      const { filename, contentType } = completeAttachment(remote, Buffer.from('hi'), served);
      return [filename, contentType];
    };
    assert.deepEqual(complete('https://example.org/x/a%20b.pdf?c=d', 'text/html'), ['a b.pdf', 'application/pdf']);
    assert.deepEqual(complete('https://example.org/', 'image/png'), ['attachment.png', 'image/png']);
    assert.deepEqual(complete('https://example.org/', 'a\r\nb'), ['attachment.bin', 'application/octet-stream']);
    assert.deepEqual(complete('https://example.org/%zz%2F..%2Fx', null), ['%zz%2F..%2Fx', 'application/octet-stream']);
    assert.deepEqual(complete('https://example.org/%2e%2e%2fx%0d%0a', null), ['.._x', 'application/octet-stream']);
    assert.deepEqual(complete('https://example.org/a', null, { filename: 'b.txt' }), ['b.txt', 'text/plain']);
    assert.throws(() => complete('https://example.org/run.exe', null), /`\.exe`/);
  });
});

describe('attachment names and types', () => {
  it('derive the type from the name, and the name from the type', () => {
    const pair = (item: object) => [parseInline(item).filename, parseInline(item).contentType];
    assert.deepEqual(pair({ filename: 'a.pdf' }), ['a.pdf', 'application/pdf']);
    assert.deepEqual(pair({ filename: 'a.pdf', content_type: 'text/plain' }), ['a.pdf', 'text/plain']);
    assert.deepEqual(pair({ filename: 'a.pdf', contentType: 'text/plain' }), ['a.pdf', 'text/plain']);
    assert.deepEqual(pair({ filename: 'a' }), ['a', 'application/octet-stream']);
    assert.deepEqual(pair({ content_type: 'image/png' }), ['attachment.png', 'image/png']);
    assert.deepEqual(pair({ content_type: 'text/calendar; method=REQUEST; charset="utf-8"' }), [
      'attachment.ics',
      'text/calendar; method=REQUEST; charset="utf-8"',
    ]);
    assert.deepEqual(pair({}), ['attachment.bin', 'application/octet-stream']);
  });

  it('make names safe', () => {
    const name = (filename: string) => parseInline({ filename }).filename;
    assert.equal(name('../../etc/passwd'), '.._.._etc_passwd');
    assert.equal(name('C:\\x\\y.pdf'), 'C:_x_y.pdf');
    assert.equal(name(' a\r\nb\0.pdf '), 'ab.pdf');
    assert.equal(name('..'), 'attachment.bin');
    assert.equal(name('a\u202efdp.txt'), 'afdp.txt');
    assert.equal(name('Größe \ud800.pdf'), 'Größe \ufffd.pdf');
    assert.equal(name(`${'x'.repeat(400)}.pdf`).length, 255);
    assert.match(name(`${'x'.repeat(400)}.pdf`), /x\.pdf$/);
    assertRefused({ content: hello, filename: 5 }, /filename/);
  });

  it('refuse the extensions Resend refuses, however they are dressed up', () => {
    for (const filename of ['a.exe', 'A.EXE', 'a.pdf.js', 'a.exe.', 'a.exe ', 'a.exe\0', '.bat', 'a.e\u202exe']) {
      assertRefused({ content: hello, filename }, /^Attachments of type `\.\w+` are not supported\.$/);
      assertRefused({ path: 'https://example.org/a', filename }, /not supported/);
    }
    for (const filename of ['exe', 'a.exe.pdf', 'a.json', 'a.mjs']) parseInline({ filename });
    assert.equal(parseInline({ content_type: 'text/javascript' }).filename, 'attachment.bin');
  });

  it('refuse what is no MIME type', () => {
    for (const content_type of ['x', 'a/b c', 'a/b\r\nX: y', 'a/b; c', 5, {}, '/', `a/${'b'.repeat(500)}`]) {
      assertRefused({ content: hello, content_type }, /MIME type/);
    }
  });

  it('take a content id under either name, with or without angle brackets', () => {
    const id = (item: object) => parseInline(item).contentId;
    assert.equal(id({ content_id: 'logo' }), 'logo');
    assert.equal(id({ content_id: '<logo@x>' }), 'logo@x');
    assert.equal(id({ inline_content_id: 'logo' }), 'logo');
    assert.equal(id({ content_id: '', inline_content_id: 'logo' }), 'logo');
    assert.equal(id({ content_id: null }), null);
    assert.equal(id({ content_id: 'x'.repeat(127) })?.length, 127);
    for (const content_id of ['x'.repeat(128), 'a b', '<>', 'a<b', 'ü', 'a\n\n', 5]) {
      assertRefused({ content: hello, content_id }, /content_id/);
    }
  });
});

describe('the list of attachments', () => {
  it('may be absent, must be an array, and has an end', () => {
    for (const value of [undefined, null, '', []]) assert.deepEqual(parseAttachments(value, resendLimits), []);
    for (const value of [{}, 'x', 5]) assert.throws(() => parseAttachments(value, resendLimits), /must be an array/);
    const many = Array.from({ length: 201 }, () => ({ content: hello }));
    assert.throws(() => parseAttachments(many, resendLimits), /at most 200/);
  });

  it('checks content types in linear time', () => {
    const started = performance.now();
    for (const unit of [';a=b', '; a="b"', ' ;', 'a/', ';\t']) {
      const content_type = `a/b${unit.repeat(100)}`.slice(0, resendLimits.contentTypeCharsMax - 1);
      try {
        parseInline({ content_type: `${content_type}\u0001` });
      } catch (error) {
        assert(error instanceof AppError);
      }
    }
    assert(performance.now() - started < 20_000);
  });
});
