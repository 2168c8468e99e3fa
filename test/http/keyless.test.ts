/** What clients are told that send without a key, and then the same once more. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { clientOf, newAccount } from '../accounts/operator.ts';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';

let server: TestServer;

before(async () => {
  server = await startTestServer();
});
after(() => server.stop());

describe('a send without a key', () => {
  it('is told what a key is for when it comes again within a minute, at each door', async () => {
    const client = clientOf(server, testKey);
    for (const send of [() => client.send(), () => client.sendBrevo('a@acme.test')]) {
      assert.equal((await send()).headers.get('sendonce-warning'), null);
      assert.match((await send()).headers.get('sendonce-warning') ?? '', /neither has an idempotency key/);
      server.clock.advance(61_000);
      assert.equal((await send()).headers.get('sendonce-warning'), null);
    }
  });

  it('is not told so where anything differs: the bytes, the account, or a key', async () => {
    const [client, other] = [clientOf(server, testKey), await newAccount(server, 'other', '*')];
    const sends = [
      () => client.send({ subject: 'one' }),
      () => client.send({ subject: 'two' }),
      () => other.send({ subject: 'one' }),
      () => client.send({ subject: 'one' }, { 'idempotency-key': 'a' }),
      () => client.send({ subject: 'one' }, { 'idempotency-key': 'a' }),
    ];
    for (const send of sends) {
      const { status, headers } = await send();
      assert.equal(status, 200);
      assert.equal(headers.get('sendonce-warning'), null);
    }
  });

  it('is counted by client, and a client that makes names up fills nothing', async () => {
    const send = (agent: string) =>
      server.call('POST', '/emails', message({ subject: agent }), { 'user-agent': agent });
    for (let index = 0; index < 60; index++) await send(`made-up-${index}/1.0`);
    await send('resend-node:6.38.0');
    const { text } = await server.call('GET', '/metrics');
    const counted = Array.from(text.matchAll(/^sendonce_keyless_sends_total\{client="([^"]+)"\} (\d+)/gm));
    assert(counted.length <= 52, `${counted.length} names`);
    assert(counted.some(([, client]) => client === 'other'));
  });
});
