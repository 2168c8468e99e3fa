/** The doors, and who stands before them: guessed keys, foreign hosts, proxies, strangers' files, and what watches the server. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createVisitor } from '../page/visitor.ts';
import { addApiKey } from '../support/served.ts';
import { message, startTestServer, type TestServer, type TestServerOptions, testKey } from '../support/server.ts';
import { exchange } from '../support/wire.ts';

async function serve(t: TestContext, options: TestServerOptions = {}): Promise<TestServer> {
  const server = await startTestServer(options);
  t.after(() => server.stop());
  return server;
}

/** Keys as somebody tries them who knows how they look. */
const guess = (number: number) => `re_${String(number).padStart(2, '0')}${'x'.repeat(30)}`;

describe('whoever tries API keys', () => {
  const strict = { wrongKeysFree: 3, wrongKeyEveryMs: 60_000, wrongKeyWaitMs: 0 };

  /** Asks with this key, as from this address behind a proxy. */
  const from = (server: TestServer, address: string, key: string, path = '/emails') =>
    server.call('GET', path, undefined, { authorization: `Bearer ${key}`, 'x-forwarded-for': address });

  async function serveBehindProxy(t: TestContext, limits: TestServerOptions['limits'] = strict) {
    return serve(t, { limits, environment: { TRUSTED_PROXIES: '127.0.0.1' } });
  }

  it('has a few tries from an address, then one look at a time, at both facades; others are not concerned', async (t) => {
    const server = await serveBehindProxy(t);
    for (let tries = 0; tries < 3; tries++) assert.equal((await from(server, '192.0.2.1', guess(tries))).status, 401);
    assert.equal((await from(server, '192.0.2.1', guess(3))).status, 401, 'the look that is left');
    const resend = await from(server, '192.0.2.1', guess(4));
    assert.deepEqual([resend.status, resend.json.name], [429, 'rate_limit_exceeded']);
    assert.match(resend.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
    const brevo = await from(server, '192.0.2.1', guess(5), '/v3/senders');
    assert.deepEqual([brevo.status, brevo.json.code], [429, 'too_many_requests']);
    assert.equal((await from(server, '192.0.2.2', guess(6))).status, 401);
    const { text } = await server.call('GET', '/metrics');
    assert.match(text, /^sendonce_wrong_keys_total 5$/m);
    assert.match(text, /^sendonce_requests_refused_total\{why="wrong_keys"\} 2$/m);
  });

  it('has no more from many addresses where the keys begin alike', async (t) => {
    const server = await serveBehindProxy(t);
    const near = (end: string) => `${testKey.slice(0, 8)}${end}`;
    for (let tries = 0; tries < 4; tries++) {
      assert.equal((await from(server, `192.0.2.${tries}`, near(String(tries)))).status, 401);
    }
    assert.equal((await from(server, '192.0.2.9', near('y'))).status, 429);
    assert.equal((await from(server, '192.0.2.9', guess(1))).status, 401, 'another beginning is another count');
  });

  it('locks out nobody whose key is right: at once where it was right before, else after a wait in line', async (t) => {
    const server = await serveBehindProxy(t, { ...strict, wrongKeyEveryMs: 200, wrongKeyWaitMs: 1_000 });
    const other = await addApiKey(server, 're_another_key_of_ours', 'another');
    assert.equal((await from(server, '192.0.2.1', testKey)).status, 200);
    for (let tries = 0; tries < 3; tries++) await from(server, '192.0.2.1', guess(tries));
    const startedAt = performance.now();
    const guesses = Promise.all(Array.from({ length: 30 }, (_, number) => from(server, '192.0.2.1', guess(number))));
    assert.equal((await from(server, '192.0.2.1', testKey)).status, 200);
    const statuses = (await guesses).map(({ status }) => status);
    const looks = statuses.filter((status) => status === 401).length;
    assert(looks <= 2 + (performance.now() - startedAt) / 200 && looks < 30, `looked at: ${statuses}`);
    assert.equal((await from(server, '192.0.2.1', other)).status, 200, 'a right key that nobody has shown yet');
  });

  it('is counted at the sign-in of the page, too, and a right key signs in all the same', async (t) => {
    const server = await serve(t, { limits: { ...strict, wrongKeyEveryMs: 50, wrongKeyWaitMs: 500 } });
    for (let tries = 0; tries < 3; tries++)
      await server.call('GET', '/emails', undefined, { authorization: guess(tries) });
    const visitor = createVisitor(server, '');
    const all = Array.from({ length: 30 }, (_, number) => visitor.post('/sign-in', { key: guess(number) }));
    const answers = await Promise.all(all);
    assert(answers.some(({ status, text }) => status === 429 && /Try again in \d+ seconds/.test(text)));
    assert.equal((await visitor.post('/sign-in', { key: testKey })).status, 303);
  });

  it('would have as many tries as they like where a proxy that nobody trusts is believed: it is not', async (t) => {
    const server = await serve(t, { limits: strict });
    for (let tries = 0; tries < 4; tries++) await from(server, `192.0.2.${tries}`, guess(tries));
    assert.equal((await from(server, '192.0.2.9', guess(9))).status, 429);
    const behind = await serveBehindProxy(t);
    for (let tries = 0; tries < 4; tries++) await from(behind, `192.0.2.${tries}, 198.51.100.1`, guess(tries));
    assert.equal(
      (await from(behind, '192.0.2.9, 198.51.100.1', guess(9))).status,
      429,
      'only the last hop is believed',
    );
    assert.equal((await from(behind, '198.51.100.1, 192.0.2.9', guess(9))).status, 401);
  });
});

describe('the Host of a request, on a loopback address', () => {
  const paths = ['/healthz', '/metrics', '/emails', '/v3/account', '/dashboard/sign-in', '/download'];

  async function statusOf(server: TestServer, path: string, host: string): Promise<number> {
    const headers: [string, string][] = [['authorization', `Bearer ${testKey}`]];
    return (await exchange(server.url, { method: 'GET', path, headers, host })).status;
  }

  it('must be one of this machine: a stranger’s name that leads here is 421 on every path', async (t) => {
    const server = await serve(t);
    for (const path of paths) {
      for (const host of ['evil.test', 'evil.test:80', 'localhost.evil.test', '192.0.2.1', '127.0.0.1.evil.test']) {
        assert.equal(await statusOf(server, path, host), 421, `${path} as ${host}`);
      }
      for (const host of ['localhost', 'LOCALHOST:3000', '127.0.0.1', '127.8.8.8:1', '[::1]:80']) {
        assert.notEqual(await statusOf(server, path, host), 421, `${path} as ${host}`);
      }
    }
    const { json } = await exchange(server.url, { method: 'GET', path: '/v3/account', headers: [], host: 'evil.test' });
    assert.equal(json.code, 'bad_request');
    assert.match((await server.call('GET', '/metrics')).text, /^sendonce_requests_refused_total\{why="host"\} \d/m);
  });

  it('may be that of PUBLIC_URL, or one of ALLOWED_HOSTS', async (t) => {
    const environment = { PUBLIC_URL: 'https://mail.acme.test/x', ALLOWED_HOSTS: 'box.lan, other.lan' };
    const server = await serve(t, { environment });
    for (const host of ['mail.acme.test', 'box.lan:3000', 'OTHER.lan']) {
      assert.equal(await statusOf(server, '/emails', host), 200, host);
    }
    assert.equal(await statusOf(server, '/emails', 'acme.test'), 421);
  });

  it('is anybody’s elsewhere, where names that lead here are not ours to know: the control', async (t) => {
    const environment = { HOST: '0.0.0.0', ALLOW_WEAK_KEY: 'true' };
    const server = await serve(t, { environment });
    assert.equal(await statusOf(server, '/healthz', 'evil.test'), 200);
  });
});

describe('a file of a stranger, downloaded', () => {
  it('is no script, style, page or frame of our origin, and is kept nowhere', async (t) => {
    const server = await serve(t);
    const types = ['text/javascript', 'application/ecmascript', 'image/svg+xml', 'text/html', 'text/css', 'text/xml'];
    const harmless = ['image/png', 'application/pdf', 'text/plain; charset=utf-8', 'video/mp4'];
    const attachments = [...types, ...harmless].map((type, index) => ({
      filename: `f${index}.bin`,
      content: 'YWxlcnQoMSk=',
      content_type: type,
    }));
    const { json } = await server.call('POST', '/emails', message({ attachments }));
    const listed = await server.call('GET', `/emails/${json.id}/attachments`);
    assert.equal(listed.json.data.length, attachments.length);
    for (const [index, { download_url: url }] of listed.json.data.entries()) {
      const { headers } = await fetch(url);
      const wanted = index < types.length ? 'application/octet-stream' : harmless[index - types.length]?.split(';')[0];
      assert.equal(headers.get('content-type'), wanted);
      assert.match(headers.get('content-disposition') ?? '', /^attachment; /);
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin');
      assert.equal(headers.get('cache-control'), 'no-store');
      assert.match(headers.get('content-security-policy') ?? '', /^sandbox; default-src 'none'/);
    }
  });
});

describe('what a stranger is told', () => {
  const token = '0f8a-1b2c-3d4e-5f60';

  it('at /healthz is whether the server is ready, and with METRICS_TOKEN the rest', async (t) => {
    const server = await serve(t, { environment: { METRICS_TOKEN: token } });
    assert.deepEqual((await server.call('GET', '/healthz')).json, { status: 'ok' });
    const { json } = await server.call('GET', '/healthz', undefined, { authorization: `Bearer ${token}` });
    assert.deepEqual([json.status, json.relay, json.role, json.in_doubt_policy], ['ok', 'capture', 'all', 'hold']);
  });

  it('at /metrics is whether the database answers, where METRICS_TOKEN is set', async (t) => {
    const server = await serve(t, { environment: { METRICS_TOKEN: token } });
    for (const authorization of ['', `Bearer ${token}x`, testKey]) {
      const { status, text } = await server.call('GET', '/metrics', undefined, { authorization });
      assert.equal(status, 200);
      const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      assert.deepEqual(samples, ['sendonce_database_up 1']);
    }
    const { text } = await server.call('GET', '/metrics', undefined, { authorization: `Bearer ${token}` });
    assert.match(text, /^sendonce_emails_accepted_total 0$/m);
  });
});
