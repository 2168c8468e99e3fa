/** Bytes on a socket: what the SDKs that cannot run here send, and the corners of HTTP that clients live in. */

import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { allEmails } from '../support/served.ts';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';
import { exchange, requestBytes, Wire, type WireReply, type WireRequest } from '../support/wire.ts';
import { type Fixture, fixtures } from './fixtures.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** docs/resend.md: the names both PHP and .NET know. */
const wireNames =
  'application_error concurrent_idempotent_requests daily_quota_exceeded internal_server_error invalid_access invalid_api_key invalid_attachment invalid_from_address invalid_idempotency_key invalid_idempotent_request invalid_parameter invalid_region method_not_allowed missing_api_key missing_required_field monthly_quota_exceeded not_found rate_limit_exceeded restricted_api_key security_error validation_error'.split(
    ' ',
  );

const auth: [string, string] = ['Authorization', `Bearer ${testKey}`];
const jsonType: [string, string] = ['Content-Type', 'application/json'];
const body = JSON.stringify(message());

async function start(t: TestContext): Promise<TestServer> {
  const server = await startTestServer();
  t.after(() => server.stop());
  return server;
}

function post(change: Partial<WireRequest> = {}): WireRequest {
  return { method: 'POST', path: '/emails', headers: [auth, jsonType], body, ...change };
}

/** What every SDK needs of an answer, by docs/resend.md. */
function assertReadable(reply: WireReply): void {
  assert.equal(reply.headers.get('content-type'), 'application/json; charset=utf-8');
  // Ruby breaks on an answer that is no object.
  assert(typeof reply.json === 'object' && reply.json !== null && !Array.isArray(reply.json));
  if (reply.status < 400) {
    // Python and Ruby take any success with this member for an error.
    assert(!('statusCode' in reply.json));
    for (const { id } of reply.json.data ?? [reply.json]) assert.match(id, uuid);
    return;
  }
  assert.equal(reply.json.statusCode, reply.status);
  assert(wireNames.includes(reply.json.name), reply.json.name);
  assert.equal(typeof reply.json.message, 'string');
  for (const reserved of ['type', 'code', 'error']) assert(!(reserved in reply.json));
}

/** Python sends the id in the body, too. */
async function fill(server: TestServer, fixture: Fixture): Promise<WireRequest> {
  const change = fixture.of === 'scheduled' ? { scheduled_at: 'in 2 hours' } : {};
  const id = fixture.of ? (await server.call('POST', '/emails', message(change))).json.id : '';
  const later = new Date(server.clock.now() + 86_400_000).toISOString();
  const filled = (text: string) =>
    text.replaceAll('{{key}}', testKey).replaceAll('{{id}}', id).replaceAll('{{later}}', later);
  return {
    method: fixture.method,
    path: filled(fixture.path),
    headers: fixture.headers.map(([name, value]) => [name, filled(value)]),
    body: fixture.body === null ? null : filled(fixture.body),
    chunked: fixture.chunked,
  };
}

describe('the bytes of the SDKs that cannot run here', () => {
  for (const fixture of fixtures) {
    test(`${fixture.sdk}: ${fixture.what} ${fixture.method} ${fixture.path} is answered ${fixture.expect.status}`, async (t) => {
      const server = await start(t);
      const request = await fill(server, fixture);
      const reply = await exchange(server.url, request);
      assert.equal(reply.status, fixture.expect.status, reply.text);
      assertReadable(reply);
      if (fixture.expect.name) assert.equal(reply.json.name, fixture.expect.name);
      if (fixture.path === '/emails/batch' && fixture.expect.ids) {
        assert.equal(reply.json.data.length, fixture.expect.ids);
      }
      if (fixture.method === 'GET') assertRetrieved(reply);
      await assertRepeats(server, request, reply);
    });
  }

  /** Rust needs the keys, Go arrays or null, .NET a known `last_event`. */
  function assertRetrieved({ json }: WireReply): void {
    for (const name of ['bcc', 'cc', 'reply_to']) assert(Array.isArray(json[name]), name);
    assert(['queued', 'sent', 'delivered'].includes(json.last_event));
  }

  async function assertRepeats(server: TestServer, request: WireRequest, first: WireReply): Promise<void> {
    const isKeyed = request.headers.some(([name, value]) => name === 'Idempotency-Key' && value !== '');
    if (!isKeyed) return;
    const again = await exchange(server.url, request);
    assert.equal(again.text, first.text);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
  }
});

describe('HTTP as clients really speak it', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.stop());

  test('an API key is taken with Bearer, without it, in any case, and from the api-key header', async () => {
    const headers: [string, string][] = [
      ['Authorization', `Bearer ${testKey}`],
      ['Authorization', testKey],
      ['authorization', `bearer   ${testKey}`],
      ['api-key', testKey],
    ];
    for (const header of headers) {
      const reply = await exchange(server.url, post({ headers: [header, jsonType] }));
      assert.equal(reply.status, 200, header.join(': '));
    }
  });

  test('a GET with a body is answered, and the connection stays in step', async () => {
    const wire = await Wire.open(server.url);
    wire.write(requestBytes(server.url, { method: 'GET', path: '/emails', headers: [auth, jsonType], body: '{}' }));
    const reply = await wire.reply();
    assert.deepEqual([reply.status, reply.json.object], [200, 'list']);
    wire.write(requestBytes(server.url, post()));
    assert.equal((await wire.reply()).status, 200);
    wire.close();
  });

  test('a cancel with a JSON content type and no body is a cancel', async () => {
    const { json } = await server.call('POST', '/emails', message({ scheduled_at: 'in 1 hour' }));
    for (const body of [null, '']) {
      const request = { method: 'POST', path: `/emails/${json.id}/cancel`, headers: [auth, jsonType], body };
      assert.equal((await exchange(server.url, request)).text, `{"object":"email","id":"${json.id}"}`);
    }
  });

  test('a chunked body counts as the same request as a whole one', async () => {
    const headers: [string, string][] = [auth, jsonType, ['Idempotency-Key', 'chunked']];
    const whole = await exchange(server.url, post({ headers }));
    const chunked = await exchange(server.url, post({ headers, chunked: true }));
    assert.deepEqual([chunked.status, chunked.text], [200, whole.text]);
  });

  test('no content type, or a wrong one, changes nothing', async () => {
    for (const type of [
      [],
      [['Content-Type', 'text/plain']],
      [['Content-Type', 'application/x-www-form-urlencoded']],
    ]) {
      const reply = await exchange(server.url, post({ headers: [auth, ...(type as [string, string][])] }));
      assert.equal(reply.status, 200);
    }
  });

  test('two pipelined requests are answered in order on one connection', async () => {
    const wire = await Wire.open(server.url);
    const list: WireRequest = { method: 'GET', path: '/emails?limit=1', headers: [auth] };
    wire.write(Buffer.concat([requestBytes(server.url, post()), requestBytes(server.url, list)]));
    const { id } = (await wire.reply()).json;
    assert.equal((await wire.reply()).json.object, 'list');
    wire.write(requestBytes(server.url, { method: 'GET', path: `/emails/${id}`, headers: [auth] }));
    assert.equal((await wire.reply()).json.id, id);
    wire.close();
  });

  test('a refused request’s body is not taken for the next request', async () => {
    const wire = await Wire.open(server.url);
    for (const headers of [[jsonType], [auth, jsonType]]) {
      wire.write(
        requestBytes(server.url, post({ headers: headers as [string, string][], body: 'GET / HTTP/1.1\r\n\r\n' })),
      );
      assert.equal((await wire.reply()).status, headers.length === 1 ? 401 : 400);
    }
    wire.write(requestBytes(server.url, post()));
    assert.equal((await wire.reply()).status, 200);
    wire.close();
  });

  test('a client that expects 100-continue is told to go on', async () => {
    const wire = await Wire.open(server.url);
    const request = requestBytes(server.url, post({ headers: [auth, jsonType, ['Expect', '100-continue']] }));
    const headEnd = request.indexOf('\r\n\r\n') + 4;
    wire.write(request.subarray(0, headEnd));
    assert.equal((await wire.reply()).status, 100);
    wire.write(request.subarray(headEnd));
    assert.equal((await wire.reply()).status, 200);
    wire.close();
  });

  test('HTTP/1.0 without keep-alive is answered and closed', async () => {
    const wire = await Wire.open(server.url);
    wire.write(requestBytes(server.url, post()).toString().replace('HTTP/1.1', 'HTTP/1.0'));
    assert.equal((await wire.reply()).status, 200);
    await wire.closed();
  });

  test('HEAD is answered as GET without a body', async () => {
    const reply = await fetch(`${server.url}/emails`, { method: 'HEAD', headers: { authorization: testKey } });
    assert.deepEqual([reply.status, await reply.text()], [200, '']);
  });

  test('what is not HTTP is refused in JSON and closed, and the server goes on', async () => {
    const cases: [bytes: string, status: number][] = [
      ['hello\r\n\r\n', 400],
      [`GET /emails HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`, 431],
      ['POST /emails HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ];
    for (const [bytes, status] of cases) {
      const wire = await Wire.open(server.url);
      wire.write(bytes);
      const reply = await wire.reply();
      assert.equal(reply.status, status);
      assertReadable(reply);
      await wire.closed();
    }
    assert.equal((await server.call('GET', '/emails')).status, 200);
  });

  test('garbage after a request never becomes the answer to that request', async () => {
    const earlier = (await allEmails(server)).length;
    const wire = await Wire.open(server.url);
    wire.write(Buffer.concat([requestBytes(server.url, post()), Buffer.from('garbage\r\n\r\n')]));
    // Either the true answer or none at all.
    const status = await wire.reply().then(
      (reply) => reply.status,
      () => null,
    );
    assert(status === 200 || status === null, `${status}`);
    await wire.closed();
    await server.until('the request before it counts', async () => (await allEmails(server)).length === earlier + 1);
  });
});
