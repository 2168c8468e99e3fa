/** What was sent to whom and what became of it: Brevo's lists, reports, and deleting from them. */

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { BrevoClient } from '@getbrevo/brevo';
import { TransactionalEmailsApi, TransactionalEmailsApiApiKeys } from 'brevo-2';
import { addApiKey, drained, serve } from '../support/served.ts';
import { type TestServer, testKey } from '../support/server.ts';
import { asBrevo, mail, messageIdsOf, send } from './brevo.ts';

const dayMs = 86_400_000;

async function start(t: TestContext) {
  const served = await serve(t);
  const { transactionalEmails } = new BrevoClient({ apiKey: testKey, baseUrl: `${served.server.url}/v3` });
  return { ...served, transactionalEmails };
}

function get(server: TestServer, path: string, headers: Record<string, string> = {}) {
  return server.call('GET', `/v3/smtp/${path}`, undefined, asBrevo(headers));
}

function remove(server: TestServer, path: string, headers: Record<string, string> = {}) {
  return server.call('DELETE', `/v3/smtp/${path}`, undefined, asBrevo(headers));
}

async function sendOne(server: TestServer, change: Record<string, unknown> = {}): Promise<string> {
  const [messageId = ''] = messageIdsOf(await send(server, mail(change)));
  return messageId;
}

const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);

describe('GET /v3/smtp/emails', () => {
  test('lists an entry for each recipient, by messageId, by address and by template, with both SDKs', async (t) => {
    const { server, transactionalEmails } = await start(t);
    const to = [{ email: 'ann@example.org', name: 'Ann' }, { email: 'Bob@example.org' }];
    const messageId = await sendOne(server, { to, bcc: [{ email: 'cy@example.org' }], tags: ['a', 'b'] });
    const fromTemplate = await sendOne(server, { templateId: 1, subject: undefined, htmlContent: undefined });
    await sendOne(server, { to: [{ email: 'else@example.org' }] });

    const all = await transactionalEmails.getTransacEmailsList({ messageId });
    assert.equal(all.count, 3);
    const [first] = all.transactionalEmails ?? [];
    assert.deepEqual(
      { ...first, date: '', uuid: '' },
      {
        email: 'ann@example.org',
        subject: 'Hello',
        messageId,
        uuid: '',
        date: '',
        from: 'hello@example.com',
        tags: ['a', 'b'],
      },
    );
    assert.equal(new Set(all.transactionalEmails?.map(({ uuid }) => uuid)).size, 3);

    const toAnn = await transactionalEmails.getTransacEmailsList({ email: 'ANN@example.org' });
    assert.deepEqual(
      toAnn.transactionalEmails?.map((one) => one.messageId),
      [fromTemplate, messageId],
    );
    const old = new TransactionalEmailsApi(`${server.url}/v3`);
    old.setApiKey(TransactionalEmailsApiApiKeys.apiKey, testKey);
    const { body } = await old.getTransacEmailsList(undefined, 1);
    assert.deepEqual(
      body.transactionalEmails?.map((one) => [one.messageId, one.templateId]),
      [[fromTemplate, 1]],
    );
    assert.equal((await get(server, `emails?messageId=${messageId.slice(1, -1)}`)).json.count, 3);
  });

  test('pages with limit and offset, and counts all pages', async (t) => {
    const { server } = await start(t);
    for (let index = 0; index < 5; index++) await sendOne(server, { subject: `mail ${index}` });
    const subjects = async (query: string) => {
      const { json } = await get(server, `emails?email=ann@example.org&${query}`);
      assert.equal(json.count, 5);
      return json.transactionalEmails.map((one: { subject: string }) => one.subject);
    };
    assert.deepEqual(await subjects('limit=2'), ['mail 4', 'mail 3']);
    assert.deepEqual(await subjects('limit=2&offset=4'), ['mail 0']);
    assert.deepEqual(await subjects('limit=2&offset=1&sort=asc'), ['mail 1', 'mail 2']);
    assert.deepEqual(await subjects('limit=0'), []);
  });

  test('is about the last 30 days unless days are named', async (t) => {
    const { server } = await start(t);
    await sendOne(server);
    const sentOn = server.clock.now();
    server.clock.advance(31 * dayMs);
    const count = async (query: string) => (await get(server, `emails?email=ann@example.org${query}`)).json.count;
    assert.equal(await count(''), 0);
    assert.equal(await count(`&startDate=${day(sentOn)}&endDate=${day(sentOn)}`), 1);
    assert.equal(await count(`&startDate=${day(sentOn + dayMs)}&endDate=${day(sentOn + 5 * dayMs)}`), 0);
  });

  test('refuses what is missing, wrong or over the maximum', async (t) => {
    const { server } = await start(t);
    const today = day(Date.now());
    const cases: [query: string, code: string, message?: string | RegExp][] = [
      ['', 'missing_parameter'],
      ['email=nobody', 'invalid_parameter', 'email is not valid'],
      ['templateId=x', 'invalid_parameter'],
      ['messageId=x&limit=1001', 'out_of_range', 'Limit exceeds max value'],
      ['messageId=x&limit=-1', 'invalid_parameter'],
      ['messageId=x&offset=a', 'invalid_parameter'],
      ['messageId=x&sort=up', 'invalid_parameter'],
      [`messageId=x&startDate=${today}`, 'missing_parameter', 'endDate is missing'],
      [`messageId=x&endDate=${today}`, 'missing_parameter', 'startDate is missing'],
      ['messageId=x&startDate=2026-02-30&endDate=2026-03-01', 'invalid_parameter', /^startDate is not valid/],
      [
        `messageId=x&startDate=${today}&endDate=${day(Date.now() + 2 * dayMs)}`,
        'invalid_parameter',
        'Start/End date should not be greater than current date',
      ],
      [`messageId=x&startDate=${today}&endDate=${day(Date.now() - dayMs)}`, 'invalid_parameter'],
      [`messageId=x&startDate=${day(Date.now() - 40 * dayMs)}&endDate=${today}`, 'invalid_parameter', /31 days/],
    ];
    for (const [query, code, message] of cases) {
      const reply = await get(server, `emails?${query}`);
      assert.deepEqual([reply.status, reply.json.code], [400, code], query);
      if (typeof message === 'string') assert.equal(reply.json.message, message);
      if (message instanceof RegExp) assert.match(reply.json.message, message);
    }
  });

  test('shows an account only its own', async (t) => {
    const { server } = await start(t);
    const messageId = await sendOne(server);
    const theirs = { 'api-key': await addApiKey(server, 'xkeysib-other', 'other') };
    const { json: ours } = await get(server, `emails?messageId=${encodeURIComponent(messageId)}`);
    assert.equal(ours.count, 1);
    for (const query of [`messageId=${encodeURIComponent(messageId)}`, 'email=ann@example.org']) {
      assert.equal((await get(server, `emails?${query}`, theirs)).json.count, 0);
    }
    assert.equal((await get(server, `emails/${ours.transactionalEmails[0].uuid}`, theirs)).status, 404);
    assert.equal((await remove(server, `log/${encodeURIComponent(messageId)}`, theirs)).status, 404);
    assert.deepEqual((await get(server, 'statistics/events', theirs)).json, { events: [] });
  });
});

describe('GET /v3/smtp/emails/{uuid}', () => {
  test('shows one recipient’s email as it was sent, and what happened to it', async (t) => {
    const { server, transactionalEmails } = await start(t);
    const messageId = await sendOne(server, {
      to: [{ email: 'ann@example.org' }, { email: 'bounced@resend.dev' }],
      subject: 'For {{params.x}}',
      params: { x: 'you' },
      attachment: [{ content: 'YQ==', name: 'a.txt' }],
    });
    await drained(server);
    const { transactionalEmails: entries = [] } = await transactionalEmails.getTransacEmailsList({ messageId });
    const [ann, bounced] = await Promise.all(
      entries.map(({ uuid }) => transactionalEmails.getTransacEmailContent({ uuid })),
    );
    assert.deepEqual(
      [ann?.email, ann?.subject, ann?.body, ann?.attachmentCount, ann?.events?.map(({ name }) => name)],
      ['ann@example.org', 'For you', '<p>Hi</p>', 1, ['sent']],
    );
    assert.deepEqual(
      [bounced?.email, bounced?.events?.map(({ name }) => name)],
      ['bounced@resend.dev', ['hardBounces']],
    );
    for (const uuid of ['nothing', '018f4a5e-0000-7000-8000-000000000000', entries[0]?.uuid.replace(/.$/, 'x')]) {
      assert.equal((await get(server, `emails/${uuid}`)).status, 404, uuid);
    }
  });
});

describe('GET /v3/smtp/statistics/events', () => {
  async function startWithHistory(t: TestContext) {
    const started = await start(t);
    const { server } = started;
    const plain = await sendOne(server, { tags: ['plain', 'x'] });
    await drained(server);
    const bounced = await sendOne(server, { to: [{ email: 'bounced@resend.dev' }], tags: ['b'] });
    await drained(server);
    const several = await sendOne(server, {
      to: [{ email: 'delivered@resend.dev' }, { email: 'complained@resend.dev' }],
      templateId: 1,
    });
    await drained(server);
    return { ...started, plain, bounced, several };
  }

  test('tells every fact about every recipient, newest first', async (t) => {
    const { transactionalEmails, plain, bounced, several } = await startWithHistory(t);
    const { events = [] } = await transactionalEmails.getEmailEventReport({ sort: 'asc' });
    assert.deepEqual(
      events.map(({ messageId, event, email }) => [messageId, event, email]),
      [
        [plain, 'requests', 'ann@example.org'],
        [bounced, 'requests', 'bounced@resend.dev'],
        [bounced, 'hardBounces', 'bounced@resend.dev'],
        [several, 'requests', 'delivered@resend.dev'],
        [several, 'requests', 'complained@resend.dev'],
        ...events.slice(5).map(({ messageId, event, email }) => [messageId, event, email]),
      ],
    );
    assert.deepEqual(
      events
        .slice(5)
        .map(({ event, email }) => `${event} ${email}`)
        .sort(),
      ['delivered complained@resend.dev', 'delivered delivered@resend.dev', 'spam complained@resend.dev'],
    );
    const bounce = events[2];
    assert.deepEqual([bounce?.tag, bounce?.from, bounce?.subject], ['b', 'hello@example.com', 'Hello']);
    const { events: newest = [] } = await transactionalEmails.getEmailEventReport({});
    assert.equal(newest.at(-1)?.messageId, plain);
  });

  test('filters by event, address, tag, message and template, and pages', async (t) => {
    const { server, plain, bounced, several } = await startWithHistory(t);
    const found = async (query: string) => {
      const { json } = await get(server, `statistics/events?sort=asc&${query}`);
      return json.events.map((one: { event: string }) => one.event);
    };
    assert.deepEqual(await found('event=bounces'), ['hardBounces']);
    assert.deepEqual(await found('event=softBounces'), []);
    assert.deepEqual(await found('event=opened'), []);
    assert.deepEqual(await found('event=requests'), ['requests', 'requests', 'requests', 'requests']);
    assert.deepEqual(await found('email=bounced@resend.dev'), ['requests', 'hardBounces']);
    assert.deepEqual(await found(`tags=${encodeURIComponent('["x"]')}`), ['requests']);
    assert.deepEqual(await found('tags=b'), ['requests', 'hardBounces']);
    assert.deepEqual(await found(`messageId=${encodeURIComponent(plain)}`), ['requests']);
    assert.deepEqual(await found(`messageId=${bounced.slice(1, -1)}`), ['requests', 'hardBounces']);
    assert.equal((await found('templateId=1')).length, 5);
    assert.deepEqual(await found('limit=1&offset=2'), ['hardBounces']);
    assert(several);
    for (const query of ['event=lost', 'days=91', 'limit=5001', 'tags=[1]', 'days=2&startDate=2026-01-01']) {
      assert.equal((await get(server, `statistics/events?${query}`)).status, 400, query);
    }
  });

  test('finds today’s event of an email that was accepted long ago', async (t) => {
    const { server } = await start(t);
    const scheduledAt = new Date(Date.now() + 2 * dayMs).toISOString();
    await sendOne(server, { to: [{ email: 'bounced@resend.dev' }], scheduledAt });
    server.clock.advance(2 * dayMs);
    await drained(server);
    await server.until(
      'it bounced',
      async () => (await get(server, 'statistics/events?days=1')).json.events.length > 0,
    );
    const { json } = await get(server, 'statistics/events?days=1');
    assert.deepEqual(
      json.events.map((one: { event: string }) => one.event),
      ['hardBounces'],
    );
  });
});

describe('DELETE /v3/smtp/log', () => {
  test('takes an email out of every list, with its contents; another delete is 404', async (t) => {
    const { server, transactionalEmails } = await start(t);
    const messageId = await sendOne(server);
    const kept = await sendOne(server);
    await drained(server);
    const { transactionalEmails: entries = [] } = await transactionalEmails.getTransacEmailsList({ messageId });
    await transactionalEmails.deleteAnSmtpTransactionalLog({ identifier: messageId });
    const { json } = await get(server, 'emails?email=ann@example.org');
    assert.deepEqual(
      json.transactionalEmails.map((one: { messageId: string }) => one.messageId),
      [kept],
    );
    assert.equal((await get(server, `emails/${entries[0]?.uuid}`)).status, 404);
    const { json: report } = await get(server, 'statistics/events');
    assert.deepEqual(
      report.events.map((one: { messageId: string }) => one.messageId),
      [kept],
    );
    const resend = await server.call('GET', `/emails/${messageId.slice(1, 37)}`);
    assert.deepEqual([resend.json.html, resend.json.text], [null, null]);
    assert.equal((await remove(server, `log/${encodeURIComponent(messageId)}`)).status, 404);
  });

  test('by address leaves the other recipients theirs', async (t) => {
    const { server } = await start(t);
    await sendOne(server, { to: [{ email: 'ann@example.org' }, { email: 'bob@example.org' }] });
    await drained(server);
    assert.equal((await remove(server, 'log/Ann@example.org')).status, 204);
    assert.equal((await get(server, 'emails?email=ann@example.org')).json.count, 0);
    const { json } = await get(server, 'emails?email=bob@example.org');
    assert.equal(json.count, 1);
    assert.equal((await get(server, `emails/${json.transactionalEmails[0].uuid}`)).json.body, '<p>Hi</p>');
    assert.equal((await remove(server, 'log/bob@example.org')).status, 204);
    assert.equal((await remove(server, 'log/bob@example.org')).status, 404);
  });

  test('refuses an email that is not settled yet', async (t) => {
    const { server } = await start(t);
    const messageId = await sendOne(server, { scheduledAt: new Date(Date.now() + dayMs).toISOString() });
    const reply = await remove(server, `log/${encodeURIComponent(messageId)}`);
    assert.deepEqual([reply.status, reply.json.code], [400, 'invalid_parameter']);
    assert.equal((await get(server, `emails?messageId=${encodeURIComponent(messageId)}`)).json.count, 1);
  });
});
