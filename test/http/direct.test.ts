/** What is answered below the framework is answered as the framework would: each request is made both ways. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';
import { exchange, type WireReply, type WireRequest } from '../support/wire.ts';

const headers: WireRequest['headers'] = [
  ['Authorization', `Bearer ${testKey}`],
  ['Content-Type', 'application/json'],
];
const body = JSON.stringify(message());
const tooLarge: WireRequest['headers'] = [...headers, ['Content-Encoding', 'gzip']];

const asked: Record<string, Partial<WireRequest>> = {
  'a send': {},
  'a send under a key that was used': { headers: [...headers, ['Idempotency-Key', 'once']] },
  'another send under it': {
    headers: [...headers, ['Idempotency-Key', 'once']],
    body: JSON.stringify(message({ subject: 'b' })),
  },
  'a key sent twice': { headers: [...headers, ['Idempotency-Key', 'a'], ['Idempotency-Key', 'b']] },
  'a send without an API key': { headers: [] },
  'one with a wrong API key': { headers: [['Authorization', 'Bearer re_wrong']] },
  'no JSON': { body: '{' },
  'no body': { body: null },
  'what is missing': { body: '{}' },
  'a compressed body': { headers: tooLarge },
  'a batch': { path: '/emails/batch', body: `[${body}]` },
  'a send to Brevo': { path: '/v3/smtp/email', body: '{}' },
  'another host': { host: 'stranger.example' },
};

describe('what is answered below the framework', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer({ environment: { RATE_LIMIT: '1000' } });
    await exchange(server.url, {
      method: 'POST',
      path: '/emails',
      headers: [...headers, ['Idempotency-Key', 'once']],
      body,
    });
  });
  after(() => server.stop());

  for (const [name, change] of Object.entries(asked)) {
    test(`${name} is answered as by the framework`, async () => {
      const request = { method: 'POST', path: '/emails', headers, body, ...change };
      // A query is what makes a request the framework's.
      const [direct, framework] = [
        await exchange(server.url, request),
        await exchange(server.url, { ...request, path: `${request.path}?` }),
      ];
      assert.deepEqual(shown(direct), shown(framework));
    });
  }
});

/** Names of what differs from request to request; the rest as it is. */
function shown({ status, headers, json }: WireReply) {
  const differing = [
    'x-request-id',
    'date',
    'sendonce-key-expires',
    'ratelimit-remaining',
    'x-sib-ratelimit-remaining',
  ];
  // The second of two is told that it came before.
  headers.delete('sendonce-warning');
  const same = [...headers].map(([name, value]) => (differing.includes(name) ? [name] : [name, value]));
  const { id, data, ...rest } = json ?? {};
  return { status, headers: same.sort(), rest, members: [typeof id, Array.isArray(data)] };
}
