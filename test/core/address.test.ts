/** What counts as one mailbox, and what never does. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { envelopeAddress, parseMailbox, testAddressOutcome } from '../../src/core/address.ts';

const accepted: [text: string, name: string, address: string][] = [
  ['a@b.c', '', 'a@b.c'],
  ['  a@b.c ', '', 'a@b.c'],
  ['<a@b.c>', '', 'a@b.c'],
  ['Name <a@b.c>', 'Name', 'a@b.c'],
  ['Name<a@b.c>', 'Name', 'a@b.c'],
  ['Ada B. Lovelace <ada@example.com>', 'Ada B. Lovelace', 'ada@example.com'],
  ['"Quoted, Name" <a@b.c>', 'Quoted, Name', 'a@b.c'],
  ['"Say \\"hi\\" \\\\ bye" <a@b.c>', 'Say "hi" \\ bye', 'a@b.c'],
  ['"" <a@b.c>', '', 'a@b.c'],
  ['"<x@y.z>, b" <a@b.c>', '<x@y.z>, b', 'a@b.c'],
  ['Acme, Inc. <a@b.c>', 'Acme, Inc.', 'a@b.c'],
  ['a@b.c <a@b.c>', 'a@b.c', 'a@b.c'],
  ["O'Brien (sales) <o'brien+tag@b-c.example>", "O'Brien (sales)", "o'brien+tag@b-c.example"],
  ['Jürgen 山田 👩‍🚀 <j@example.com>', 'Jürgen 山田 👩‍🚀', 'j@example.com'],
  ['Jürgen@Bücher.example', '', 'Jürgen@xn--bcher-kva.example'],
  ['用户@例え。jp', '', '用户@xn--r8jz45g.jp'],
  ['User@EXAMPLE.com', '', 'User@EXAMPLE.com'],
  ['user@localhost', '', 'user@localhost'],
  [`${'l'.repeat(64)}@b.c`, '', `${'l'.repeat(64)}@b.c`],
];

const refused: [why: string, text: string][] = [
  ['nothing', ''],
  ['only spaces', '   '],
  ['no at sign', 'a.b.c'],
  ['two at signs', 'a@b@c.d'],
  ['no local part', '@b.c'],
  ['no domain', 'a@'],
  ['an empty angle-addr', 'Name <>'],
  ['a name alone', 'Name'],
  ['a space in the local part', 'a b@c.d'],
  ['a space in the domain', 'a@b c.d'],
  ['spaces within angle brackets', 'Name < a@b.c >'],
  ['angle brackets inside', 'a<b@c.d'],
  ['nested angle brackets', 'Name <<a@b.c>>'],
  ['text after the address', 'Name <a@b.c> x'],
  ['no closing bracket', 'Name <a@b.c'],
  ['two addresses', 'a@b.c, d@e.f'],
  ['two addresses with a semicolon', 'a@b.c;d@e.f'],
  ['two mailboxes', 'A <a@b.c>, B <d@e.f>'],
  ['an address before a mailbox', 'a@b.c, B <d@e.f>'],
  ['a group', 'Team: a@b.c;'],
  ['an unfinished quote', '"Name <a@b.c>'],
  ['text after a quoted name', '"A" B <a@b.c>'],
  ['a quote within an unquoted name', 'A "B" C <a@b.c>'],
  ['a quoted local part', '"a b"@c.d'],
  ['an address literal', 'a@[127.0.0.1]'],
  ['an IPv4 address', 'a@127.0.0.1'],
  ['a full-width IPv4 address', 'a@１２７。０。０。１'],
  ['a domain without letters', 'a@1.2'],
  ['a leading dot in the domain', 'a@.b.c'],
  ['a trailing dot in the domain', 'a@b.c.'],
  ['a double dot in the domain', 'a@b..c'],
  ['an encoded dot in the domain', 'a@ü%2e.c'],
  ['a leading dot in the local part', '.a@b.c'],
  ['a double dot in the local part', 'a..b@c.d'],
  ['a hyphen at the edge of a label', 'a@-b.c'],
  ['an underscore in the domain', 'a@b_c.d'],
  ['a label of 64', `a@${'b'.repeat(64)}.c`],
  ['a local part of 65', `${'l'.repeat(65)}@b.c`],
  ['a local part of 66 bytes in 33 characters', `${'ü'.repeat(33)}@b.c`],
  ['an address of 255', `a@${'b.'.repeat(126)}c`.padEnd(255, 'c')],
  ['a port', 'a@b.c:25'],
  ['an invisible character in the address', 'a\u200b@b.c'],
  ['an invisible character in the domain', 'a@b\u00ad.c'],
  ['a no-break space in the address', 'a\u00a0@b.c'],
  ['half a character', 'N\ud800 <a@b.c>'],
  ['a megabyte', `${'a'.repeat(2 ** 20)}@b.c`],
];

describe('parseMailbox', () => {
  for (const [text, name, address] of accepted) {
    it(`reads ${text.slice(0, 60)}`, () => {
      assert.deepEqual(parseMailbox(text), { name, address });
      assert.equal(envelopeAddress(text), address);
    });
  }

  for (const [why, text] of refused) {
    it(`refuses ${why}`, () => {
      assert.equal(parseMailbox(text), null);
    });
  }

  it('refuses every control character everywhere', () => {
    const controls = [...Array(32).keys(), 0x7f, 0x85, 0x9f, 0x2028, 0x2029].map((code) => String.fromCodePoint(code));
    for (const control of controls) {
      for (const text of ['Na|me <a@b.c>', '|a@b.c', 'a@b.c|', '"Na|me" <a@b.c>', 'a|@b.c', 'a@b|.c', 'N <a@b.c>|']) {
        assert.equal(parseMailbox(text.replace('|', control)), null, JSON.stringify(text.replace('|', control)));
      }
    }
  });

  it('never yields an address that would end or extend an SMTP command', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'grapheme' }), fc.emailAddress(), mailboxLike), (text) => {
        const mailbox = parseMailbox(text);
        if (mailbox === null) return;
        assert.match(mailbox.address, /^[^\s<>@,;:\p{C}]+@[A-Za-z0-9.-]+$/u);
        assert.doesNotMatch(mailbox.name, /\p{Cc}/u);
        assert.ok(Buffer.byteLength(mailbox.address) <= 254);
      }),
      { numRuns: 1000 },
    );
  });

  it('takes linear time on hostile text', () => {
    const start = performance.now();
    for (const piece of ['"\\', '<', '@', '.', 'a.', ' ', ',"', '\\"', '-']) {
      parseMailbox(`"${piece.repeat(500)} <a@b.c>`);
      parseMailbox(`${piece.repeat(1000)}@b.c`);
      parseMailbox(`a@${piece.repeat(1000)}`);
    }
    assert.ok(performance.now() - start < 20_000);
  });
});

const mailboxLike = fc
  .array(fc.constantFrom('a', 'b.c', '@', '<', '>', '"', '\\', ',', ';', ' ', '.', 'ü', '\r\n', '\0', '(', ')', '['), {
    maxLength: 12,
  })
  .map((pieces) => pieces.join(''));

describe('envelopeAddress', () => {
  it('throws on what was never validated', () => {
    assert.throws(() => envelopeAddress('a@b.c\r\nRCPT TO:<x@y.z>'), /must have been validated/);
  });
});

describe('testAddressOutcome', () => {
  it('knows the simulated addresses of Resend, in any case and with a label', () => {
    assert.equal(testAddressOutcome('delivered@resend.dev'), 'delivered');
    assert.equal(testAddressOutcome('Bounced+label@Resend.DEV'), 'bounced');
    assert.equal(testAddressOutcome('complained+a.b-c@resend.dev'), 'complained');
    assert.equal(testAddressOutcome('SUPPRESSED@resend.dev'), 'suppressed');
  });

  it('simulates nothing else', () => {
    for (const address of [
      'suppressed+label@resend.dev',
      'onboarding@resend.dev',
      'delivered@resend.com',
      'delivered@resend.dev.example',
      'x-delivered@resend.dev',
      'deliveredlabel@resend.dev',
      'delivered+a@b@resend.dev',
    ]) {
      assert.equal(testAddressOutcome(address), null, address);
    }
  });
});
