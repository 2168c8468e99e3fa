/** What leaves is read back by two independent parsers, and checked byte by byte against what SMTP allows. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import PostalMime from 'postal-mime';
import type { Attachment, Email } from '../../src/core/email.ts';
import { generateText } from '../../src/render/html-to-text.ts';
import { compose } from '../support/compose.ts';

/** mailparser has no types of its own. */
type Mailboxes = { value: { name: string; address: string }[] };
type Parsed = {
  subject?: string;
  text?: string;
  html?: string | false;
  messageId?: string;
  date?: Date;
  attachments: { filename?: string; contentDisposition: string; cid?: string; content: Buffer }[];
  headers: Map<string, unknown>;
} & Partial<Record<'from' | 'to' | 'cc' | 'replyTo', Mailboxes>>;
const { simpleParser } = createRequire(import.meta.url)('mailparser') as {
  simpleParser(source: Uint8Array, options: Record<string, boolean>): Promise<Parsed>;
};
const readMailparser = (bytes: Uint8Array) =>
  simpleParser(bytes, { skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true });
const readPostal = (bytes: Uint8Array) => PostalMime.parse(bytes);

const awkward = fc.constantFrom(...[...' =?_"\\<>,;:@%()\'.'].map((character) => character.charCodeAt(0)));
const ranges = [...[0x20, 0x7e], ...[0x20, 0x7e], ...[0xa0, 0x2ff], ...[0x370, 0xd7ff], ...[0x1f300, 0x1f9ff]];
/** Less the two separators that no mailbox may hold. */
const inRange = (index: number) =>
  fc.integer({ min: ranges[index], max: ranges[index + 1] }).filter((code) => code !== 0x2028 && code !== 0x2029);
const everyRange = fc.oneof(awkward, ...[0, 2, 4, 6, 8].map(inRange));
const forbidden = fc.constantFrom(0x0d, 0x0a, 0, 0x09, 0x0b, 0x85, 0x2028, 0x1b, 0x7f, 0xd800, 0xdc00);
const textsOf = (codes: fc.Arbitrary<number>) =>
  fc.array(codes, { maxLength: 100 }).map((each) => String.fromCodePoint(...each));
const unicode = textsOf(everyRange);
const hostile = textsOf(fc.oneof(everyRange, forbidden));
const newlines = fc.constantFrom('\n', '\r\n', ' \n\t', '\n.\n', '\n--=_mixed_');
const lines = fc.tuple(fc.array(unicode, { maxLength: 6 }), newlines).map(([words, newline]) => words.join(newline));

describe('compose', () => {
  it('writes a text email that both parsers read alike', async () => {
    const email = emailOf({
      from: 'Acme, Inc. <hello@example.com>',
      to: ['Jürgen Müller <j@example.org>', 'plain@example.org'],
      cc: ['"山田 太郎" <yamada@例え.jp>'],
      bcc: ['secret@example.org'],
      replyTo: ['Say hi <reply@example.com>'],
      subject: 'Grüße aus Köln ✓',
      text: 'Zeile eins\n\nZeile zwei\n',
      headers: [['X-Entity-Ref-ID', '123']],
      scheduledAt: 1_760_000_500_000,
    });
    const bytes = compose(email, null);
    const [parsed, postal] = [await readMailparser(bytes), await readPostal(bytes)];

    assert.deepEqual(mailboxes(parsed.from), [['Acme, Inc.', 'hello@example.com']]);
    assert.deepEqual(mailboxes(parsed.to), [
      ['Jürgen Müller', 'j@example.org'],
      ['', 'plain@example.org'],
    ]);
    assert.deepEqual(mailboxes(parsed.cc), [['山田 太郎', 'yamada@例え.jp']]);
    assert.deepEqual(mailboxes(parsed.replyTo), [['Say hi', 'reply@example.com']]);
    assert.equal(parsed.subject, 'Grüße aus Köln ✓');
    assert.equal(parsed.messageId, email.messageId);
    assert.equal(parsed.date?.getTime(), 1_760_000_500_000);
    assert.equal(parsed.headers.get('x-entity-ref-id'), '123');
    assert.equal(parsed.text, 'Zeile eins\n\nZeile zwei\n');

    assert.deepEqual(postal.from, { name: 'Acme, Inc.', address: 'hello@example.com' });
    assert.equal(postal.to?.[0]?.name, 'Jürgen Müller');
    assert.equal(postal.subject, 'Grüße aus Köln ✓');
    assert.equal(postal.text, 'Zeile eins\n\nZeile zwei\n');
    assert.equal(Date.parse(postal.date ?? ''), 1_760_000_500_000);
  });

  it('never names a Bcc recipient', () => {
    const headers = ['Bcc', 'resent-bcc'].map((name): [string, string] => [name, 'secret@example.org']);
    const email = emailOf({ bcc: ['secret@example.org'], headers });
    assert.doesNotMatch(textOf(compose(email, null)), /secret|bcc/i);
  });

  it('lets an author override none of our own fields, and lets no control header leave', () => {
    const names = ['From', 'TO', 'Cc', 'Bcc', 'subject', 'Date', 'Message-ID', 'MIME-Version', 'Content-Type'];
    names.push('content-transfer-encoding', 'Content-Foo', 'Return-Path', 'DKIM-Signature', 'Reply-To');
    names.push('Idempotency-Key', 'idempotencyKey', 'X-Idempotency-Key', 'sendonce-in-doubt', 'Sendonce-Other');
    names.push('Bad Name', 'Bad:Name', 'Bad\r\nName', 'Ünïcode', '');
    const headers = names.map((name): [string, string] => [name, 'mallory@evil.example']);
    const bytes = compose(emailOf({ replyTo: ['r@example.com'], headers }), null);
    assert.doesNotMatch(textOf(bytes), /mallory/);
    assert.deepEqual(fieldNames(bytes), fieldNames(compose(emailOf({ replyTo: ['r@example.com'] }), null)));
  });

  it("keeps the author's Reply-To where the email has none, and other fields in order", () => {
    const headers: [string, string][] = [
      ['Reply-To', 'Jürgen <r@example.com>'],
      ['X-B', 'one'],
      ['X-A', 'two'],
      ['X-B', 'three'],
    ];
    const text = textOf(compose(emailOf({ headers }), null));
    assert.match(
      text,
      /\r\nReply-To: =\?UTF-8\?B\?SsO8cmdlbg==\?= <r@example.com>\r\nX-B: one\r\nX-A: two\r\nX-B: three\r\n/,
    );
  });

  it("passes an author's own encoded words and folds long values so that they unfold exactly", () => {
    const urls = Array.from({ length: 9 }, (_, i) => `<https://example.com/unsubscribe/${i}>`).join(',   ');
    const headers: [string, string][] = [
      ['X-Encoded', '=?UTF-8?Q?J=C3=BCrgen?='],
      ['List-Unsubscribe', urls],
    ];
    const text = textOf(compose(emailOf({ headers }), null));
    assert.ok(text.includes('\r\nX-Encoded: =?UTF-8?Q?J=C3=BCrgen?=\r\n'));
    assert.ok(text.replace(/\r\n(?=[ \t])/g, '').includes(`\r\nList-Unsubscribe: ${urls}\r\n`));
  });

  it('writes an address beyond ASCII as UTF-8, since nothing else can carry it', async () => {
    const bytes = compose(emailOf({ to: ['用户 <用户@例え.jp>'] }), null);
    assert.deepEqual(mailboxes((await readMailparser(bytes)).to), [['用户', '用户@例え.jp']]);
  });

  it('dates an email from the later of accepted and scheduled', () => {
    const past = textOf(compose(emailOf({ createdAt: 1_760_000_000_999, scheduledAt: 5 }), null));
    assert.ok(past.includes('\r\nDate: Thu, 09 Oct 2025 08:53:20 +0000\r\n'));
  });

  it('throws on an email that was never valid', () => {
    assert.throws(() => compose(emailOf({ to: ['a@b.c\r\nBcc: x@y.z'] }), null), /must have been validated/);
    assert.throws(() => compose(emailOf({ id: 'x"\r\nBcc: y' }), null), /MIME boundary/);
    assert.throws(() => compose(emailOf({ messageId: '<a\r\nBcc: b>' }), null), /Message-ID/);
  });
});

describe('the structure of a composed email', () => {
  const html = '<p>Hello <img src="cid:logo"></p>';
  const logo = fileOf({ contentId: 'logo', filename: 'logo.png', contentType: 'image/png' });
  const plain = 'text/plain';
  const pdf = 'application/pdf';
  const shapes: [title: string, given: Partial<Email>, tree: string[]][] = [
    ['text alone', { text: 'x' }, [plain]],
    ['nothing at all', { text: null }, [plain]],
    ['empty text', { text: '' }, [plain]],
    ['empty html', { text: 'x', html: '' }, [plain]],
    ['html, text made from it', { html, text: null }, ['multipart/alternative', plain, 'text/html']],
    ['html without words', { html: '<img src="cid:logo">', text: null }, ['text/html']],
    ['html, no text wanted', { html, text: '' }, ['text/html']],
    ['html and text', { html, text: 'x' }, ['multipart/alternative', plain, 'text/html']],
    ['html and inline file', { html, text: '', attachments: [logo] }, ['multipart/related', 'text/html', 'image/png']],
    ['text and file', { text: 'x', attachments: [fileOf({})] }, ['multipart/mixed', plain, pdf]],
    ['text and inline file', { text: 'x', attachments: [logo] }, ['multipart/mixed', plain, 'image/png']],
    [
      'everything',
      { html, text: 'x', attachments: [logo, fileOf({})] },
      ['multipart/mixed', 'multipart/alternative', plain, 'multipart/related', 'text/html', 'image/png', pdf],
    ],
  ];
  for (const [title, given, tree] of shapes) {
    it(`is ${tree.join(' > ')} for ${title}`, () => {
      const bytes = compose(emailOf(given), null);
      const types = [...textOf(bytes).matchAll(/^Content-Type: ([a-z]+\/[a-z]+)/gm)].map((match) => match[1]);
      assert.deepEqual(types, tree);
      assertSendable(bytes);
    });
  }

  it('hands inline files to the html by their content id', async () => {
    const email = emailOf({ html, text: 'x', attachments: [logo, fileOf({ filename: 'Rechnung März.pdf' })] });
    const { attachments } = await readMailparser(compose(email, null));
    assert.deepEqual(
      attachments.map(({ filename, contentDisposition, cid }) => ({ filename, contentDisposition, cid })),
      [
        { filename: 'logo.png', contentDisposition: 'inline', cid: 'logo' },
        { filename: 'Rechnung März.pdf', contentDisposition: 'attachment', cid: undefined },
      ],
    );
  });

  it('keeps the parameters of a content type and falls back where it is none', () => {
    const typeOf = (contentType: string) =>
      /^Content-Type: ((?!multipart|text\/plain)[^\r]*); name=/m.exec(
        textOf(compose(emailOf({ attachments: [fileOf({ contentType, filename: 'f' })] }), null)),
      )?.[1];
    assert.equal(typeOf('text/calendar; a=R;charset="utf-8"'), 'text/calendar; a=R; charset="utf-8"');
    assert.equal(typeOf('text/csv; name="other.csv"'), 'text/csv');
    assert.equal(typeOf('text/csv; x="\r\nBcc: y"'), 'text/csv');
    for (const none of ['', 'pdf', 'a/b/c', 'image/png\r\nBcc: x', 'multipart/mixed; boundary=x', 'message/rfc822']) {
      assert.equal(typeOf(none), 'application/octet-stream', none);
    }
  });

  it('encodes a text that holds its own boundary', async () => {
    const text = `--=_mixed_${emailOf({}).id}--\n--=_mixed_${emailOf({}).id}\n`;
    const read = await readPostal(compose(emailOf({ text, attachments: [fileOf({})] }), null));
    assert.equal(read.text?.trimEnd(), text.trimEnd());
    assert.equal(read.attachments.length, 1);
  });
});

describe('any email', () => {
  it('round-trips: subject, names, bodies, filenames and bytes', async () => {
    const file = fc.record({ filename: unicode, content: fc.uint8Array({ maxLength: 300 }), isInline: fc.boolean() });
    const files = fc.array(file, { maxLength: 2 });
    const written = fc.record({ subject: unicode, name: unicode, text: lines, html: lines, files });
    await fc.assert(
      fc.asyncProperty(written, async ({ subject, name, text, html, files }) => {
        const attachments = files.map(({ filename, content, isInline }, index) =>
          fileOf({ filename, content, contentId: isInline ? `cid-${index}` : null }),
        );
        const quoted = `"${name.replace(/["\\]/g, '\\$&')}" <jane@example.org>`;
        const email = emailOf({ subject, to: [quoted], text: `t${text}`, html: `h${html}`, attachments });
        const bytes = compose(email, null);
        assertSendable(bytes);
        for (const read of [await viaMailparser(bytes), await viaPostal(bytes)]) {
          assert.equal(read.subject.trim(), subject.trim());
          assert.equal(read.name?.trim(), name.trim());
          assert.equal(withoutLast(read.text), withoutLast(`t${text}`));
          assert.equal(withoutLast(read.html), withoutLast(`h${html}`));
          const sorted = [...attachments].sort((a, b) => Number(a.contentId === null) - Number(b.contentId === null));
          assert.deepEqual(
            read.files.map((found) => [found.filename?.trim() ?? '', Buffer.from(found.content).toString('hex')]),
            sorted.map((sent) => [sent.filename.trim(), Buffer.from(sent.content).toString('hex')]),
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  it('has no bare CR or LF, no line over 998 and no byte over 127, and the fields it should, whatever is written', () => {
    const expected = fieldNames(compose(emailOf({ headers: [['X-Author', 'x']] }), null));
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 6, maxLength: 6 }), fc.nat(3), (texts, length) => {
        const longer = texts.map((each) => each.repeat(4 ** length));
        const [subject = '', value = '', text = '', html = '', filename = '', contentType = ''] = longer;
        const attachments = [fileOf({ filename, contentType, contentId: value }), fileOf({ filename, contentType })];
        const email = emailOf({ subject, text, html, attachments, headers: [['X-Author', value]] });
        const bytes = compose(email, null);
        assertSendable(bytes);
        assert.deepEqual(fieldNames(bytes), expected);
        assert.ok(Buffer.from(bytes).equals(Buffer.from(compose(structuredClone(email), null))));
      }),
      { numRuns: 150 },
    );
  });

  it('yields no new header for an injection in any field the author controls', () => {
    const evil = 'x\r\nBcc: evil@example.com\r\n\r\n<script>';
    const given: Partial<Email>[] = [
      { subject: evil },
      { headers: [['X-A', evil]] },
      { headers: [[evil, 'x']] },
      { attachments: [fileOf({ filename: evil })] },
      { attachments: [fileOf({ contentType: `text/plain; x=${evil}` })] },
      { attachments: [fileOf({ contentType: evil })] },
      { attachments: [fileOf({ contentId: evil })] },
    ];
    for (const each of given) assert.doesNotMatch(textOf(compose(emailOf(each), null)), /^bcc:/im);
    for (const field of ['to', 'cc', 'replyTo'] as const) {
      assert.throws(() => compose(emailOf({ [field]: [`"${evil}" <a@b.c>`] }), null));
    }
    assert.throws(() => compose(emailOf({ from: `a@b.c${evil}` }), null));
  });

  it('turns a smuggled newline into a space, also where an encoding could carry it', () => {
    const attachments = [fileOf({ filename: 'a\nb' })];
    const text = textOf(compose(emailOf({ subject: 'a\nb', headers: [['X-A', 'a\rb']], attachments }), null));
    for (const expected of ['Subject: a b\r\n', 'X-A: a b\r\n', 'filename="a b"\r\n'])
      assert.ok(text.includes(expected));
  });

  it('never cuts an escape of quoted-printable in two, and keeps within 76 columns', () => {
    for (const start of ['', 'x', 'xx', 'xxx']) {
      const body = textOf(compose(emailOf({ text: start + '='.repeat(1200) }), null)).split('\r\n\r\n')[1] ?? '';
      for (const line of body.split('\r\n')) assert.match(line, /^(?=.{0,76}$)(?:[^=]|=[0-9A-F]{2})*=?$/);
    }
  });

  it('survives look-alikes of encoded words, and words and runs of spaces that no line could hold', async () => {
    const lookalike = 'see =?UTF-8?Q?J=C3=BC?= here';
    const longs = ['w'.repeat(3000), `a${' '.repeat(3000)}b`, 'ü'.repeat(3000), `${'w '.repeat(2000)}w`];
    for (const long of [...longs, lookalike]) {
      const bytes = compose(emailOf({ subject: long, text: long, html: long, headers: [['X-Long', long]] }), null);
      assertSendable(bytes);
      assert.equal((await readPostal(bytes)).subject, long);
    }
  });

  it('yields the bytes it yielded before: mail queued by an older version is held when these change', () => {
    assert.deepEqual(
      golden().map((bytes) => createHash('sha256').update(bytes).digest('hex')),
      [
        '8ef98746959c135fbafeb95000f9f38de51309f1f56673982b7072b963a4ed36',
        'e7476f83b7a767f9d89f8e483b20e9eda1530e1e71ac5b25c2464dd8558cf617',
        '1e102c4d4495ef46e1439efcefc12d4ea2ce1a4361f339ddcb018070cf678319',
      ],
    );
  });
});

const nobody = { cc: [], bcc: [], replyTo: [] };
const nothing = { headers: [], tags: [], attachments: [], topicId: null, html: null };

function emailOf(given: Partial<Email>): Email {
  return {
    ...{ ...nobody, ...nothing, account: 'acme', createdAt: 1_760_000_000_000, scheduledText: null, scheduledAt: null },
    ...{ id: '0198c0de-0000-7000-8000-000000000001', messageId: '<0198c0de@example.com>' },
    ...{ from: 'Acme <hello@example.com>', to: ['jane@example.org'], subject: 'Hello', text: 'Hello' },
    madeText: given.text === null && given.html ? generateText(given.html) : null,
    ...given,
  };
}

function fileOf(given: Partial<Attachment>): Attachment {
  const content = Buffer.from('%PDF-1.7 and more than one line of base64, so that it is wrapped at 76 columns');
  return { filename: 'invoice.pdf', contentType: 'application/pdf', contentId: null, content, path: null, ...given };
}

/** Changes to these bytes hold mail that is queued during an upgrade: change them on purpose, and say so. */
function golden(): Uint8Array[] {
  return [
    compose(emailOf({ text: 'Hello,\nworld\n', headers: [['List-Unsubscribe', '<https://example.com/u>']] }), null),
    compose(emailOf({ subject: 'Grüße ✓', html: `<h1>Grüße</h1>${'<p>lang</p>'.repeat(99)}`, text: null }), null),
    compose(
      emailOf({
        from: '"Müller, Jürgen" <j@bücher.example>',
        to: Array.from({ length: 9 }, (_, i) => `Recipient ${i} <r${i}@example.org>`),
        replyTo: ['=?x?= <r@example.com>'],
        subject: '山'.repeat(60),
        html: '<p>山</p>'.repeat(20),
        text: '山'.repeat(99),
        attachments: [
          fileOf({ contentId: 'logo', filename: `${'ü'.repeat(40)}.png`, contentType: 'image/png; charset=x' }),
          fileOf({ content: Uint8Array.from({ length: 999 }, (_, i) => i % 256) }),
        ],
        scheduledAt: 1_770_000_000_000,
      }),
      null,
    ),
  ];
}

async function viaMailparser(bytes: Uint8Array) {
  const parsed = await readMailparser(bytes);
  const { subject = '', text = '', html = '', attachments } = parsed;
  return { subject, name: parsed.to?.value[0]?.name, text, html: String(html), files: attachments };
}

async function viaPostal(bytes: Uint8Array) {
  const { subject = '', to, text = '', html = '', attachments } = await readPostal(bytes);
  const files = attachments.map(({ filename, content }) => ({
    filename,
    content: new Uint8Array(content as ArrayBuffer),
  }));
  return { subject, name: to?.[0]?.name, text, html, files };
}

/** Parsers differ in whether the newline before a boundary, or at the end, is part of a body. */
const withoutLast = (text: string) => text.replace(/\r\n?/g, '\n').trimEnd();

function mailboxes(list: Mailboxes | undefined): [string, string][] {
  return (list?.value ?? []).map(({ name, address }) => [name, address]);
}

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

/** But for Content-*, which depends on what is in the email. */
function fieldNames(bytes: Uint8Array): string[] {
  const head = textOf(bytes).split('\r\n\r\n', 1)[0] ?? '';
  const names = head.split(/\r\n(?![ \t])/).map((field) => field.slice(0, field.indexOf(':')).toLowerCase());
  return names.filter((name) => !name.startsWith('content-'));
}

function assertSendable(bytes: Uint8Array): void {
  const text = textOf(bytes);
  assert.doesNotMatch(text, /\r(?!\n)|(?<!\r)\n/, 'a bare CR or LF');
  assert.doesNotMatch(text, /[^\t\r\n -~]/, 'a byte that is not printable ASCII');
  for (const line of text.split('\r\n')) assert.ok(line.length <= 998, `a line of ${line.length}`);
  const head = text.slice(0, text.indexOf('\r\n\r\n'));
  for (const line of head.split('\r\n')) assert.match(line, /[^ \t]/, 'a header line of nothing but space');
}
