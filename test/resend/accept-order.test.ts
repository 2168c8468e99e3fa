/** A key is looked up before its request is looked at: a retry is answered although the world has changed. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { serve } from '../support/served.ts';
import { message, type TestServer } from '../support/server.ts';

const hour = 60 * 60_000;

function send(server: TestServer, key: string, change: Record<string, unknown>) {
  return server.call('POST', '/emails', message(change), { 'idempotency-key': key });
}

/** A file that can be fetched once. */
async function startVanishingFile(t: TestContext): Promise<string> {
  let asked = 0;
  const http = createServer((_, response) => {
    asked += 1;
    response.writeHead(asked === 1 ? 200 : 404, { 'content-type': 'application/pdf' }).end('bytes');
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  t.after(() => http.close());
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}/report.pdf`;
}

describe('a retry gets the first answer', () => {
  it('when its scheduled time is over by now', async (t) => {
    const { server } = await serve(t);
    const change = { scheduled_at: new Date(server.clock.now() + hour).toISOString() };
    const first = await send(server, 'retried', change);
    assert.equal(first.status, 200, first.text);
    server.clock.advance(12 * hour);
    const again = await send(server, 'retried', change);
    assert.deepEqual([again.status, again.text], [200, first.text]);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
    // Under a key of its own the same request is refused: looking at it first would have refused the retry.
    assert.equal((await send(server, 'another', change)).status, 422);
  });

  it('when its attachment is gone by now', async (t) => {
    const { server } = await serve(t);
    const change = { attachments: [{ path: await startVanishingFile(t), filename: 'report.pdf' }] };
    const first = await send(server, 'retried', change);
    assert.equal(first.status, 200, first.text);
    const again = await send(server, 'retried', change);
    assert.deepEqual([again.status, again.text], [200, first.text]);
    assert.deepEqual((await send(server, 'another', change)).json.name, 'invalid_attachment');
  });
});
