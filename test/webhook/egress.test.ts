/** What an endpoint's address may be: everything that leads inside is refused, with a word that says why. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { createEgress, type EgressOptions } from '../../src/egress/egress.ts';
import { attemptWebhook } from '../../src/webhook/attempt.ts';
import { startReceiver } from '../support/receiver.ts';

/** A loopback server that must never be reached. */
async function inside(t: TestContext): Promise<{ port: number; reached: () => number }> {
  const receiver = await startReceiver(t);
  return { port: Number(new URL(receiver.url).port), reached: () => receiver.told.length };
}

function tell(url: string, options: EgressOptions = {}) {
  const request = { url, headers: { 'content-type': 'application/json' }, body: '{}' };
  return attemptWebhook(createEgress(options), request, { now: Date.now });
}

/** Spellings of this machine, its network and its cloud's credentials. */
const hosts = [
  '127.0.0.1',
  '127.1',
  '0',
  '0x7f.0.0.1',
  '0177.0.0.1',
  '2130706433',
  '0.0.0.0',
  '[::1]',
  '[::]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::127.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[2002:7f00:1::]',
  '[fe80::1]',
  '[fd00::1]',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '１２７.０.０.１',
];

describe('an endpoint inside', () => {
  for (const host of hosts) {
    it(`is refused when it is created and when it is told: ${host}`, async (t) => {
      const { port, reached } = await inside(t);
      const url = `http://${host}:${port}/`;
      const refusal = createEgress().refusalOf(url);
      assert.equal(refusal?.kind, 'blocked_address');
      assert.match(refusal?.message ?? '', /is not on the public internet/);
      const attempt = await tell(url);
      assert.deepEqual([attempt.status, attempt.failure], [null, 'blocked_address']);
      assert.match(attempt.response, /is not on the public internet/);
      assert.equal(reached(), 0);
    });
  }

  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '10.1.2.3', '169.254.169.254', 'fd00::1']) {
    it(`is refused behind a name that leads to ${address}`, async (t) => {
      const { port, reached } = await inside(t);
      const attempt = await tell(`http://hooks.example.com:${port}/`, { resolve: async () => [address] });
      assert.equal(attempt.failure, 'blocked_address');
      assert.doesNotMatch(
        attempt.response,
        new RegExp(address.replaceAll('.', '\\.')),
        'where names lead is ours to know',
      );
      assert.equal(reached(), 0);
    });
  }

  it('is not reached by a name that is rebound after it was looked at: it is resolved once, and the address is pinned', async (t) => {
    const { port, reached } = await inside(t);
    let asked = 0;
    // Public when it is judged, this machine when somebody asks again. 203.0.113.7 (RFC 5737) leads nowhere.
    const resolve = async () => (asked++ === 0 ? ['203.0.113.7'] : ['127.0.0.1']);
    const allow = ['203.0.113.7'];
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 300);
    const request = { url: `http://rebind.example.com:${port}/`, headers: {}, body: '{}' };
    const attempt = await attemptWebhook(createEgress({ resolve, allow }), request, {
      now: Date.now,
      signal: controller.signal,
    });
    assert.notEqual(attempt.failure, null);
    assert.deepEqual([asked, reached()], [1, 0]);
  });

  it('is reached where the guard is off, so the guard is what keeps the others out', async (t) => {
    const { port, reached } = await inside(t);
    const attempt = await tell(`http://127.0.0.1:${port}/`, { allow: ['127.0.0.0/8'] });
    assert.deepEqual([attempt.status, attempt.failure, reached()], [200, null, 1]);
  });

  for (const url of [
    'ftp://example.com/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'http://u:p@example.com/',
    'x',
    '',
  ]) {
    it(`is no endpoint at all: ${JSON.stringify(url)}`, async () => {
      assert.equal(createEgress().refusalOf(url)?.kind, 'invalid_url');
      assert.equal((await tell(url)).failure, 'invalid_url');
    });
  }
});

describe('an endpoint that misbehaves', () => {
  const allow = ['127.0.0.0/8'];

  it('by redirecting inside is not followed', async (t) => {
    const { port, reached } = await inside(t);
    const receiver = await startReceiver(t);
    for (const status of [301, 302, 303, 307, 308]) {
      receiver.behave = () => ({ status, headers: { location: `http://127.0.0.1:${port}/` } });
      const attempt = await tell(receiver.url, { allow });
      assert.deepEqual([attempt.status, attempt.failure], [status, 'redirected']);
    }
    assert.equal(reached(), 0);
  });

  it('by answering gigabytes is read for a kilobyte, and its 200 counts', async (t) => {
    let sent = 0;
    const server = http.createServer((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 'x'))) sent += 65_536;
      };
      response.on('drain', more);
      more();
    });
    const url = await listen(t, server);
    const attempt = await tell(url, { allow });
    assert.deepEqual([attempt.status, attempt.failure, attempt.response.length], [200, null, 1_024]);
    assert.ok(sent < 50_000_000, `${sent} bytes were sent`);
  });

  it('by lying about HTTP, or by hanging up, has failed', async (t) => {
    const lies = await listen(
      t,
      net.createServer((socket) => void socket.once('data', () => socket.end('SMTP at your service\r\n\r\n'))),
    );
    assert.equal((await tell(lies, { allow })).failure, 'broken_response');
    const hangsUp = await listen(
      t,
      net.createServer((socket) => void socket.once('data', () => socket.destroy())),
    );
    assert.equal((await tell(hangsUp, { allow })).failure, 'broken_response');
  });

  for (const status of [400, 401, 404, 410, 429, 500, 503]) {
    it(`with ${status} has failed, and its words are kept`, async (t) => {
      const receiver = await startReceiver(t);
      receiver.behave = () => ({ status, body: 'no\0body' });
      const attempt = await tell(receiver.url, { allow });
      assert.deepEqual([attempt.status, attempt.failure, attempt.response], [status, 'bad_status', 'no\ufffdbody']);
    });
  }
});

async function listen(t: TestContext, server: net.Server): Promise<string> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
