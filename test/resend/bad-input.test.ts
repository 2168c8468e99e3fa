/** Bad input through HTTP: the right status, name and sentence, nothing half-done, and the next good request works. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { firstAccount } from '../../src/core/account.ts';
import { addApiKey, allEmails } from '../support/served.ts';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';
import { exchange, requestBytes, Wire, type WireRequest } from '../support/wire.ts';

const addressRule = 'The email address needs to follow the `email@example.com` or `Name <email@example.com>` format.';
const scheduleRule =
  'It must be an ISO 8601 date such as `2026-08-05T11:52:01.858Z`, or English such as `in 1 hour`, `tomorrow at 9am` or `Friday at 3pm ET`.';
const invalid = (field: string, rule: string) => `Invalid \`${field}\` field. ${rule}`;
const noBreaks = 'Line breaks and NUL characters are not allowed.';
const deepHtml = JSON.stringify(message({ html: 0 })).replace('0', `${'['.repeat(20_000)}${']'.repeat(20_000)}`);
const emailId = '49a3999c-0ce1-4ea6-ab68-afcd6dc2e794';

type Case = [what: string, body: unknown, status: number, name: string, message: string | RegExp];

/** `body` is a change to a good message, or the raw text of the body. */
const singles: Case[] = [
  ['malformed JSON', '{"from": ', 400, 'validation_error', /^The request body is not valid JSON: /],
  ['JSON cut in a string', '{"from": "a', 400, 'validation_error', /^The request body is not valid JSON: /],
  ['no body', '', 422, 'missing_required_field', 'Missing `from` field.'],
  ['an array', '[]', 422, 'validation_error', /must be a JSON object\. Several emails go to `\/emails\/batch`/],
  ['a string', '"mail"', 422, 'validation_error', /must be a JSON object/],
  ['null', 'null', 422, 'missing_required_field', 'Missing `from` field.'],
  ['no from', { from: undefined }, 422, 'missing_required_field', 'Missing `from` field.'],
  ['an empty from', { from: '' }, 422, 'missing_required_field', 'Missing `from` field.'],
  ['no to', { to: undefined }, 422, 'missing_required_field', 'Missing `to` field.'],
  ['an empty to', { to: [] }, 422, 'missing_required_field', 'Missing `to` field.'],
  ['no subject', { subject: null }, 422, 'missing_required_field', 'Missing `subject` field.'],
  ['no html and no text', { html: undefined }, 422, 'validation_error', 'Missing `html` or `text` field.'],
  ['a number as from', { from: 1 }, 422, 'validation_error', invalid('from', addressRule)],
  ['two senders', { from: 'a@b.org, c@d.org' }, 422, 'validation_error', invalid('from', addressRule)],
  ['an object as to', { to: {} }, 422, 'validation_error', invalid('to', addressRule)],
  ['an address without a domain', { to: ['a@b.org', 'a@'] }, 422, 'validation_error', invalid('to', addressRule)],
  ['a comma-separated list', { to: 'a@b.org, c@d.org' }, 422, 'validation_error', invalid('to', addressRule)],
  ['a null among recipients', { to: [null] }, 422, 'validation_error', invalid('to', addressRule)],
  ['a CRLF in from', { from: 'A\r\nBcc: x@y.org <a@b.org>' }, 422, 'validation_error', invalid('from', addressRule)],
  ['an LF in to', { to: 'a@b.org\nx@y.org' }, 422, 'validation_error', invalid('to', addressRule)],
  ['an LF at the end of cc', { cc: 'a@b.org\n' }, 422, 'validation_error', invalid('cc', addressRule)],
  ['a CR in bcc', { bcc: ['a@b.org\r'] }, 422, 'validation_error', invalid('bcc', addressRule)],
  ['a NUL in reply_to', { reply_to: 'a\0@b.org' }, 422, 'validation_error', invalid('reply_to', addressRule)],
  ['a CRLF in the subject', { subject: 'Hi\r\nBcc: x@y.org' }, 422, 'validation_error', invalid('subject', noBreaks)],
  ['a NUL in the subject', { subject: 'Hi\0' }, 422, 'validation_error', invalid('subject', noBreaks)],
  ['a long subject', { subject: 'a'.repeat(2_001) }, 422, 'validation_error', /at most 2000 characters/],
  ['html as a number', { html: 5 }, 422, 'validation_error', invalid('html', 'It must be a string.')],
  ['deep html', deepHtml, 422, 'validation_error', /nested too deeply: at most 100 levels/],
  ['a CRLF in a header', { headers: { 'X-A': 'a\r\nBcc: x@y.org' } }, 422, 'validation_error', /^Invalid `headers`/],
  ['a header name with a space', { headers: { 'X A': 'a' } }, 422, 'validation_error', /^Invalid `headers`/],
  ['a header name with a line break', { headers: { 'X\r\nBcc': 'a' } }, 422, 'validation_error', /^Invalid `headers`/],
  ['headers as a list', { headers: [['X', 'a']] }, 422, 'validation_error', /^Invalid `headers`/],
  ['a header object', { headers: { X: {} } }, 422, 'validation_error', /header value must be a string/],
  [
    '51 recipients',
    { to: Array(51).fill('a@b.org') },
    422,
    'validation_error',
    /`to` field\. The number .* at most 50/,
  ],
  ['51 in cc', { cc: Array(51).fill('a@b.org') }, 422, 'validation_error', /`cc` field\. The number .* at most 50/],
  ['a tag with a space', { tags: [{ name: 'a b', value: 'c' }] }, 422, 'validation_error', /^Tags should only contain/],
  ['tags as a text', { tags: 'a' }, 422, 'validation_error', /^Invalid `tags`/],
  ['76 tags', { tags: Array(76).fill({ name: 'a', value: 'b' }) }, 422, 'validation_error', /at most 75/],
  ['no date', { scheduled_at: 'whenever' }, 422, 'validation_error', invalid('scheduled_at', scheduleRule)],
  ['30 February', { scheduled_at: '2027-02-30' }, 422, 'validation_error', invalid('scheduled_at', scheduleRule)],
  ['a date as a number', { scheduled_at: 5 }, 422, 'validation_error', invalid('scheduled_at', scheduleRule)],
  ['a date too far ahead', { scheduled_at: 'in 31 days' }, 422, 'validation_error', /at most 30 days ahead/],
  ['a date long past', { scheduled_at: '2020-01-01' }, 422, 'validation_error', /in the past/],
  ['bad Base64', { attachments: [{ content: 'ab!c' }] }, 422, 'invalid_attachment', /not valid Base64/],
  ['a byte of 256', { attachments: [{ content: [256] }] }, 422, 'invalid_attachment', /between 0 and 255/],
  ['an empty attachment', { attachments: [{}] }, 422, 'invalid_attachment', /either a `content` or `path`/],
  ['attachments as an object', { attachments: {} }, 422, 'invalid_attachment', /must be an array/],
  ['a program', { attachments: [{ content: 'aGk=', filename: 'a.exe' }] }, 422, 'invalid_attachment', /`\.exe`/],
  ['a file path', { attachments: [{ path: 'file:///etc/passwd' }] }, 422, 'invalid_attachment', /http or https URL/],
  [
    'an address inside',
    { attachments: [{ path: 'http://10.0.0.1/' }] },
    422,
    'invalid_attachment',
    /not allowed here, unless EGRESS_ALLOW/,
  ],
  ['a template beside html', { template: { id: 'x' } }, 422, 'validation_error', /cannot be used together/],
];

const batches: Case[] = [
  ['an empty batch', '[]', 422, 'validation_error', 'A batch must contain between 1 and 100 emails.'],
  ['no batch', '', 422, 'validation_error', 'A batch must contain between 1 and 100 emails.'],
  ['101 messages', Array(101).fill(message()), 422, 'validation_error', /between 1 and 100/],
  ['a single message', message(), 422, 'validation_error', /must be an array of 1 to 100 emails/],
  ['a null message', [message(), null], 422, 'validation_error', 'Each email in a batch must be a JSON object.'],
  ['one bad message', [message(), message({ to: 'x' })], 422, 'validation_error', invalid('to', addressRule)],
  ['one bad file', [message({ attachments: [{ content: '!' }] })], 422, 'invalid_attachment', /not valid Base64/],
];

describe('bad input', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer({ limits: { bodyBytesMax: 100_000 } });
    await addApiKey(server, 're_sending', firstAccount, 'sending_access');
    await addApiKey(server, 're_other', 'other');
  });
  after(() => server.stop());

  /** Nothing was accepted, and the server accepts as before. */
  async function assertUnharmed(): Promise<void> {
    const before = await allEmails(server);
    assert.deepEqual(
      before.filter(({ subject }) => subject !== 'a good one'),
      [],
    );
    assert.equal((await server.call('POST', '/emails', message({ subject: 'a good one' }))).status, 200);
    assert.equal((await allEmails(server)).length, before.length + 1);
  }

  async function assertRefused(path: string, body: unknown, [, , status, name, text]: Case): Promise<void> {
    // Twice under one key: a refusal is remembered by nobody.
    for (const _ of [1, 2]) {
      const reply = await server.call('POST', path, body, { 'idempotency-key': 'refused' });
      assert.equal(reply.status, status, reply.text);
      assert.deepEqual([reply.json.statusCode, reply.json.name], [status, name]);
      if (typeof text === 'string') assert.equal(reply.json.message, text);
      else assert.match(reply.json.message, text);
    }
  }

  for (const one of singles) {
    test(`${one[0]} is refused with ${one[2]} ${one[3]}`, async () => {
      const body = typeof one[1] === 'string' ? one[1] : message(one[1] as Record<string, unknown>);
      await assertRefused('/emails', body, one);
    });
  }

  for (const one of batches) {
    test(`as a batch, ${one[0]} is refused with ${one[2]} ${one[3]}`, () =>
      assertRefused('/emails/batch', one[1], one));
  }

  test('an unknown batch mode is refused', async () => {
    const reply = await server.call('POST', '/emails/batch', [message()], { 'x-batch-validation': 'lenient' });
    assert.deepEqual([reply.status, reply.json.name], [422, 'validation_error']);
  });

  test('none of it was accepted, and the next good request is', assertUnharmed);

  test('unknown fields are ignored, as deep as anything may be', async () => {
    const deep = `{"from":"a@b.org","to":"c@d.org","subject":"a good one","text":"x","extra":${'['.repeat(99)}${']'.repeat(99)}}`;
    const first = await server.call('POST', '/emails', deep, { 'idempotency-key': 'deep' });
    assert.equal(first.status, 200, first.text);
    const again = await server.call('POST', '/emails', deep, { 'idempotency-key': 'deep' });
    assert.equal(again.text, first.text);
  });

  test('an oversized body is refused with 413, with and without a length', async () => {
    const headers: WireRequest['headers'] = [['Authorization', testKey]];
    const body = JSON.stringify(message({ html: 'a'.repeat(200_000) }));
    for (const chunked of [false, true]) {
      const reply = await exchange(server.url, { method: 'POST', path: '/emails', headers, body, chunked });
      assert.deepEqual([reply.status, reply.json.name], [413, 'validation_error']);
      assert.equal(reply.json.message, 'The request body must have at most 100000 bytes.');
    }
    await assertUnharmed();
  });

  test('the client of a very large body gets to read why', async () => {
    const body = new Uint8Array(30_000_000);
    const reply = await fetch(`${server.url}/emails`, { method: 'POST', headers: { authorization: testKey }, body });
    assert.equal(reply.status, 413);
  });

  test('a client that leaves in the middle of its body changes nothing', async () => {
    const headers: WireRequest['headers'] = [
      ['Authorization', testKey],
      ['Idempotency-Key', 'half'],
    ];
    const whole = requestBytes(server.url, {
      method: 'POST',
      path: '/emails',
      headers,
      body: JSON.stringify(message()),
    });
    for (const end of [whole.length - 1, whole.length - 40, whole.indexOf('\r\n\r\n') + 4]) {
      const wire = await Wire.open(server.url);
      wire.write(whole.subarray(0, end));
      wire.socket.end();
      await wire.closed();
    }
    await assertUnharmed();
    assert.equal((await server.call('GET', '/idempotency-keys/half')).status, 404);
  });

  test('an idle connection is kept for longer than clients and load balancers keep theirs', async () => {
    assert.equal((await server.call('GET', '/emails')).headers.get('keep-alive'), 'timeout=120');
  });

  test('a 405 names the methods there are', async () => {
    assert.equal((await server.call('PUT', '/emails')).headers.get('allow'), 'GET, HEAD, POST');
    assert.equal((await server.call('GET', '/emails/batch')).headers.get('allow'), 'POST');
    assert.equal((await server.call('GET', '/nowhere')).headers.get('allow'), null);
    // fetch cannot ask so.
    const [traced] = await once(request(`${server.url}/emails`, { method: 'TRACE' }).end(), 'response');
    assert.deepEqual([traced.resume().statusCode, traced.headers.allow], [405, 'GET, HEAD, POST']);
  });

  test('a wrong key is told before a path that is not there', async () => {
    for (const path of ['/nothing', '/domains/claim']) {
      const wrong = await server.call('GET', path, undefined, { authorization: 'Bearer re_wrong' });
      assert.deepEqual([wrong.status, wrong.json.message], [401, 'API key is invalid'], path);
      assert.equal((await fetch(`${server.url}${path}`)).status, 404, path);
    }
  });

  test('unknown routes are 404 and known ones with another method 405', async () => {
    const cases: [method: string, path: string, status: number, name: string][] = [
      ['GET', '/', 404, 'not_found'],
      ['GET', '/email', 405, 'method_not_allowed'],
      ['POST', '/emails/', 404, 'not_found'],
      ['GET', `/emails/${emailId}/share`, 405, 'method_not_allowed'],
      ['GET', '/domains/claim', 404, 'not_found'],
      ['GET', `/emails/${emailId}`, 404, 'not_found'],
      ['GET', '/emails/not-a-uuid', 422, 'invalid_parameter'],
      ['GET', '/emails/%E0%A4%A', 422, 'invalid_parameter'],
      ['PUT', '/emails', 405, 'method_not_allowed'],
      ['DELETE', '/emails', 405, 'method_not_allowed'],
      ['GET', '/emails/batch', 405, 'method_not_allowed'],
      ['DELETE', `/emails/${emailId}`, 405, 'method_not_allowed'],
      ['GET', `/emails/${emailId}/cancel`, 405, 'method_not_allowed'],
      ['POST', `/emails/${emailId}/attachments`, 405, 'method_not_allowed'],
      ['DELETE', '/idempotency-keys/x', 405, 'method_not_allowed'],
      ['GET', '/emails?limit=0', 422, 'validation_error'],
      ['GET', '/emails?limit=ten', 422, 'validation_error'],
      ['GET', `/emails?after=${emailId}&before=${emailId}`, 422, 'validation_error'],
      ['GET', '/emails?after=1', 422, 'invalid_parameter'],
      ['GET', `/emails/${emailId}/attachments?limit=1000`, 422, 'validation_error'],
      ['GET', '/idempotency-keys/x?endpoint=/nowhere', 422, 'invalid_parameter'],
    ];
    for (const [method, path, status, name] of cases) {
      const reply = await server.call(method, path);
      assert.deepEqual([method, path, reply.status, reply.json.name], [method, path, status, name]);
      assert.equal(reply.json.statusCode, status);
    }
  });

  test('a reschedule without a time, or with a bad one, is refused', async () => {
    const { json } = await server.call('POST', '/emails', message({ subject: 'a good one', scheduled_at: 'in 1 day' }));
    const cases: [body: unknown, name: string][] = [
      [undefined, 'missing_required_field'],
      [{}, 'missing_required_field'],
      [[], 'validation_error'],
      [{ scheduled_at: 'never' }, 'validation_error'],
      [{ scheduled_at: 'in 31 days' }, 'validation_error'],
    ];
    for (const [body, name] of cases) {
      const reply = await server.call('PATCH', `/emails/${json.id}`, body);
      assert.deepEqual([reply.status, reply.json.name], [422, name]);
    }
    assert.equal((await server.call('PATCH', `/emails/${json.id}`, '{')).status, 400);
  });

  test('without a key, with a wrong key, and with a sending key, no more is shown than must be', async () => {
    const cases: [headers: WireRequest['headers'], name: string, message: string][] = [
      [[], 'missing_api_key', 'Missing API key in the authorization header.'],
      [[['Authorization', '']], 'missing_api_key', 'Missing API key in the authorization header.'],
      [[['Authorization', 'Bearer']], 'missing_api_key', 'Missing API key in the authorization header.'],
      [[['Authorization', 'Bearer re_wrong']], 'validation_error', 'API key is invalid'],
      [[['Authorization', `Bearer ${testKey}x`]], 'validation_error', 'API key is invalid'],
      [[['Authorization', 're_sending']], 'restricted_api_key', 'This API key is restricted to only send emails.'],
    ];
    for (const [headers, name, text] of cases) {
      const paths = ['/emails', `/emails/${emailId}`, `/emails/${emailId}/attachments`, '/idempotency-keys/x'];
      for (const path of paths) {
        const { status, json } = await exchange(server.url, { method: 'GET', path, headers });
        const { hint, ...told } = json;
        assert.deepEqual([status, told], [401, { statusCode: 401, name, message: text }], path);
        assert.match(hint ?? '', /^$|sendonce key (list|create)/);
      }
    }
    const change = { method: 'POST', path: `/emails/${emailId}/cancel`, headers: [['Authorization', 're_sending']] };
    assert.equal((await exchange(server.url, change as WireRequest)).status, 401);
    const good = await server.call('POST', '/emails', message({ subject: 'a good one' }), {
      authorization: 're_sending',
    });
    assert.equal(good.status, 200);
    await assertUnharmed();
  });

  test('another account’s email is not found on any route', async () => {
    const attachments = [{ filename: 'a.txt', content: 'aGk=' }];
    const change = { subject: 'a good one', scheduled_at: 'in 1 day', attachments };
    const { id } = (await server.call('POST', '/emails', message(change))).json;
    const file = (await server.call('GET', `/emails/${id}/attachments`)).json.data[0].id;
    const routes: [method: string, path: string, body?: unknown][] = [
      ['GET', `/emails/${id}`],
      ['PATCH', `/emails/${id}`, { scheduled_at: 'in 2 days' }],
      ['POST', `/emails/${id}/cancel`],
      ['GET', `/emails/${id}/attachments`],
      ['GET', `/emails/${id}/attachments/${file}`],
    ];
    for (const [method, path, body] of routes) {
      const reply = await server.call(method, path, body, { authorization: 're_other' });
      assert.deepEqual([path, reply.status, reply.json.name], [path, 404, 'not_found']);
    }
    assert.deepEqual(await allEmails(server, { authorization: 're_other' }), []);
    const email = (await server.call('GET', `/emails/${id}`)).json;
    assert.equal(email.last_event, 'scheduled');
  });

  test('its cursor from another account, or from nowhere, tells nothing', async () => {
    const [first] = await allEmails(server);
    const reply = await server.call('GET', `/emails?after=${first.id}`, undefined, { authorization: 're_other' });
    assert.deepEqual(reply.json, { object: 'list', has_more: false, data: [] });
  });
});

test('with RATE_LIMIT a refusal tells what is left, too', async (t) => {
  const server = await startTestServer({ environment: { RATE_LIMIT: '1000' } });
  t.after(() => server.stop());
  for (const reply of [await server.call('POST', '/emails', {}), await server.call('GET', '/emails/x')]) {
    assert.equal(reply.status, 422);
    for (const name of ['limit', 'remaining', 'reset'])
      assert.match(reply.headers.get(`ratelimit-${name}`) ?? '', /^\d+$/);
  }
});

test('more requests a second than RATE_LIMIT are 429 with whole numbers, and send nothing', async (t) => {
  const server = await startTestServer({ environment: { RATE_LIMIT: '5' } });
  t.after(() => server.stop());
  const startedAt = performance.now();
  const replies = await Promise.all(Array.from({ length: 20 }, () => server.call('POST', '/emails', message())));
  const refused = replies.filter(({ status }) => status === 429);
  // Two on a quiet machine.
  const windows = 2 + Math.floor((performance.now() - startedAt) / 1_000);
  assert(20 - refused.length <= 5 * windows, `${20 - refused.length} in ${windows} windows`);
  assert(refused.length > 0);
  for (const { headers, json } of refused) {
    assert.equal(json.name, 'rate_limit_exceeded');
    assert.match(json.message, /^Too many requests\. You can only make 5 requests per second\./);
    assert.deepEqual([headers.get('retry-after'), headers.get('ratelimit-remaining')], ['1', '0']);
  }
  for (const { headers } of replies) {
    assert.deepEqual([headers.get('ratelimit-limit'), headers.get('ratelimit-policy')], ['5', '5;w=1']);
    for (const name of ['limit', 'remaining', 'reset']) assert.match(headers.get(`ratelimit-${name}`) ?? '', /^\d+$/);
  }
  let listed = await server.call('GET', '/emails');
  // The list itself counts, too.
  await server.until('the next second', async () => {
    listed = await server.call('GET', '/emails');
    return listed.status === 200;
  });
  assert.equal(listed.json.data.length, 20 - refused.length);
});
