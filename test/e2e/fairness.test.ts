/** Whose mail leaves first where the relay takes one at a time. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addApiKey, drained, serve, subjects } from '../support/served.ts';
import { message } from '../support/server.ts';

const minuteMs = 60_000;

describe('claims', () => {
  it('are fair: one account’s backlog does not hold up another’s mail', async (t) => {
    const { server, sink } = await serve(t, { environment: { RELAY_CONNECTIONS: '1' } });
    const authorization = `Bearer ${await addApiKey(server, 're_other', 'other')}`;
    const backlog = Array.from({ length: 100 }, () => message({ scheduled_at: 'in 1 min' }));
    for (let batches = 0; batches < 3; batches += 1) await server.call('POST', '/emails/batch', backlog);
    server.clock.advance(30_000);
    const late = message({ from: 'b@other.test', scheduled_at: 'in 1 min' });
    await server.call('POST', '/emails', late, { authorization });
    server.clock.advance(10 * minuteMs);
    await server.tick();
    await sink.until(() => sink.received.some(({ from }) => from === 'b@other.test'));
    const before = sink.received.findIndex(({ from }) => from === 'b@other.test');
    assert.ok(before < 20, `it was among the first: ${before} had left`);
  });

  it('sends what was sent singly before what is left of a batch of the same account', async (t) => {
    const { server, sink } = await serve(t, { environment: { RELAY_CONNECTIONS: '1' } });
    let answer = () => {};
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    sink.behave = () => ({ dot: { when: held, accept: true, say: '250 2.0.0 ok\r\n' } });
    const batch = Array.from({ length: 100 }, (_, index) => message({ subject: `newsletter ${index}` }));
    assert.equal((await server.call('POST', '/emails/batch', batch)).status, 200);
    await sink.until(({ dots }) => dots === 1);
    await server.call('POST', '/emails', message({ subject: 'password reset' }));
    answer();
    await drained(server);
    const position = subjects(sink).indexOf('password reset');
    assert.ok(position < 10, `it left as number ${position}`);
    assert.equal(sink.count, 101);
  });
});
