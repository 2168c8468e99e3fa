/** What happened to an account's emails, counted in all and day by day. */

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { BrevoClient } from '@getbrevo/brevo';
import { addApiKey, drained, serve } from '../support/served.ts';
import { type TestServer, testKey } from '../support/server.ts';
import { asBrevo, mail, send } from './brevo.ts';

const dayMs = 86_400_000;
const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);

const nothing = {
  requests: 0,
  delivered: 0,
  hardBounces: 0,
  softBounces: 0,
  clicks: 0,
  uniqueClicks: 0,
  opens: 0,
  uniqueOpens: 0,
  spamReports: 0,
  blocked: 0,
  invalid: 0,
  unsubscribed: 0,
};

async function start(t: TestContext) {
  const served = await serve(t);
  const { transactionalEmails } = new BrevoClient({ apiKey: testKey, baseUrl: `${served.server.url}/v3` });
  return { ...served, transactionalEmails };
}

async function sendTo(server: TestServer, change: Record<string, unknown>, ...addresses: string[]): Promise<void> {
  const reply = await send(server, mail({ ...change, to: addresses.map((email) => ({ email })) }));
  assert.equal(reply.status, 201);
  await drained(server);
}

function get(server: TestServer, query: string, headers: Record<string, string> = {}) {
  return server.call('GET', `/v3/smtp/statistics/${query}`, undefined, asBrevo(headers));
}

/** Two days: on the first one mail arrives and one address is gone; on the second one there is a complaint. */
async function startWithTwoDays(t: TestContext) {
  const started = await start(t);
  const { server, sink } = started;
  // To the next noon, so that no midnight passes while mail is sent.
  server.clock.advance(1.5 * dayMs - (server.clock.now() % dayMs));
  const first = server.clock.now();
  sink.behave = () => ({ rcpt: (address) => (/gone/.test(address) ? '550 5.1.1 no such user' : undefined) });
  await sendTo(server, { tags: ['a'] }, 'delivered@resend.dev', 'gone@example.org');
  await sendTo(server, {}, 'gone@example.org');
  server.clock.advance(dayMs);
  await sendTo(server, { tags: ['b'] }, 'complained@resend.dev');
  return { ...started, first: day(first), second: day(first + dayMs) };
}

const onFirst = { ...nothing, requests: 3, delivered: 1, hardBounces: 1, blocked: 1 };
const onSecond = { ...nothing, requests: 1, delivered: 1, spamReports: 1 };

describe('GET /v3/smtp/statistics/aggregatedReport', () => {
  test('counts each recipient’s facts over the span it names', async (t) => {
    const { server, transactionalEmails, first, second } = await startWithTwoDays(t);
    const today = server.clock.now();
    assert.deepEqual(await transactionalEmails.getAggregatedSmtpReport(), {
      ...nothing,
      range: `${day(today - 89 * dayMs)}|${second}`,
      requests: 4,
      delivered: 2,
      hardBounces: 1,
      spamReports: 1,
      blocked: 1,
    });
    const named = await transactionalEmails.getAggregatedSmtpReport({ startDate: first, endDate: first });
    assert.deepEqual(named, { ...onFirst, range: `${first}|${first}` });
    const tagged = await transactionalEmails.getAggregatedSmtpReport({ days: 2, tag: 'b' });
    assert.deepEqual(tagged, { ...onSecond, range: `${first}|${second}` });
    const theirs = { 'api-key': await addApiKey(server, 'xkeysib-other', 'other') };
    assert.deepEqual((await get(server, 'aggregatedReport?days=1', theirs)).json, {
      ...nothing,
      range: `${second}|${second}`,
    });
  });

  test('refuses more than 90 days, and days beside dates', async (t) => {
    const { server } = await start(t);
    const today = day(server.clock.now());
    for (const query of ['days=91', 'days=x', `startDate=${today}`, `days=2&startDate=${today}&endDate=${today}`]) {
      assert.equal((await get(server, `aggregatedReport?${query}`)).status, 400, query);
    }
  });
});

describe('GET /v3/smtp/statistics/reports', () => {
  test('lists the days on which something happened, newest first, and pages', async (t) => {
    const { server, transactionalEmails, first, second } = await startWithTwoDays(t);
    const newest = [
      { date: second, ...onSecond },
      { date: first, ...onFirst },
    ];
    assert.deepEqual(await transactionalEmails.getSmtpReport(), { reports: newest });
    const report = async (query: string) => (await get(server, `reports?${query}`)).json.reports;
    assert.deepEqual(await report('sort=asc'), newest.toReversed());
    assert.deepEqual(await report('limit=1&offset=1'), newest.slice(1));
    assert.deepEqual(await report('days=1'), newest.slice(0, 1));
    assert.deepEqual(await report('tag=a'), [{ date: first, ...nothing, requests: 2, delivered: 1, hardBounces: 1 }]);
    assert.equal((await get(server, 'reports?limit=31')).json.code, 'out_of_range');
    const theirs = { 'api-key': await addApiKey(server, 'xkeysib-other', 'other') };
    assert.deepEqual((await get(server, 'reports', theirs)).json, { reports: [] });
  });
});
