/** What a submitted mail is told from another by, what of it leaves, and that neither takes long however it is written. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hashContent } from '../../src/listen/submission/content-hash.ts';
import { readHeader, withoutOurs } from '../../src/listen/submission/header.ts';
import { submissionLimits as limits } from '../../src/listen/submission/limits.ts';
import { createLineCheck } from '../../src/listen/submission/line-check.ts';
import { readHead } from '../../src/listen/submission/message.ts';
import { readMail, readMailFile } from '../../src/render/read-mail.ts';

const lines = (...all: string[]) => Buffer.from(all.map((line) => `${line}\r\n`).join(''));

function hashed(mail: Buffer): string {
  return hashContent(mail, readHeader(mail, limits));
}

/** As an ordinary client writes it out, with what it writes anew. */
function written(anew: { boundary: string; inner: string; id: string }, text = 'text'): Buffer {
  const { boundary, inner, id } = anew;
  return lines(
    `Received: by ${id}`,
    `Message-ID: <${id}@acme.example>`,
    `Date: ${id}`,
    'From: app@acme.example',
    `Subject: a long`,
    id.length > 1 ? '\tsubject' : ' subject',
    `DKIM-Signature: b=${id}`,
    'Resend-Idempotency-Key: k',
    `Content-Type: multipart/mixed;`,
    ` boundary="${boundary}"`,
    '',
    'preamble',
    `--${boundary}`,
    `Content-Type: multipart/alternative; boundary=${inner}`,
    '',
    `--${inner}`,
    'Content-Type: text/plain',
    '',
    text,
    `--${inner}--  `,
    '',
    `--${boundary}`,
    'Content-Type: application/pdf',
    '',
    '--x',
    `--${boundary}--`,
  );
}

const first = written({ boundary: 'aaa', inner: 'bbb', id: '1' });

describe('what a mail is told from another by', () => {
  it('is not what its client writes anew', () => {
    assert.equal(hashed(first), hashed(written({ boundary: '=_x/y', inner: 'aaa', id: '22' })));
  });

  for (const [what, mail] of [
    ['its text', written({ boundary: 'aaa', inner: 'bbb', id: '1' }, 'other')],
    ['a field of its header', Buffer.concat([lines('X-Entity: 7'), first])],
    ['its tags', Buffer.concat([lines('Resend-Tags: a'), first])],
    ['a field of a part', Buffer.from(first.toString().replace('text/plain', 'text/html'))],
    [
      'how its parts stand in each other',
      Buffer.from(first.toString().replace('--aaa\r\nContent-Type: app', '--bbb\r\nContent-Type: app')),
    ],
    ['a line that looks like a boundary', Buffer.from(first.toString().replace('--x', '--y'))],
  ] as const) {
    it(`is ${what}`, () => assert.notEqual(hashed(mail), hashed(first)));
  }

  it('is all of a mail without parts', () => {
    const plain = lines('From: a@b.example', '', '--aaa', 'text');
    assert.notEqual(hashed(plain), hashed(lines('From: a@b.example', '', '--bbb', 'text')));
  });
});

describe('what leaves of a mail', () => {
  const left = (mail: Buffer) => withoutOurs(mail, readHeader(mail, limits)).toString();

  it('is all of it where there is nothing to leave out', () => {
    assert.equal(left(first.subarray(first.indexOf('From'), first.indexOf('Resend'))).startsWith('From: '), true);
    const mail = lines('From: a@b.example', 'X: y', '', 'text');
    assert.equal(withoutOurs(mail, readHeader(mail, limits)), mail);
  });

  it('is neither the key nor Bcc nor what is said to us, folded or not', () => {
    const mail = lines(
      'Bcc: a@b.example,',
      '\tc@d.example',
      'From: a@b.example',
      'RESEND-Idempotency-Key: k',
      'X-Sib-Sandbox: x',
      'X-Mailin-Tag: t',
      'Sendonce-In-Doubt: hold',
      'To: e@f.example',
      '',
      'Bcc: stays',
    );
    assert.equal(left(mail), lines('From: a@b.example', 'To: e@f.example', '', 'Bcc: stays').toString());
  });

  it('has an end of its header, also where that is all there is', () => {
    for (const end of ['', '\r\n', '\r\n\r\n'])
      assert.equal(left(Buffer.from(`From: a@b.example${end}`)), 'From: a@b.example\r\n\r\n');
  });
});

describe('whom a mail is for', () => {
  it('is whom its envelope names, each once, in the place its header gives them', () => {
    const mail = lines(
      'From: App <a@b.example>',
      'To: Team: "Ann, A." <ANN@x.example>, other@x.example;',
      'Cc: bob@x.example, ann@x.example',
      '',
      '',
    );
    const { to, cc, bcc } = readHead(
      readHeader(mail, limits),
      ['ann@x.example', 'bob@x.example', 'eve@x.example'],
      limits,
    );
    assert.deepEqual([to, cc, bcc], [['"Ann, A." <ann@x.example>'], ['bob@x.example'], ['eve@x.example']]);
  });
});

describe('what is shown of a mail', () => {
  it('is its texts, whatever they are encoded in, and the names and sizes of its files', () => {
    const mail = lines(
      'From: a@b.example',
      'Content-Type: multipart/mixed; boundary="a b"',
      '',
      '--a b',
      'Content-Type: multipart/alternative; boundary=inner',
      '',
      '--inner',
      'Content-Type: text/plain; charset=iso-8859-1',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'Gr=FC=DFe, soft=',
      ' line',
      '--inner',
      'content-type: TEXT/HTML; charset="utf-8"',
      'Content-Transfer-Encoding: BASE64',
      '',
      Buffer.from('<p>Grüße</p>').toString('base64'),
      '--inner--',
      '--a b',
      'Content-Type: application/pdf; name="=?utf-8?q?R=C3=A9sum=C3=A9=2Epdf?="',
      'Content-Transfer-Encoding: base64',
      'Content-ID: <cid@x>',
      '',
      'AAEC',
      '--a b',
      "Content-Disposition: attachment; filename*0*=UTF-8''%C3%84; filename*1=.txt",
      '',
      'inside',
      '--a b',
      'Content-Type: message/rfc822',
      '',
      'Content-Type: multipart/mixed; boundary=z',
      '',
      '--z',
      '--a b--',
      'epilogue',
    );
    assert.deepEqual(readMail(mail), {
      text: 'Grüße, soft line',
      html: '<p>Grüße</p>',
      files: [
        { filename: 'Résumé.pdf', contentType: 'application/pdf', contentId: 'cid@x', sizeBytes: 3 },
        { filename: 'Ä.txt', contentType: 'text/plain', contentId: null, sizeBytes: 6 },
        { filename: 'message.eml', contentType: 'message/rfc822', contentId: null, sizeBytes: 48 },
      ],
    });
    assert.deepEqual(
      [1, 3].map((position) => readMailFile({ mail, position })?.toString() ?? null),
      ['inside', null],
    );
  });
});

describe('lines', () => {
  const pass = (...chunks: string[]) => {
    const look = createLineCheck(10);
    for (const chunk of chunks) look(Buffer.from(chunk));
  };

  it('end in CRLF, however they are cut', () => {
    for (const chunks of [['a\r\nb'], ['a\r', '\nb'], ['a', '\r', '\n', 'b\r'], ['', '\r\n']]) pass(...chunks);
    for (const chunks of [['a\nb'], ['a\rb'], ['a\r', 'b'], ['a\r', '\r\n'], ['\n'], ['a\r\n\nb'], ['a\0']]) {
      assert.throws(() => pass(...chunks), { code: 'unreadable' }, JSON.stringify(chunks));
    }
  });

  it('have an end in time', () => {
    pass('0123456789\r\n0123456789', '\r\n');
    for (const chunks of [['01234567890'], ['012345', '67890'], ['01234567890\r\n']]) {
      assert.throws(() => pass(...chunks), /more than 10 octets/);
    }
  });
});

/** How many times as long eight times as much takes: eight for what is linear. What takes less than 5 ms cannot be measured. */
function growth(work: (size: number) => unknown): number {
  const msOf = (size: number) => {
    let least = Number.POSITIVE_INFINITY;
    for (let turn = 0; turn < 5; turn++) {
      const since = process.cpuUsage();
      work(size);
      least = Math.min(least, process.cpuUsage(since).user / 1_000);
    }
    return least;
  };
  msOf(2_000);
  return msOf(16_000) / Math.max(5, msOf(2_000));
}

describe('no mail', () => {
  const head = 'From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n';
  const mails: [what: string, mail: (size: number) => string][] = [
    ['of boundaries', (size) => `${head}\r\n${'--x\r\n\r\n'.repeat(size)}`],
    ['of lines that are nearly one', (size) => `${head}\r\n${'--y\r\n'.repeat(size)}`],
    [
      'of parts in parts',
      (size) =>
        `${head}\r\n${Array.from({ length: size }, (_, n) => `--x${n || ''}\r\nContent-Type: multipart/mixed; boundary=x${n + 1}\r\n\r\n`).join('')}`,
    ],
    ['of commas', (size) => `From: a@b.example\r\nTo: ${',\r\n '.repeat(size)}\r\n\r\n`],
    ['of brackets', (size) => `From: a@b.example\r\nTo: ${'<"(:\r\n '.repeat(size)}\r\n\r\n`],
    ['of encoded words', (size) => `From: a@b.example\r\nSubject: ${'=?utf-8?q?=\r\n '.repeat(size)}\r\n\r\n`],
    [
      'of quoted characters',
      (size) => `From: a@b.example\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${'=3D=x=\r\n'.repeat(size)}`,
    ],
    ['of parameters', (size) => `From: a@b.example\r\nContent-Type: text/plain${';\r\n name*="'.repeat(size)}\r\n\r\n`],
    ['of semicolons', (size) => `${head.trimEnd()}${';\r\n '.repeat(size)}boundary\r\n\r\n`],
  ];
  for (const [what, write] of mails) {
    it(`${what} takes more than its length`, () => {
      const wide = { ...limits, headerBytesMax: 10_000_000 };
      const grown = growth((size) => {
        const mail = Buffer.from(write(size));
        const header = readHeader(mail, wide);
        hashContent(mail, header);
        readHead(header, ['ann@example.org'], wide);
        withoutOurs(mail, header);
        readMail(mail);
      });
      assert.ok(grown < 30, `eight times the size took ${grown} times as long`);
    });
  }
});
