/** Clients that try again by themselves, before a server whose answers are lost, late, spoilt and repeated. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { BrevoClient } from '@getbrevo/brevo';
import { TransactionalEmailsApi } from 'brevo-2';
import { Resend } from 'resend';
import { createFaults, type FaultRates } from '../../src/chaos/faults.ts';
import { type Chaos, startChaos } from '../../src/chaos/proxy.ts';
import { classify, type RetryOptions, retrying } from '../../src/client/client.ts';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';

/** More by the command that docs/retries.md names. */
const sends = Number(process.env.CLIENT_SENDS ?? 16);
const seed = 20_261_130;
const none: FaultRates = {
  'lose-requests': 0,
  'lose-answers': 0,
  'bad-gateways': 0,
  'cut-answers': 0,
  repeats: 0,
  delays: 0,
};
const every: FaultRates = {
  'lose-requests': 0.1,
  'lose-answers': 0.2,
  'bad-gateways': 0.1,
  'cut-answers': 0.1,
  repeats: 0.1,
  delays: 0.02,
};
const quick: RetryOptions = { firstDelayMs: 1, delayMsMax: 20, tryMs: 10_000 };
const brevoMail = {
  sender: { email: 'a@acme.test', name: 'A' },
  to: [{ email: 'b@example.org' }],
  subject: 'Hello',
  textContent: 'Hi.',
};

let server: TestServer;
let chaos: Chaos;

before(async () => {
  server = await startTestServer();
});
after(() => server.stop());

async function withChaos<T>(rates: FaultRates, work: (url: string) => Promise<T>): Promise<T> {
  chaos = await startChaos({
    upstream: new URL(server.url),
    host: '127.0.0.1',
    port: 0,
    faults: createFaults(rates, seed),
    delayMs: 50,
  });
  try {
    return await work(chaos.url);
  } finally {
    await chaos.stop();
  }
}

async function inTurn<T>(count: number, one: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  const lanes = Array.from({ length: 4 }, async (_, lane) => {
    for (let index = lane; index < count; index += 4) results[index] = await one(index);
  });
  await Promise.all(lanes);
  return results;
}

function assertOnce(operations: number): void {
  const { faults, requests, ...counts } = chaos.tally();
  assert.deepEqual(counts, { operations, once: operations, twice: 0, never: 0, keyless: 0 });
  assert(Object.keys(faults).length >= 4, `little has gone wrong: ${JSON.stringify(faults)}`);
}

describe('retrying', () => {
  it(`sends ${sends} mails by Resend's SDK through a spoilt line, each once, and tells the id of each`, async () => {
    await withChaos(every, async (baseUrl) => {
      const resend = retrying(new Resend(testKey, { baseUrl }), quick);
      const results = await inTurn(sends, (index) => resend.emails.send(mail(index)));
      const ids = results.map(({ data, error }) => data?.id ?? assert.fail(JSON.stringify(error)));
      assert.equal(new Set(ids).size, sends);
      assertOnce(sends);
    });
  });

  it("sends batches by Resend's SDK through a spoilt line, each once", async () => {
    await withChaos(every, async (baseUrl) => {
      const resend = retrying(new Resend(testKey, { baseUrl }), quick);
      const results = await inTurn(sends, (index) => resend.batch.send([mail(index), mail(index)]));
      const ids = results.flatMap(({ data }) => data?.data.map(({ id }) => id) ?? []);
      assert.equal(new Set(ids).size, 2 * sends);
      assertOnce(sends);
    });
  });

  it(`sends ${sends} mails by Brevo's SDK, and makes the first ids of its refusals`, async () => {
    await withChaos(every, async (url) => {
      const brevo = retrying(new BrevoClient({ apiKey: testKey, baseUrl: `${url}/v3` }), quick);
      const results = await inTurn(sends, () => brevo.transactionalEmails.sendTransacEmail(brevoMail));
      assert.equal(new Set(results.map(({ messageId }) => messageId ?? assert.fail('no id'))).size, sends);
      assertOnce(sends);
    });
  });

  it("sends mails by Brevo's former SDK, in its shape", async () => {
    await withChaos(every, async (url) => {
      const api = new TransactionalEmailsApi(`${url}/v3`);
      api.setApiKey(0, testKey);
      const brevo = retrying(api, quick);
      const results = await inTurn(sends, () => brevo.sendTransacEmail(brevoMail));
      assert.equal(new Set(results.map(({ body }) => body.messageId ?? assert.fail('no id'))).size, sends);
      assertOnce(sends);
    });
  });

  it('sends mails by fetch, at both vendors’ addresses', async () => {
    await withChaos(every, async (url) => {
      const again = retrying(fetch, quick);
      const headers = { authorization: `Bearer ${testKey}`, 'content-type': 'application/json' };
      const post = (path: string, body: unknown) =>
        again(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      const results = await inTurn(sends, (index) =>
        index % 2 ? post('/emails', mail(index)) : post('/v3/smtp/email', brevoMail),
      );
      for (const result of results) assert(result.ok, String(result.status));
      const ids = await Promise.all(results.map(async (result) => (await classify(result)).ids?.[0]));
      assert.equal(new Set(ids).size, sends);
      assertOnce(sends);
    });
  });

  it('keeps the key that a call brings, and counts its tries for the server', async () => {
    const seen: string[] = [];
    const told: number[] = [];
    const looking: typeof fetch = async (_, init) => {
      const headers = new Headers(init?.headers);
      seen.push(`${headers.get('idempotency-key')} ${headers.get('sendonce-attempt')}`);
      return seen.length < 3 ? new Response(null, { status: 500 }) : Response.json({ id: 'a' });
    };
    const again = retrying(looking, { ...quick, onTry: ({ attempt }) => told.push(attempt) });
    await again('http://x.test/emails', { method: 'POST', headers: { 'Idempotency-Key': 'mine' }, body: '{}' });
    assert.deepEqual(seen, ['mine 1', 'mine 2', 'mine 3']);
    assert.deepEqual(told, [1, 2, 3]);
  });

  it('shows in the history of the key which try it was that was answered', async () => {
    const faults = { left: 1, next: () => (faults.left-- > 0 ? ('lose-answers' as const) : null) };
    const upstream = new URL(server.url);
    const losing = await startChaos({ upstream, host: '127.0.0.1', port: 0, faults, delayMs: 0 });
    const resend = retrying(new Resend(testKey, { baseUrl: losing.url }), quick);
    const { data } = await resend.emails.send(mail(1), { idempotencyKey: 'order/1' });
    await losing.stop();
    await server.tick();
    const { json } = await server.call('GET', '/idempotency-keys/order%2F1');
    assert.deepEqual(json.email_ids, [data?.id]);
    assert.deepEqual(
      json.uses.map(({ kind, attempt }: { kind: string; attempt: number }) => [kind, attempt]),
      [['replay', 2]],
    );
  });

  it('repeats no POST that has no key and no place for one, and everything that reads', async () => {
    let asked = 0;
    const failing: typeof fetch = async () => {
      asked += 1;
      return new Response(null, { status: 500 });
    };
    const again = retrying(failing, { ...quick, deadlineMs: 50 });
    assert.equal((await again('http://x.test/domains', { method: 'POST', body: '{}' })).status, 500);
    const stream = new Blob(['{}']).stream();
    const streamed = { method: 'POST', body: stream, duplex: 'half' } as RequestInit;
    assert.equal((await again('http://x.test/emails', streamed)).status, 500);
    assert.equal((await again('http://x.test/v3/smtp/email', { method: 'POST', body: 'no JSON' })).status, 500);
    assert.equal(asked, 3);
    await again('http://x.test/emails');
    assert(asked > 5, 'a GET is asked again until time is up');
  });

  it('ends with what it was told last: once time is up, once it is clear, once the caller gives up', async () => {
    let asked = 0;
    const answering = (status: number, headers = {}) => {
      const one: typeof fetch = async () => {
        asked += 1;
        return new Response(null, { status, headers });
      };
      return retrying(one, { ...quick, deadlineMs: 100 });
    };
    const send = { method: 'POST', body: '{}' };
    assert.equal((await answering(422)('http://x.test/emails', send)).status, 422);
    assert.equal(asked, 1, 'a refusal is not asked again');
    assert.equal((await answering(503, { 'retry-after': '5' })('http://x.test/emails', send)).status, 503);
    assert.equal(asked, 2, 'nor is it asked before the server wants to be, or after the deadline');
    assert.equal((await answering(500)('http://x.test/emails', send)).status, 500);
    assert(asked > 3);
    const gone = AbortSignal.abort(new Error('the caller left'));
    await assert.rejects(answering(500)('http://x.test/emails', { ...send, signal: gone }), /the caller left/);
  });

  it('waits no longer for one try than it may, also for a client that does not listen', async () => {
    let asked = 0;
    const silent: typeof fetch = () => {
      asked += 1;
      return asked < 3 ? new Promise(() => {}) : Promise.resolve(Response.json({ id: 'a' }));
    };
    const again = retrying(silent, { ...quick, tryMs: 20 });
    assert.equal((await again('http://x.test/emails', { method: 'POST', body: '{}' })).status, 200);
    assert.equal(asked, 3);
  });

  it('leaves all else of a client as it is', async () => {
    const resend = retrying(new Resend(testKey, { baseUrl: server.url }), quick);
    const { data } = await resend.emails.send(message() as never);
    assert.equal((await resend.emails.get(data?.id ?? '')).data?.subject, 'hello world');
    assert.throws(() => retrying({}), /takes a Resend or Brevo client, or fetch/);
  });

  it('is needed: a key for each try is noticed', async () => {
    await withChaos({ ...none, 'lose-answers': 0.3 }, async (baseUrl) => {
      const resend = new Resend(testKey, { baseUrl });
      for (let index = 0; index < 20; index++) {
        // One operation by its bytes, two by its keys.
        const headers = { 'X-Entity': String(index) };
        for (let attempt = 0; attempt < 5; attempt++) {
          const { error } = await resend.emails.send({ ...mail(index), headers } as never);
          if (!error) break;
        }
      }
      assert(chaos.tally().twice > 0, 'some of them were sent twice');
    });
  });
});

function mail(index: number) {
  return { from: 'a@acme.test', to: `b${index}@example.org`, subject: `Receipt ${index}`, text: 'Thank you.' };
}
