/**
 * What frameworks send whose packages no registry at hand has: Laravel 12, Symfony 7 and Rails 8 (resend-ruby 1.10), after their sources. Those that
 * run here are run by `npm run test:sdks`.
 */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer, testKey } from '../support/server.ts';
import { exchange } from '../support/wire.ts';

const bearer: [string, string] = ['Authorization', `Bearer ${testKey}`];
const json: [string, string] = ['Content-Type', 'application/json'];
const symfony: [string, string][] = [
  json,
  ['Accept', '*/*'],
  ['User-Agent', 'Symfony HttpClient (Curl)'],
  ['Accept-Encoding', 'gzip'],
];
const file = Buffer.from('hello\xff', 'latin1');

/** PHP escapes what is not ASCII, and slashes; an empty list and an empty object are both `[]` to it. */
function php(value: unknown): string {
  const escaped = (one: string) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value)
    .replace(/[\u0080-\uffff]/g, escaped)
    .replaceAll('/', '\\/');
}

const laravel = {
  from: '"Acme" <onboarding@resend.dev>',
  to: ['"Ann" <ann@example.org>'],
  cc: [],
  bcc: ['carl@example.org'],
  reply_to: [],
  headers: [],
  subject: 'Grüße',
  html: '<p>Hi</p>',
  text: null,
  attachments: [],
};

const recorded = [
  { name: 'Laravel: a mail', headers: [bearer, json, ['User-Agent', 'resend-php/1.10.0']], body: php(laravel) },
  {
    name: 'Laravel: a mail with a file',
    headers: [bearer, json, ['User-Agent', 'resend-php/1.10.0']],
    body: php({ ...laravel, headers: {}, attachments: [{ content: file.toString('base64'), filename: 'a.txt' }] }),
    files: 1,
  },
  {
    name: 'Symfony: a mail with a file',
    headers: [bearer, ...symfony],
    body: php({
      from: 'Acme <onboarding@resend.dev>',
      to: ['Ann <ann@example.org>'],
      subject: 'Grüße',
      attachments: [{ filename: 'a.txt', content: file.toString('base64') }],
      reply_to: 'reply@example.com',
      bcc: ['carl@example.org'],
      text: 'Hi',
      html: '<p>Hi</p>',
      headers: { 'X-Order': '7' },
    }),
    files: 1,
  },
  {
    name: 'Rails: a mail with a file, under a key',
    headers: [
      json,
      ['Accept', 'application/json'],
      ['User-Agent', 'resend-ruby:1.10.0'],
      bearer,
      ['Idempotency-Key', 'welcome-user/7'],
      ['Accept-Encoding', 'gzip;q=1.0,deflate;q=0.6,identity;q=0.3'],
    ],
    body: JSON.stringify({
      from: 'Acme <onboarding@resend.dev>',
      to: ['ann@example.org'],
      subject: 'Grüße',
      bcc: ['carl@example.org'],
      headers: { 'X-Order': '7' },
      tags: [{ name: 'category', value: 'welcome' }],
      attachments: [{ filename: 'a.txt', content: [...file] }],
      text: 'Hi',
      html: '<p>Hi</p>',
    }),
    files: 1,
  },
] satisfies { name: string; headers: [string, string][]; body: string; files?: number }[];

describe('the bytes of frameworks', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.stop());

  for (const { name, headers, body, files = 0 } of recorded) {
    it(`${name} is accepted as it was meant`, async () => {
      const sent = await exchange(server.url, { method: 'POST', path: '/emails', headers, body });
      assert.equal(sent.status, 200, sent.text);
      const { json: email } = await server.call('GET', `/emails/${sent.json.id}`);
      assert.match(email.to.join(), /ann@example\.org/);
      assert.deepEqual([email.subject, email.html, email.bcc], ['Grüße', '<p>Hi</p>', ['carl@example.org']]);
      const { json: attached } = await server.call('GET', `/emails/${sent.json.id}/attachments`);
      assert.deepEqual(
        attached.data.map((one: { filename: string; size: number }) => [one.filename, one.size]),
        Array(files).fill(['a.txt', file.length]),
      );
    });
  }

  it('Symfony to Brevo: a mail with a file, tags and parameters is accepted', async () => {
    const body = php({
      sender: { email: 'hello@example.com', name: 'Acme' },
      to: [{ email: 'ann@example.org', name: 'Ann' }],
      subject: 'Grüße {{ params.name }}',
      attachment: [{ content: file.toString('base64'), name: 'a.txt' }],
      replyTo: { email: 'reply@example.com' },
      bcc: [{ email: 'carl@example.org' }],
      textContent: 'Hi',
      htmlContent: '<p>Hi</p>',
      tags: ['welcome'],
      params: { name: 'Ann' },
      headers: { 'X-Mailin-Order': '7' },
    });
    const headers: [string, string][] = [['api-key', testKey], ...symfony];
    const sent = await exchange(server.url, { method: 'POST', path: '/v3/smtp/email', headers, body });
    assert.equal(sent.status, 201, sent.text);
    const path = `/v3/smtp/emails?messageId=${encodeURIComponent(sent.json.messageId)}`;
    const { json: found } = await server.call('GET', path);
    assert.deepEqual(
      found.transactionalEmails.map((one: { email: string; subject: string }) => [one.email, one.subject]),
      [
        ['ann@example.org', 'Grüße Ann'],
        ['carl@example.org', 'Grüße Ann'],
      ],
    );
  });
});
