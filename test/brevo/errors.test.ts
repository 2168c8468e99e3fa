/** Refusals below /v3, in Brevo's shape, whoever they come from. */

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { startTestServer, testKey } from '../support/server.ts';

async function start(t: TestContext, options: Parameters<typeof startTestServer>[0] = {}) {
  const server = await startTestServer(options);
  t.after(() => server.stop());
  return server;
}

describe('below /v3', () => {
  test('a call without a key, and one with a wrong key, is 401 unauthorized', async (t) => {
    const server = await start(t);
    const missing = await fetch(`${server.url}/v3/account`);
    assert.equal(missing.status, 401);
    assert.match(
      await missing.text(),
      /^\{"code":"unauthorized","message":"authentication not found in headers","hint":"[^"]+"\}$/,
    );
    const wrong = await fetch(`${server.url}/v3/account`, { headers: { 'api-key': 'xkeysib-wrong' } });
    assert.equal(wrong.status, 401);
    assert.match(await wrong.text(), /^\{"code":"unauthorized","message":"Key not found","hint":"[^"]+"\}$/);
  });

  test('the key may come in api-key, in any spelling of the header', async (t) => {
    const server = await start(t);
    for (const name of ['api-key', 'Api-Key', 'API-KEY']) {
      const reply = await fetch(`${server.url}/v3/account`, { headers: { [name]: testKey } });
      assert.equal(reply.status, 200);
      const { plan } = (await reply.json()) as { plan: { type: string; credits: unknown }[] };
      assert.equal(typeof plan[0]?.credits, 'number');
      // SDKs for PHP, Python and Ruby throw at any other.
      assert(['payAsYouGo', 'free', 'subscription', 'sms'].includes(plan[0]?.type ?? ''));
    }
  });

  test('an unknown path is 404 document_not_found, another method is 405 and named', async (t) => {
    const server = await start(t);
    const unknown = await server.call('GET', '/v3/nothing');
    assert.deepEqual([unknown.status, unknown.json.code], [404, 'document_not_found']);
    assert.match(unknown.json.message, /docs\/brevo\.md/);
    const method = await server.call('POST', '/v3/account', {});
    assert.equal(method.status, 405);
    assert.match(method.text, /^\{"code":"method_not_allowed","message":"POST Method is not allowed on this path\. /);
    assert.equal((await server.call('GET', '/v3')).json.code, 'document_not_found');
    for (const path of ['webhooks/import', 'contacts/import'])
      assert.equal((await server.call('GET', `/v3/${path}`)).json.code, 'document_not_found', path);
    // A wrong key is what its owner has to mend first.
    const wrong = await server.call('GET', '/v3/nothing', undefined, { authorization: '', 'api-key': 'wrong' });
    assert.deepEqual([wrong.status, wrong.json.code], [401, 'unauthorized']);
    const ips = await server.call('GET', '/v3/senders/ips');
    assert.deepEqual([ips.status, ips.json], [200, { ips: [] }]);
    assert.deepEqual((await server.call('GET', '/v3/organization/activities')).json, { logs: [] });
    assert.equal(method.headers.get('allow'), 'GET, HEAD');
  });

  test('paths that only look like it answer in Resend’s shape', async (t) => {
    const server = await start(t);
    for (const path of ['/v30/account', '/emails/v3']) {
      assert.equal((await server.call('GET', path)).json.code, undefined);
    }
  });

  test('a path without /v3 is told where Brevo’s are', async (t) => {
    const server = await start(t);
    const { status, json } = await server.call('POST', '/smtp/email', {});
    assert.equal(status, 404);
    assert.match(json.message, /below \/v3: \/v3\/smtp\/email$/);
    assert.doesNotMatch((await server.call('GET', '/nothing')).json.message, /v3/);
  });

  test('the rate limit is told in x-sib-ratelimit headers, seconds left, and in Retry-After', async (t) => {
    const server = await start(t, { environment: { RATE_LIMIT: '3' } });
    const replies = await Promise.all(Array.from({ length: 12 }, () => server.call('GET', '/v3/account')));
    const allowed = replies.find(({ status }) => status === 200);
    assert.equal(allowed?.headers.get('x-sib-ratelimit-limit'), '3');
    assert.equal(allowed?.headers.get('retry-after'), null);
    const refused = replies.find(({ status }) => status === 429);
    assert.equal(refused?.json.code, 'too_many_requests');
    assert.match(refused?.json.message, /^Too many requests: try again after .* RATE_LIMIT/);
    assert.deepEqual(
      [
        'x-sib-ratelimit-limit',
        'x-sib-ratelimit-remaining',
        'x-sib-ratelimit-reset',
        'retry-after',
        'ratelimit-limit',
      ].map((name) => refused?.headers.get(name)),
      ['3', '0', '1', '1', null],
    );
  });
});
