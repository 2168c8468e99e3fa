/** What mail servers and providers write when a mail comes back: one file a server and kind, after their public formats. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import PostalMime from 'postal-mime';
import type { Notice, Report } from '../../src/core/notice.ts';
import { isMailboxGone } from '../../src/core/suppression.ts';
import { readMailParts } from '../../src/evidence/mail-parts.ts';
import { readReport, reportBytesMax } from '../../src/evidence/read-report.ts';

const folder = fileURLToPath(new URL('../../../test/evidence/corpus/', import.meta.url));
const returnPath = 'bounces+019a2b3c4d5e7f608a1b2c3d4e5f6071-0.0123456789abcdef@bounce.sendonce.test';

/** Kind, recipient (or how else it is named), code, enhanced code; `gone`: it is suppressed from then on. */
const expected: [name: string, ...notices: string[]][] = [
  ['aol-plain', 'bounced ann@aol.example 550 5.7.1'],
  ['auth-failure', 'nothing'],
  ['barracuda-blocked', 'bounced ann@corp.example 550 5.7.1'],
  ['bounce-of-bounce', 'bounced ann@example.com 550 5.1.1 gone'],
  ['challenge', 'nothing'],
  ['complaint-aol-redacted', 'complained redacted@aol.example - -'],
  ['complaint-comcast', 'complained ann@comcast.example - -', 'complained bob@comcast.example - -'],
  ['complaint-opt-out', 'complained ann@fastmail.example - -'],
  ['complaint-outlook', 'complained ann@outlook.example - -'],
  ['complaint-yahoo', 'complained ann@yahoo.example - -'],
  ['courier-unknown', 'bounced ann@example.com 550 5.0.0'],
  ['domino-unknown', 'bounced ann@domino.example - 5.1.1 gone'],
  ['dovecot-full', 'bounced ann@example.com 552 5.2.2'],
  ['dsn-base64', 'bounced ann@example.com 550 5.1.1 gone'],
  ['dsn-expanded', 'passed_on team@example.com - 2.0.0'],
  [
    'dsn-mixed',
    'delivered ann@example.com - 2.1.5',
    'delayed bob@example.org 452 4.2.2',
    'bounced cy@example.net 550 5.7.1',
  ],
  ['dsn-one-group', 'bounced ann@example.com - 5.1.1 gone'],
  ['dsn-xtext', 'bounced ann+2Bnews@example.com or ann+news@example.com 550 5.1.1 gone'],
  ['exchange-2003', 'bounced ann@corp.example - 5.1.1 gone'],
  ['exchange-2010', 'bounced ann@corp.example 550 5.1.1 gone'],
  ['exchange-german', 'bounced ann@firma.example 550 5.1.10 gone'],
  ['exchange-html', 'bounced ann@corp.example 552 5.2.2'],
  ['exim-delayed', 'delayed ann@example.com - -'],
  ['exim-expired', 'bounced ann@example.com - -'],
  ['exim-plain-several', 'bounced ann@example.com 550 5.1.1 gone', 'bounced bob@example.org - -'],
  ['exim-plain', 'bounced ann@example.com 550 5.1.1 gone'],
  ['exim-unknown', 'bounced ann@example.com 550 5.1.1 gone'],
  ['gmail-delayed', 'delayed ann@gmail.example - 4.4.1'],
  ['gmail-disabled', 'bounced ann@gmail.example 550 5.2.1 gone'],
  ['gmail-expired', 'bounced ann@gmail.example - 4.4.1'],
  ['gmail-full', 'bounced ann@gmail.example 552 5.2.2'],
  ['gmail-plain', 'bounced ann@example.com 550 5.1.1 gone'],
  ['gmail-unauthenticated', 'bounced ann@gmail.example 550 5.7.26'],
  ['gmail-unknown', 'bounced ann@gmail.example 550 5.1.1 gone'],
  ['groupwise-plain', 'bounced ann@gw.example 550 5.1.1 gone'],
  ['icloud-full', 'bounced ann@icloud.example 552 5.2.2'],
  ['imail-plain', 'bounced ann@imail.example 550 -'],
  ['mailgun-failed', 'bounced ann@example.com - 5.1.2'],
  ['mailru-plain', 'bounced ann@mail-ru.example 550 -'],
  ['mdaemon-unknown', 'bounced ann@md.example 550 5.1.1 gone'],
  ['mimecast-rejected', 'bounced ann@corp.example 550 5.0.0'],
  ['not-spam', 'nothing'],
  ['office365-delayed', 'delayed ann@corp.example 400 4.4.7'],
  ['office365-disabled', 'bounced ann@corp.example 550 5.2.1 gone'],
  ['office365-expired', 'bounced ann@corp.example 550 4.4.7'],
  ['office365-full', 'bounced ann@corp.example 554 5.2.2'],
  ['office365-loop', 'bounced ann@corp.example 554 5.4.14'],
  ['office365-policy', 'bounced ann@corp.example 550 5.7.133'],
  ['office365-unknown', 'bounced ann@corp.example 550 5.1.10 gone'],
  ['opensmtpd-delayed', 'delayed ann@example.com - 4.0.0'],
  ['opensmtpd-failed', 'bounced ann@example.com 550 5.1.1 gone'],
  ['opensmtpd-success', 'delivered ann@example.com - 2.0.0'],
  ['person', 'nothing'],
  ['postfix-delayed', 'delayed ann@example.com - 4.4.1'],
  ['postfix-expired', 'bounced ann@example.com - 4.4.1'],
  ['postfix-forwarded', 'bounced ann@example.com or ann.private@example.org 550 5.1.1 gone'],
  ['postfix-full', 'bounced ann@example.com 552 5.2.2'],
  ['postfix-no-host', 'bounced ann@nowhere.example - 5.4.4'],
  ['postfix-null-mx', 'bounced ann@example.com - 5.1.10 gone'],
  ['postfix-plain', 'bounced ann@example.com 550 5.1.1 gone'],
  ['postfix-relayed', 'passed_on ann@example.com - 2.0.0'],
  ['postfix-several', 'bounced ann@example.com - 5.1.1 gone', 'bounced bob@example.org 554 5.7.1'],
  ['postfix-smtputf8', 'bounced jörg@example.com - 5.1.1 gone'],
  ['postfix-success', 'delivered ann@example.com - 2.0.0'],
  ['postfix-unknown', 'bounced ann@example.com 550 5.1.1 gone'],
  ['proofpoint-unknown', 'bounced ann@corp.example 550 5.1.1 gone'],
  ['qmail-expired', 'bounced ann@example.com - 4.4.3'],
  ['qmail-remote', 'bounced ann@example.com 550 5.1.1 gone'],
  ['qmail-several', 'bounced ann@example.com - 5.1.1 gone', 'bounced bob@example.org - 5.2.2'],
  ['qmail-unknown', 'bounced ann@example.com - 5.1.1 gone'],
  ['sendmail-delayed', 'delayed ann@example.com - 4.4.2'],
  ['sendmail-plain', 'bounced ann@example.com 550 5.1.1 gone'],
  ['sendmail-unknown', 'bounced ann@example.com 550 5.1.1 gone'],
  ['ses-expired', 'bounced ann@example.com 550 4.4.7'],
  ['ses-suppressed', 'bounced ann@example.com - 5.1.1 gone'],
  ['ses-unknown', 'bounced ann@example.com 550 5.1.1 gone'],
  ['tonline-plain', 'bounced ann@t-online.example 550 5.1.1 gone'],
  ['vacation', 'nothing'],
  ['webde-plain', 'bounced ann@web.example 550 -'],
  ['yahoo-disabled', 'bounced ann@yahoo.example 554 5.0.0'],
  ['yahoo-plain', 'bounced ann@yahoo.example 554 5.1.1 gone'],
  ['yandex-unknown', 'bounced ann@example.com 550 5.7.1'],
  ['zoho-unknown', 'bounced ann@example.com 550 5.1.1 gone'],
];

function shown({ kind, recipients, reply: { said } }: Notice): string {
  const gone = isMailboxGone(said) ? ' gone' : '';
  return `${kind} ${recipients.join(' or ')} ${said.code ?? '-'} ${said.enhanced ?? '-'}${gone}`;
}

function read(name: string): Report {
  return readBytes(readFileSync(`${folder}${name}.eml`));
}

function readBytes(bytes: Uint8Array): Report {
  const report = readReport(bytes);
  assert(report);
  return report;
}

function trimmed(text: string): string {
  return text.replaceAll('\r\n', '\n').trimEnd();
}

describe('what comes back', () => {
  it(`is classified, in ${expected.length} forms`, (t) => {
    for (const [name, ...notices] of expected) {
      const report = read(name);
      const found = report.notices.map(shown);
      t.diagnostic(`${name.padEnd(24)} ${found.join(' · ') || 'nothing'}`);
      assert.deepEqual(found.length === 0 ? ['nothing'] : found, notices, name);
      assert.ok(report.to.includes(returnPath), name);
    }
    assert.deepEqual(readdirSync(folder).sort(), expected.map(([name]) => `${name}.eml`).sort());
  });

  it('is the same with CRLF at the ends of its lines', () => {
    for (const [name] of expected) {
      const crlf = Buffer.from(readFileSync(`${folder}${name}.eml`, 'latin1').replaceAll('\n', '\r\n'), 'latin1');
      assert.deepEqual(readBytes(crlf).notices.map(shown), read(name).notices.map(shown), name);
    }
  });

  it('is taken apart as a library that parses mail does it', async () => {
    const types = /^(message|text\/rfc822)/;
    for (const [name] of expected) {
      const bytes = readFileSync(`${folder}${name}.eml`);
      const { attachments, headers } = await PostalMime.parse(bytes, { maxRfc822NestingDepth: 0 });
      const theirs = attachments
        .filter(({ mimeType }) => types.test(mimeType))
        .map(({ content }) => trimmed(Buffer.from(content as ArrayBuffer).toString()));
      const ours = readMailParts(bytes);
      assert.deepEqual(
        ours?.leaves.filter(({ type }) => types.test(type)).map((one) => trimmed(one.text())),
        theirs,
        name,
      );
      assert.deepEqual(
        [...(ours?.header.keys() ?? [])].sort(),
        [...new Set(headers.map(({ key }) => key))].sort(),
        name,
      );
    }
  });

  it('says which envelope it is about, and never by what the mail that bounced quotes', () => {
    const success = read('postfix-success');
    assert.deepEqual(success.envelopeIds, ['019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071.0.0123456789abcdef']);
    for (const name of ['bounce-of-bounce', 'complaint-yahoo', 'complaint-aol-redacted']) {
      assert.deepEqual([...new Set(read(name).returnPaths)], [returnPath], name);
    }
  });

  it('counts for a recipient as we addressed it where it was read out of words', () => {
    for (const [name] of expected) {
      const { notices } = read(name);
      const isPlain = !/^Content-Type: message\/(global-)?(delivery-status|feedback-report)/m.test(
        readFileSync(`${folder}${name}.eml`, 'utf8'),
      );
      for (const { isWordy = false } of notices) assert.equal(isWordy, isPlain, name);
    }
  });
});

describe('what nobody meant to be read', () => {
  const report = (part: string) =>
    `To: ${returnPath}\nContent-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n${part}\n--b--\n`;
  const fields = 'Final-Recipient: rfc822; a@example.com\nAction: failed\nStatus: 5.1.1\n\n';
  const hostile: Record<string, (size: number) => string> = {
    'recipients without end': (size) => report(fields.repeat(size / fields.length)),
    'one endless line': (size) => report(`Diagnostic-Code: ${'x '.repeat(size / 2)}`),
    'one endless folded field': (size) => report(`Diagnostic-Code: x${'\n x'.repeat(size / 3)}`),
    'fields of one name': (size) => `${'To: a@example.com\n'.repeat(size / 18)}\nx`,
    'blank lines': (size) => `To: a@b.example\n\n${'\n'.repeat(size)}`,
    'dashes and spaces': (size) => `To: a@b.example\n\n${'- '.repeat(size / 2)}`,
    'lines that nearly begin with an address': (size) =>
      `To: a@b.example\n\n${'aaaaaaaa@bbbbbbbb\n'.repeat(size / 18)}`,
    'one endless address': (size) => `To: a@b.example\n\nundeliverable\n${'a@'.repeat(size / 2)}`,
    'open tags': (size) => `Content-Type: text/html\n\n${'<a'.repeat(size / 2)}`,
    'numbers that nearly are codes': (size) => report(`Final-Recipient: a@b.c\nStatus: ${'5.1.'.repeat(size / 4)}`),
    'boundaries in boundaries': (size) =>
      Array.from(
        { length: 15 },
        (_, depth) => `Content-Type: multipart/mixed; boundary=b${depth}\n\n--b${depth}\n`,
      ).join('') + '--b0\n'.repeat(size / 5),
  };

  it('is read in time that grows with it', () => {
    for (const [what, make] of Object.entries(hostile)) {
      const timed = (size: number) => {
        const bytes = Buffer.from(make(size));
        const start = process.cpuUsage();
        readReport(bytes);
        return process.cpuUsage(start).user;
      };
      timed(16 * 1024);
      const few = Math.min(timed(64 * 1024), timed(64 * 1024));
      const many = Math.min(timed(512 * 1024), timed(512 * 1024));
      // Eight times the bytes; what grows with their square takes 64 times as long, and seconds.
      assert.ok(many < 24 * few + 200_000, `${what}: ${few} µs for 64 KiB, ${many} µs for 512 KiB`);
    }
  });

  it('is no mail, or tells nothing, where it is nested deeper than any', () => {
    const nested = Array.from(
      { length: 400 },
      (_, depth) => `Content-Type: multipart/mixed; boundary=b${depth}\n\n--b${depth}\n`,
    );
    assert.equal(readReport(Buffer.from(nested.join(''))), null);
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(100), Buffer.from('\n\n\n'), Buffer.alloc(1_000, 255)]) {
      assert.deepEqual(readReport(bytes)?.notices ?? [], []);
    }
  });

  it('is read up to where the copy of the mail begins to be all there is', () => {
    const mail = readFileSync(`${folder}postfix-unknown.eml`, 'utf8');
    const large = Buffer.from(mail.replace('Thank you.', 'Thank you.\n'.repeat(200_000)));
    assert.ok(large.length > 2 * reportBytesMax);
    assert.deepEqual(readBytes(large).notices.map(shown), ['bounced ann@example.com 550 5.1.1 gone']);
  });
});
