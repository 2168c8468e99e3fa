/** The name a download suggests for itself. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filenameOf } from '../../src/egress/content-disposition.ts';

const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

const cases: [why: string, header: string, filename: string | null][] = [
  ['no header', '', null],
  ['no name', 'inline', null],
  ['a token', 'attachment; filename=report.pdf', 'report.pdf'],
  ['a quoted string with escapes', 'attachment; filename="a \\"b\\"; c.pdf"', 'a "b"; c.pdf'],
  ['the extended name wins', `attachment; filename="x.pdf"; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf`, 'résumé.pdf'],
  ['an extended name that is broken', `attachment; filename*=UTF-8''%FF; filename=x.pdf`, 'x.pdf'],
  ['raw UTF-8', latin1('attachment; filename="日本.pdf"'), '日本.pdf'],
  ['raw Latin-1', 'attachment; filename="caf\xe9.pdf"', 'café.pdf'],
  ['a path', 'attachment; filename="../../etc/passwd"', 'passwd'],
  ['a Windows path', `attachment; filename*=utf-8''C%3A%5Cx%5Cy.txt`, 'y.txt'],
  ['line breaks for the mail header', `attachment; filename*=UTF-8''a%0D%0ABcc:%20x.pdf`, 'aBcc: x.pdf'],
  ['only dots', 'attachment; filename=".."', null],
  ['a name that never ends', `attachment; filename="${'n'.repeat(300)}.tar"`, `${'n'.repeat(251)}.tar`],
];

for (const [why, header, filename] of cases) {
  test(`the suggested name with ${why}`, () => {
    assert.equal(filenameOf(header), filename);
  });
}
