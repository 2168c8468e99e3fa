/** Memory and bodies: what is under way is bounded, what stalls is ended, and what would explode is refused before it is read. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Limits } from '../../src/config/limits.ts';
import { allEmails } from '../support/served.ts';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';
import { exchange, Wire, type WireReply } from '../support/wire.ts';

const small = { smallBodyBytesMax: 1_000, smallBodiesBytesMax: 10_000, largeBodiesBytesMax: 100_000 };

async function serve(t: TestContext, limits: Partial<Limits>): Promise<TestServer> {
  const server = await startTestServer({ limits });
  t.after(() => server.stop());
  return server;
}

function head(server: TestServer, length: number): string {
  const lines = ['POST /emails HTTP/1.1', `host: ${new URL(server.url).host}`, `authorization: Bearer ${testKey}`];
  return `${lines.join('\r\n')}\r\ncontent-length: ${length}\r\n\r\n`;
}

/** A request of which `sent` bytes of the body arrive, and then nothing. */
async function stall(t: TestContext, server: TestServer, length: number, sent: number): Promise<Wire> {
  const wire = await Wire.open(server.url);
  t.after(() => wire.close());
  wire.write(head(server, length) + 'x'.repeat(sent));
  return wire;
}

const large = (bytes: number) => message({ text: 'x'.repeat(bytes) });

/** Asks again until what was sent beside it has arrived. */
async function refusedOnce(server: TestServer, bytes: number) {
  for (;;) {
    const reply = await server.call('POST', '/emails', large(bytes));
    if (reply.status !== 200) return reply;
  }
}

describe('the memory that bodies may hold together', () => {
  it('is refused with 503 where it is used up, while small requests have their own', async (t) => {
    const server = await serve(t, small);
    const stalled = await stall(t, server, 90_000, 80_000);
    const refused = await refusedOnce(server, 50_000);
    assert.deepEqual([refused.status, refused.json.name], [503, 'internal_server_error']);
    assert.equal(refused.headers.get('retry-after'), '2');
    const before = (await allEmails(server)).length;
    assert.equal((await server.call('POST', '/emails', message())).status, 200);
    assert.equal((await allEmails(server)).length, before + 1, 'nothing of what was refused was accepted');
    const { text } = await server.call('GET', '/metrics');
    assert.match(text, /^sendonce_requests_refused_total\{why="memory"\} \d/m);
    stalled.close();
    await server.until('what was held is free', async () => {
      return (await server.call('POST', '/emails', large(50_000))).status === 200;
    });
  });

  it('would be given to all without the budget: the control', async (t) => {
    const server = await serve(t, { ...small, largeBodiesBytesMax: Number.MAX_SAFE_INTEGER });
    await stall(t, server, 90_000, 80_000);
    await stall(t, server, 90_000, 80_000);
    assert.equal((await server.call('POST', '/emails', large(50_000))).status, 200);
  });

  it('is held by what arrives, not by what was announced, also without a length', async (t) => {
    const server = await serve(t, small);
    for (let i = 0; i < 5; i++) await stall(t, server, 90_000, 10);
    assert.equal((await server.call('POST', '/emails', large(90_000))).status, 200);
    const body = JSON.stringify(large(150_000));
    const headers: [string, string][] = [['authorization', `Bearer ${testKey}`]];
    const reply = await exchange(server.url, { method: 'POST', path: '/emails', headers, body, chunked: true });
    assert.equal(reply.status, 503);
  });

  it('is enough for one request, however many have come before it', async (t) => {
    const server = await serve(t, { ...small, bodiesAtWorkBytesMax: 10_000 });
    const replies = await Promise.all(Array.from({ length: 6 }, () => server.call('POST', '/emails', large(60_000))));
    const statuses = replies.map(({ status }) => status);
    assert(statuses.every((status) => status === 200 || status === 503));
    assert(statuses.includes(200));
    assert.equal((await server.call('POST', '/emails', large(90_000))).status, 200);
  });

  it('is not there for small requests without end', async (t) => {
    const server = await serve(t, { ...small, smallBodiesBytesMax: 1_500 });
    await stall(t, server, 990, 900);
    await server.until('a small one is refused', async () => {
      return (await server.call('POST', '/emails', large(700))).status === 503;
    });
  });
});

describe('a body that does not arrive', () => {
  const slow = { bodyWindowMs: 100, bodyBytesPerSecondMin: 1_000 };

  it('is ended with 408 and frees what it held; nothing of it is accepted', async (t) => {
    const server = await serve(t, slow);
    const wires = [await stall(t, server, 90_000, 80_000), await stall(t, server, 100, 1)];
    for (const wire of wires) assertLate(await wire.reply());
    assert.deepEqual(await allEmails(server), []);
    const { text } = await server.call('GET', '/metrics');
    assert.match(text, /^sendonce_requests_refused_total\{why="slow"\} 2$/m);
  });

  it('would be waited for as long as its sender likes without a pace: the control', async (t) => {
    const patient = await serve(t, { ...slow, bodyWindowMs: 60_000 });
    const waited = await stall(t, patient, 100, 50);
    const server = await serve(t, slow);
    // As long as it takes where there is one.
    assertLate(await (await stall(t, server, 100, 50)).reply());
    waited.write('x'.repeat(50));
    assert.equal((await waited.reply()).status, 400, 'not JSON, but all of it was taken');
  });

  it('must come faster the more it holds: a trickle keeps a short one alive and not a long one', async (t) => {
    const server = await serve(t, { bodyWindowMs: 300, bodyBytesPerSecondMin: 50, bodyTimeoutMs: 10_000 });
    const long = await stall(t, server, 400_000, 300_000);
    const short = await stall(t, server, 4_000, 0);
    let left = 4_000;
    const trickle = setInterval(() => {
      long.write('x'.repeat(40));
      if (left > 0) short.write('x'.repeat(40));
      left -= 40;
    }, 10);
    t.after(() => clearInterval(trickle));
    assertLate(await long.reply());
    // Not JSON, but all of it was taken.
    assert.equal((await short.reply()).status, 400);
  });

  function assertLate(reply: WireReply): void {
    assert.deepEqual([reply.status, reply.json.name], [408, 'validation_error']);
    assert.equal(reply.json.message, 'The request did not arrive in time.');
  }
});

describe('a body that would explode', () => {
  const floods: [what: string, body: string][] = [
    ['nested too deeply', `{"x":${'['.repeat(200)}${']'.repeat(200)}}`],
    ['too many values', `[${'{},'.repeat(2_000)}{}]`],
    ['too many members', `{${'"":"",'.repeat(600)}"":""}`],
    ['too many numbers', `[${'7,'.repeat(3_000)}7]`],
  ];
  const shape = { jsonDepthMax: 100, jsonValuesMax: 1_500, jsonMembersMax: 500, jsonNumbersMax: 2_000 };

  it('is refused before it is parsed, in the words of its facade', async (t) => {
    const server = await serve(t, shape);
    for (const [what, body] of floods) {
      const resend = await server.call('POST', '/emails', body);
      assert.deepEqual([resend.status, resend.json.name], [422, 'validation_error'], what);
      const brevo = await server.call('POST', '/v3/smtp/email', body);
      assert.deepEqual([brevo.status, brevo.json.code], [400, 'invalid_parameter'], what);
    }
    const exact = await server.call('POST', '/emails', `${' '.repeat(9)}[${'7,'.repeat(1_999)}7]`);
    assert.match(exact.json.message, /must be a JSON object/, 'as many as there may be are parsed');
  });

  it('is refused where it is compressed, unread', async (t) => {
    const server = await serve(t, {});
    const body = gzipSync(JSON.stringify(large(1_000_000)));
    for (const coding of ['gzip', 'br', 'GZIP']) {
      const headers: [string, string][] = [
        ['authorization', `Bearer ${testKey}`],
        ['content-encoding', coding],
      ];
      for (const [path, name] of [
        ['/emails', 'validation_error'],
        ['/v3/smtp/email', 'bad_request'],
      ] as const) {
        const reply = await exchange(server.url, { method: 'POST', path, headers, body });
        assert.deepEqual([reply.status, reply.json.name ?? reply.json.code], [400, name]);
        assert.match(reply.json.message, /compressed/);
      }
    }
  });

  it('is refused where it is not UTF-8, instead of leaving as U+FFFD', async (t) => {
    const server = await serve(t, {});
    const broken = Buffer.from(JSON.stringify(message({ subject: 'caf?' })));
    broken[broken.indexOf('?')] = 0xe9;
    for (const path of ['/emails', '/v3/smtp/email']) {
      const headers: [string, string][] = [['authorization', `Bearer ${testKey}`]];
      const reply = await exchange(server.url, { method: 'POST', path, headers, body: broken });
      assert.equal(reply.status, 400);
      assert.match(reply.json.message, /must be UTF-8/);
    }
    assert.deepEqual(await allEmails(server), []);
    const { status } = await server.call('POST', '/emails', message({ subject: 'café � 🎉' }));
    assert.equal(status, 200, 'what is UTF-8 is taken, the character of the accident itself included');
  });
});
