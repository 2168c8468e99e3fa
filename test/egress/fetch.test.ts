/** What a URL's content comes to, through real servers that behave well, badly, and worse. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { createEgress, type EgressOptions, type FetchedBytes } from '../../src/egress/egress.ts';
import type { EgressFailure } from '../../src/egress/failure.ts';
import { testCertificate, testCertificateKey } from '../support/certificate.ts';

const limits = { maxBytes: 1_000, timeoutMs: 5_000 };
const loopback = ['127.0.0.0/8', '::1'];

async function listen(t: TestContext, server: net.Server, host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.listen(0, host);
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const serve = (t: TestContext, answer: http.RequestListener): Promise<number> => listen(t, http.createServer(answer));

/** A server that says its piece to any request, whatever HTTP thinks of it. */
const speak = (t: TestContext, piece: (socket: Socket) => void): Promise<number> =>
  listen(
    t,
    net.createServer((socket) => void socket.once('data', () => piece(socket))),
  );

const egress = (options: EgressOptions = {}) =>
  createEgress({ allow: loopback, resolve: async () => ['127.0.0.1'], ...options });

function assertFailed(got: FetchedBytes | EgressFailure, kind: string): void {
  assert.equal(got.kind, kind, JSON.stringify(got));
  // A sentence for the author of the URL, who has no business knowing where names lead to in here.
  assert.ok('message' in got && /^[\w"].*\.$/.test(got.message), JSON.stringify(got));
  assert.doesNotMatch(got.message, /undefined|null|\[object/);
}

function assertBytes(got: FetchedBytes | EgressFailure, text: string): void {
  assert.equal(got.kind, 'ok', JSON.stringify(got));
  if (got.kind === 'ok') assert.equal(Buffer.from(got.bytes).toString(), text);
}

describe('fetchBytes', () => {
  test('yields the bytes, their type and the suggested name, and asks for no compression', async (t) => {
    let asked: http.IncomingHttpHeaders = {};
    const port = await serve(t, (request, response) => {
      asked = request.headers;
      response.setHeader('content-type', 'application/pdf');
      response.setHeader('content-disposition', 'attachment; filename="invoice 1.pdf"');
      response.end('%PDF');
    });
    const got = await egress().fetchBytes(`http://files.example:${port}/x?y=1`, limits);
    assertBytes(got, '%PDF');
    assert.ok(got.kind === 'ok');
    assert.deepEqual([got.contentType, got.filename], ['application/pdf', 'invoice 1.pdf']);
    assert.equal(asked['accept-encoding'], 'identity');
    assert.equal(asked.host, `files.example:${port}`);
  });

  test('takes content of exactly maxBytes, chunked or with a length, and none at all', async (t) => {
    const port = await serve(t, (request, response) => {
      if (request.url === '/empty') response.end();
      else if (request.url === '/length') response.end('x'.repeat(1_000));
      else for (const part of ['x'.repeat(999), 'x']) response.write(part);
      response.end();
    });
    for (const path of ['length', 'chunked']) {
      assertBytes(await egress().fetchBytes(`http://h:${port}/${path}`, limits), 'x'.repeat(1_000));
    }
    assertBytes(await egress().fetchBytes(`http://h:${port}/empty`, limits), '');
  });

  test('one byte more is too large', async (t) => {
    const port = await serve(t, (_request, response) => response.end('x'.repeat(1_001)));
    assertFailed(await egress().fetchBytes(`http://h:${port}/`, limits), 'too_large');
  });

  test('a server that pours out gigabytes is left after maxBytes', async (t) => {
    let poured = 0;
    const block = Buffer.alloc(65_536);
    let leave = (): void => {};
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const port = await serve(t, (_request, response) => {
      response.on('close', leave);
      const pour = (): void => {
        while (poured < 4e9 && response.write(block)) poured += block.length;
      };
      response.on('drain', pour);
      pour();
    });
    assertFailed(await egress().fetchBytes(`http://h:${port}/`, limits), 'too_large');
    await left;
    assert.ok(poured < 50e6, `${poured} bytes were taken`);
  });

  test('a redirect is not followed, wherever it leads', async (t) => {
    let asked = 0;
    const port = await serve(t, (request, response) => {
      asked++;
      const target = request.url === '/private' ? 'http://169.254.169.254/latest/meta-data/' : '/elsewhere';
      response.writeHead(request.url === '/308' ? 308 : 302, { location: target }).end();
    });
    for (const path of ['private', 'near', '308']) {
      assertFailed(await egress().fetchBytes(`http://h:${port}/${path}`, limits), 'redirected');
    }
    assert.equal(asked, 3);
  });

  test('anything but 200 is not the content', async (t) => {
    const port = await serve(t, (request, response) => {
      response.writeHead(Number(request.url?.slice(1))).end();
    });
    for (const status of [204, 206, 400, 404, 500, 503]) {
      assertFailed(await egress().fetchBytes(`http://h:${port}/${status}`, limits), 'bad_status');
    }
  });

  test('content that comes compressed all the same is neither unpacked nor passed on', async (t) => {
    const port = await serve(t, (_request, response) => {
      response.setHeader('content-encoding', 'gzip');
      response.end('not even gzip');
    });
    assertFailed(await egress().fetchBytes(`http://h:${port}/`, limits), 'encoded');
  });

  const piece: [kind: string, behaviour: string, piece: (socket: Socket) => void][] = [
    [
      'broken_response',
      'promises more bytes than it sends',
      (s) => s.end('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort'),
    ],
    [
      'broken_response',
      'ends inside a chunk',
      (s) => s.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab'),
    ],
    ['broken_response', 'does not speak HTTP', (s) => s.end('220 mail.example ESMTP\r\n')],
    ['broken_response', 'hangs up without a word', (s) => s.end()],
    ['broken_response', 'resets the connection', (s) => s.resetAndDestroy()],
    ['broken_response', 'sends headers without end', (s) => s.end(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`)],
    [
      'broken_response',
      'switches protocols unasked',
      (s) => s.end('HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'),
    ],
    [
      'broken_response',
      'gives two lengths',
      (s) => s.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'),
    ],
  ];
  for (const [kind, behaviour, act] of piece) {
    test(`a server that ${behaviour} is reported as ${kind}`, async (t) => {
      const port = await speak(t, act);
      assertFailed(await egress().fetchBytes(`http://h:${port}/`, limits), kind);
    });
  }

  test('a body longer than its length is read up to that length', async (t) => {
    const port = await speak(t, (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabcdef'));
    const got = await egress().fetchBytes(`http://h:${port}/`, limits);
    if (got.kind === 'ok') assertBytes(got, 'ab');
    else assertFailed(got, 'broken_response');
  });

  test('a server that never answers is left when the time is over', async (t) => {
    const port = await speak(t, () => {});
    assertFailed(await egress().fetchBytes(`http://h:${port}/`, { maxBytes: 10, timeoutMs: 60 }), 'timeout');
  });

  test('a body that drips in byte by byte is left when the time is over', async (t) => {
    let leave = (): void => {};
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const port = await speak(t, (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
      const drip = setInterval(() => socket.write('x'), 5);
      socket.on('close', () => {
        clearInterval(drip);
        leave();
      });
    });
    assertFailed(await egress().fetchBytes(`http://h:${port}/`, { maxBytes: 2_000, timeoutMs: 100 }), 'timeout');
    await left;
  });

  test('headers that drip in do not stretch the time either', async (t) => {
    const port = await speak(t, (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const drip = setInterval(() => socket.write('X-A: b\r\n'), 5);
      socket.on('close', () => clearInterval(drip));
    });
    assertFailed(await egress().fetchBytes(`http://h:${port}/`, { maxBytes: 10, timeoutMs: 100 }), 'timeout');
  });

  test('a resolver that never answers does not hold the request', async () => {
    const stuck = egress({ resolve: () => new Promise(() => {}) });
    assertFailed(await stuck.fetchBytes('http://slow.example/', { maxBytes: 10, timeoutMs: 30 }), 'timeout');
  });

  test('a closed port is unreachable', async (t) => {
    const server = net.createServer();
    const port = await listen(t, server);
    server.close();
    await once(server, 'close');
    assertFailed(await egress().fetchBytes(`http://h:${port}/`, limits), 'unreachable');
  });

  test('a name without addresses is unresolvable, also where the resolver throws', async () => {
    assertFailed(await egress({ resolve: async () => [] }).fetchBytes('http://none.example/', limits), 'unresolvable');
    const failing = egress({ resolve: () => Promise.reject(new Error('ENOTFOUND 10.0.0.53')) });
    assertFailed(await failing.fetchBytes('http://none.example/', limits), 'unresolvable');
  });

  test('where the first address is dead the next one is tried', async (t) => {
    const port = await serve(t, (_request, response) => response.end('here'));
    const two = egress({ resolve: async () => ['127.0.0.2', '127.0.0.1'] });
    assertBytes(await two.fetchBytes(`http://h:${port}/`, limits), 'here');
  });
});

describe('https', () => {
  const listenTls = async (t: TestContext, seen: (name: string | undefined) => void): Promise<number> => {
    const server = https.createServer({ key: testCertificateKey, cert: testCertificate }, (_request, response) =>
      response.end('secret'),
    );
    server.on('secureConnection', (socket) => seen(socket.servername || undefined));
    return listen(t, server);
  };

  test('the pinned connection keeps the name for SNI and the certificate', async (t) => {
    const names: unknown[] = [];
    const port = await listenTls(t, (name) => names.push(name));
    const trusting = egress({ trust: [testCertificate] });
    assertBytes(await trusting.fetchBytes(`https://localhost:${port}/`, limits), 'secret');
    assert.deepEqual(names, ['localhost']);
  });

  test('a certificate for another name, or by nobody we know, is untrusted', async (t) => {
    const port = await listenTls(t, () => {});
    const trusting = egress({ trust: [testCertificate] });
    assertFailed(await trusting.fetchBytes(`https://other.example:${port}/`, limits), 'untrusted');
    assertFailed(await egress().fetchBytes(`https://localhost:${port}/`, limits), 'untrusted');
  });

  test('https to a port that speaks http is untrusted', async (t) => {
    const port = await speak(t, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    assertFailed(await egress().fetchBytes(`https://localhost:${port}/`, limits), 'untrusted');
  });
});

describe('request', () => {
  test('sends method, headers and body, and yields any status', async (t) => {
    let asked = '';
    const port = await serve(t, async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      asked = `${request.method} ${request.url} ${request.headers['x-signature']} ${request.headers['content-length']} ${body}`;
      response.writeHead(410, { 'x-answer': 'yes' }).end('gone');
    });
    const got = await egress().request({
      method: 'POST',
      url: `http://hooks.example:${port}/hook?a=1`,
      headers: { 'x-signature': 'abc', 'Accept-Encoding': 'gzip' },
      body: Buffer.from('{"é":1}'),
      ...limits,
    });
    assert.equal(asked, 'POST /hook?a=1 abc 8 {"é":1}');
    assert.ok(got.kind === 'ok');
    assert.deepEqual(
      [got.status, got.headers['x-answer'], Buffer.from(got.bytes).toString(), got.truncated],
      [410, 'yes', 'gone', false],
    );
  });

  test('yields a redirect as it is, and of a long body only the beginning', async (t) => {
    const port = await serve(t, (_request, response) =>
      response.writeHead(302, { location: '/x' }).end('y'.repeat(5_000)),
    );
    const got = await egress().request({ method: 'POST', url: `http://h:${port}/`, maxBytes: 10, timeoutMs: 5_000 });
    assert.ok(got.kind === 'ok');
    assert.deepEqual([got.status, Buffer.from(got.bytes).toString(), got.truncated], [302, 'yyyyyyyyyy', true]);
  });

  test('a header that would smuggle in another is our own bug, and thrown', async () => {
    const smuggling = { method: 'POST', url: 'http://h/', headers: { 'x-a': 'b\r\nx-c: d' }, ...limits };
    await assert.rejects(egress().request(smuggling), TypeError);
  });
});
