/** What an account asked and what became of it: /logs and /emails/metrics, and domains that Brevo's API blocks. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Resend } from 'resend';
import { addApiKey, drained } from '../support/served.ts';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

let server: TestServer;
let sink: Sink;

before(async () => {
  sink = await startSink();
  sink.behave = () => ({ rcpt: (to) => (to.startsWith('gone') ? '550 5.1.1 no such user' : undefined) });
  server = await startTestServer({ environment: { RELAY_URL: `smtp://127.0.0.1:${sink.port}` } });
});
after(async () => {
  await server.stop();
  await sink.close();
});

const lastEvent = async (id: string) => (await server.call('GET', `/emails/${id}`)).json.last_event;

describe('a blocked domain', () => {
  it('gets no mail at any address, in no spelling, until it is mailed again; subdomains do', async () => {
    const { call } = server;
    assert.equal((await call('POST', '/v3/smtp/blockedDomains', { domain: 'Blocked.test' })).status, 201);
    assert.equal((await call('POST', '/v3/smtp/blockedDomains', { domain: 'blocked.test' })).status, 201);
    assert.equal((await call('POST', '/v3/smtp/blockedDomains', { domain: 'nothing' })).status, 400);
    assert.deepEqual((await call('GET', '/v3/smtp/blockedDomains')).json, { domains: ['blocked.test'] });
    const mails = [];
    for (const to of ['ann@BLOCKED.test', 'ann@sub.blocked.test', 'ann@unblocked.test']) {
      mails.push((await call('POST', '/emails', message({ to }))).json.id);
    }
    await drained(server);
    assert.deepEqual(await Promise.all(mails.map(lastEvent)), ['suppressed', 'sent', 'sent']);
    assert.deepEqual((await call('GET', '/suppressions')).json.data, [], 'it is no address');
    assert.equal((await call('GET', '/v3/smtp/blockedContacts')).json.count, 0);
    assert.equal((await call('DELETE', '/v3/smtp/blockedDomains/blocked.test')).status, 204);
    assert.equal((await call('DELETE', '/v3/smtp/blockedDomains/blocked.test')).status, 404);
    const again = (await call('POST', '/emails', message({ to: 'ann@blocked.test' }))).json.id;
    await drained(server);
    assert.equal(await lastEvent(again), 'sent');
  });
});

describe('GET /emails/metrics', () => {
  it('counts what became of mail in all and by period, and refuses what is not counted', async () => {
    const { call } = server;
    await call('POST', '/emails', message({ to: ['gone@x.test', 'here@x.test'] }));
    await drained(server);
    const counted = async () => (await call('GET', '/emails/metrics?metrics=bounced')).json.totals.bounced === 1;
    await server.until('it is counted', counted);
    const { json } = await call(
      'GET',
      '/emails/metrics?dimensions=period&metrics=sent,bounced,bounced_permanent,bounce_rate',
    );
    assert.deepEqual([json.object, json.dimensions, json.granularity], ['metrics', ['period'], 'daily']);
    const { sent, ...others } = json.totals;
    assert.deepEqual(others, { bounced: 1, bounced_permanent: 1, bounce_rate: Math.round(1e4 / (sent + 1)) / 1e4 });
    const today = new Date(server.clock.now()).toISOString().slice(0, 10);
    assert.deepEqual(json.data, [{ period: today, ...json.totals }]);
    const zoned = await call(
      'GET',
      '/emails/metrics?dimensions=period&granularity=hourly&timezone=Asia/Kolkata&metrics=sent',
    );
    assert.match(zoned.json.data[0].period, /^\d{4}-\d{2}-\d{2}T\d{2}:00$/);
    for (const query of [
      'metrics=x',
      'dimensions=email',
      'granularity=x',
      'timezone=x/y',
      'start_date=x',
      'email_id=x',
    ]) {
      assert.equal((await call('GET', `/emails/metrics?${query}`)).status, 422, query);
    }
  });
});

describe('/logs', () => {
  it('lists the latest requests with what they were answered, and keeps no address', async () => {
    const resend = new Resend(testKey, { baseUrl: server.url });
    await server.call('GET', '/suppressions/ann@x.test');
    await server.until('it is written', async () => /:address/.test((await server.call('GET', '/logs?limit=5')).text));
    const listed = await resend.logs.list();
    const found = listed.data?.data.find(({ endpoint }) => endpoint === '/suppressions/:address');
    assert.deepEqual([found?.method, found?.response_status], ['GET', 404]);
    assert.doesNotMatch(JSON.stringify(listed), /ann@/);
    const one = await resend.logs.get(found?.id ?? '');
    assert.equal(one.data?.endpoint, '/suppressions/:address');
    const other = { authorization: `Bearer ${await addApiKey(server, 're_other', 'other')}` };
    assert.deepEqual(
      (await server.call('GET', '/logs', undefined, other)).json.data,
      [],
      'another account asked nothing',
    );
    assert.equal((await server.call('GET', `/logs/${found?.id}`, undefined, other)).status, 404);
    assert.equal((await server.call('GET', '/logs/00000000-0000-0000-0000-000000000000')).status, 404);
    assert.equal((await server.call('GET', '/logs/x')).status, 422);
  });
});
