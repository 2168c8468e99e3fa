/** A first request that takes long: what its duplicates are told meanwhile, and afterwards. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertSentOnce, serve } from '../support/served.ts';
import { message } from '../support/server.ts';
import { startSlowFile } from '../support/slow-file.ts';

describe('a first request that takes long', () => {
  test('a duplicate waits 3 s, is told to come back, and then gets the same answer', async (t) => {
    const { server, sink } = await serve(t);
    const file = await startSlowFile(t);
    const send = () => {
      const attachments = [{ path: file.url, filename: 'report.pdf' }];
      return server.call('POST', '/emails', message({ attachments }), { 'idempotency-key': 'slow' });
    };
    const winner = send();
    await file.asked;
    const startedAt = performance.now();
    const refused = await send();
    const waitedMs = performance.now() - startedAt;
    assert.deepEqual([refused.status, refused.json], [409, busy]);
    assert.equal(refused.headers.get('retry-after'), '1');
    assert(waitedMs > 2_900 && waitedMs < 20_000, `waited ${waitedMs} ms`);
    // This one is still waiting when the answer comes.
    const waiting = send();
    file.finish();
    const { status, text, json } = await winner;
    assert.equal(status, 200, text);
    assert.equal((await waiting).text, text);
    const later = await send();
    assert.deepEqual([later.text, later.headers.get('idempotent-replayed')], [text, 'true']);
    await assertSentOnce(server, sink, [json.id]);
  });

  test('a duplicate takes over when the first one fails', async (t) => {
    const { server, sink } = await serve(t);
    const file = await startSlowFile(t);
    const headers = { 'idempotency-key': 'slow' };
    const attachments = [{ path: file.url, filename: 'report.pdf' }];
    const first = server.call('POST', '/emails', message({ attachments }), headers);
    await file.asked;
    const second = server.call('POST', '/emails', message(), headers);
    file.fail();
    assert.deepEqual([(await first).status, (await first).json.name], [422, 'invalid_attachment']);
    const { status, json } = await second;
    assert.equal(status, 200);
    await assertSentOnce(server, sink, [json.id]);
  });
});

const busy = {
  statusCode: 409,
  name: 'concurrent_idempotent_requests',
  message: 'There is another request in progress with the same idempotency key.',
};
