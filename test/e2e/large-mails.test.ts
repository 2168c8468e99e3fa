/** Large mails on their way out: as many at once as there is memory for, each once, and small ones are not kept waiting. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertSentOnce, serve } from '../support/served.ts';
import { message } from '../support/server.ts';

describe('large mails', () => {
  it('wait for one another and not for ever; every one of them leaves once, whatever found no room', async (t) => {
    const limits = { largeMailBytesMin: 1_000, largeMailsBytesMax: 9_000, largeMailWaitMs: 0, largeMailPauseMs: 5 };
    const { server, sink } = await serve(t, { limits });
    const file = { filename: 'a.bin', content: Buffer.alloc(5_000, 7).toString('base64') };
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
});
