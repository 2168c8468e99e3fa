/** Large mails on their way out: as many at once as there is memory for, each once, and small ones are not kept waiting. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { sizeOf } from '../../src/core/pieces.ts';
import type { Relay } from '../../src/deliver/relay.ts';
import { replyOf } from '../support/reply.ts';
import { assertSentOnce, serve } from '../support/served.ts';
import { message, startTestServer, type TestServerOptions } from '../support/server.ts';

const limits = { largeMailBytesMin: 1_000, largeMailsBytesMax: 9_000, largeMailWaitMs: 0, largeMailPauseMs: 5 };
const file = { filename: 'a.bin', content: Buffer.alloc(5_000, 7).toString('base64') };

describe('large mails', () => {
  it('wait for one another and not for ever; every one of them leaves once, whatever found no room', async (t) => {
    const { server, sink } = await serve(t, { limits });
    const mails = Array.from({ length: 12 }, (_, number) => {
      if (number % 3 === 0) return message({ text: 'small' });
      return number % 3 === 1 ? message({ html: `<p>${'x'.repeat(5_000)}</p>` }) : message({ attachments: [file] });
    });
    const accepted = await Promise.all(mails.map((mail) => server.call('POST', '/emails', mail)));
    const ids = accepted.map(({ json }) => json.id);
    await server.until('all were taken', async () => {
      server.clock.advance(10);
      await server.tick();
      return sink.received.length >= mails.length;
    });
    await assertSentOnce(server, sink, ids);
    const { text } = await server.call('GET', '/metrics');
    assert.match(text, /^sendonce_attempts_total\{outcome="sent"\} 12$/m);
  });

  it('are in memory only as many at once as there is room for', async (t) => {
    const most = await mostUnderWay(t, limits);
    assert(most > 5_000 && most <= limits.largeMailsBytesMax, `${most} bytes were on their way at once`);
  });

  it('would all be in memory at once without the room: the control', async (t) => {
    assert((await mostUnderWay(t, { ...limits, largeMailsBytesMax: 1_000_000 })) > limits.largeMailsBytesMax);
  });
});

/** How many bytes of six large mails were with the relay at the same time. It takes each two ticks after it came. */
async function mostUnderWay(t: TestContext, limits: TestServerOptions['limits'] & object): Promise<number> {
  let [bytes, most, taken, ticks] = [0, 0, 0, 0];
  const waiting: { since: number; take: () => void }[] = [];
  const relay: Relay = {
    name: 'slow',
    concurrency: 10,
    async ship({ envelope, pieces }, gate) {
      bytes += sizeOf(pieces);
      most = Math.max(most, bytes);
      await new Promise<void>((take) => waiting.push({ since: ticks, take }));
      await gate({ accepted: envelope.to, refused: [] });
      bytes -= sizeOf(pieces);
      taken += 1;
      return { phase: 'verdict', reply: replyOf('250 ok') };
    },
    async close() {},
  };
  const server = await startTestServer({ limits, relay });
  t.after(() => server.stop());
  const mails = Array.from({ length: 6 }, () => message({ attachments: [file] }));
  await Promise.all(mails.map((mail) => server.call('POST', '/emails', mail)));
  await server.until('all were taken', async () => {
    server.clock.advance(10);
    await server.tick();
    ticks += 1;
    for (const { since, take } of waiting) if (ticks - since >= 2) take();
    return taken === mails.length;
  });
  return most;
}
