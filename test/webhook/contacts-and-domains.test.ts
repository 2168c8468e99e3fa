/** What webhooks are told of contacts and domains, in the words of each contract: once, and where one asks for it. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { BrevoClient } from '@getbrevo/brevo';
import { Resend } from 'resend';
import { heardAtOnce } from '../accounts/operator.ts';
import { openDatabase } from '../support/engine.ts';
import { type Receiver, startReceiver, typesTold } from '../support/receiver.ts';
import { startTestServer, type TestServer, testKey } from '../support/server.ts';
import { told, type WebhookName } from './stage.ts';

let server: TestServer;
let receiver: Receiver;
let resend: Resend;
const zone = new Map<string, string[]>();

before(async () => {
  receiver = await startReceiver(null);
  const outside = { findTexts: async (name: string) => zone.get(name) ?? [] };
  server = await startTestServer({ ...heardAtOnce, outside });
  resend = new Resend(testKey, { baseUrl: server.url });
});
after(async () => {
  await server.stop();
  await receiver.close();
});

/** What the endpoint is told of the work, which is so much, and of nothing before it. */
/** Each telling once: where the clock goes a day ahead while one is under way, its lease is over, and it is told again under its id. */
async function toldOf(endpoint: string, count: number, work: () => Promise<unknown>) {
  const earlier = receiver.told.length;
  const since = () => {
    const told = receiver.told.slice(earlier).filter(({ path }) => path === endpoint);
    return [...new Map(told.map((one) => [one.headers['svix-id'] ?? one, one])).values()];
  };
  await work();
  await receiver.until(() => since().length >= count);
  await told(server);
  return since();
}

async function subscribe(path: string, events: WebhookName[]): Promise<void> {
  const { error } = await resend.webhooks.create({ endpoint: `${receiver.url}${path}`, events });
  assert.equal(error, null);
}

const brevo = (method: string, path: string, body?: unknown) => server.call(method, `/v3${path}`, body);

describe('webhooks of contacts and domains', () => {
  it('hear of contacts in Resend’s words, with what they were then, and nothing of what changes nothing', async () => {
    await server.call('POST', '/contacts', { email: 'earlier@x.test' });
    await subscribe('/resend', ['contact.created', 'contact.updated', 'contact.deleted']);
    const { data: segment } = await resend.segments.create({ name: 'News' });
    const all = await toldOf('/resend', 4, async () => {
      await resend.contacts.create({ email: 'ann@x.test', firstName: 'Ann' });
      await resend.contacts.create({ email: 'ann@x.test', firstName: 'Ann' });
      await resend.contacts.segments.add({ email: 'ann@x.test', segmentId: segment?.id ?? '' });
      await resend.contacts.update({ email: 'ann@x.test', unsubscribed: true });
      await resend.contacts.remove({ email: 'ann@x.test' });
    });
    assert.deepEqual(
      all.map(({ json }) => [json.type, json.data.unsubscribed, json.data.segment_ids]),
      [
        ['contact.created', false, []],
        ['contact.updated', false, [segment?.id]],
        ['contact.updated', true, [segment?.id]],
        ['contact.deleted', true, [segment?.id]],
      ],
    );
    const { data } = all[0]?.json ?? {};
    assert.deepEqual(data, { ...data, email: 'ann@x.test', first_name: 'Ann', last_name: null, audience_id: '' });
    assert.deepEqual(Object.keys(data).sort(), [
      'audience_id',
      'created_at',
      'email',
      'first_name',
      'id',
      'last_name',
      'segment_ids',
      'unsubscribed',
      'updated_at',
    ]);
    assert.equal(new Set(all.map(({ headers }) => headers['svix-id'])).size, 4, 'each has an id of its own');
  });

  it('hear of contacts in Brevo’s words where they are marketing’s, whichever API changed them', async () => {
    const url = `${receiver.url}/brevo`;
    const events = ['listAddition', 'contactUpdated', 'contactDeleted', 'opened'];
    const refused = await brevo('POST', '/webhooks', { url, events });
    assert.equal(refused.status, 400, 'a transactional webhook has no such events');
    const made = await brevo('POST', '/webhooks', { url, events, type: 'marketing' });
    assert.equal(made.status, 201, made.text);
    const { json: list } = await brevo('POST', '/contacts/lists', { name: 'Offers', folderId: 1 });
    const all = await toldOf('/brevo', 3, async () => {
      await brevo('POST', '/contacts', { email: 'ben@x.test', listIds: [list.id], attributes: { FIRSTNAME: 'Ben' } });
      await resend.contacts.update({ email: 'ben@x.test', lastName: 'Bold' });
      await brevo('DELETE', '/contacts/ben@x.test');
    });
    const shown = all.map(({ json: { date, ts, key, ...rest } }) => rest);
    const common = { id: made.json.id, email: 'ben@x.test' };
    assert.deepEqual(shown, [
      { ...common, event: 'list_addition', list_id: [list.id] },
      { ...common, event: 'contact_updated', content: [{ FIRSTNAME: 'Ben', LASTNAME: 'Bold' }] },
      { ...common, event: 'contact_deleted' },
    ]);
    const { json } = await brevo('GET', '/webhooks?type=marketing');
    assert.deepEqual(
      json.webhooks.map((one: { id: number; type: string }) => [one.id, one.type]),
      [[made.json.id, 'marketing']],
    );
    assert.deepEqual((await brevo('GET', '/webhooks?type=transactional')).json.webhooks, []);
  });

  it('are exported as a table, whose link is told elsewhere and works without a key', async () => {
    const client = new BrevoClient({ apiKey: testKey, baseUrl: `${server.url}/v3`, maxRetries: 0 });
    const notifyURL = `${receiver.url}/export`;
    const [first] = await toldOf('/export', 1, async () => {
      const wanted = { event: 'allEvents', type: 'marketing', notifyURL, sort: 'asc' } as const;
      const { processId } = await client.webhooks.exportWebhooksHistory(wanted);
      assert.equal(typeof processId, 'number');
    });
    const path = (url: string) => url.slice(new URL(url).origin.length);
    const { url } = first?.json ?? {};
    const read = (query: string) => server.call('GET', query, undefined, { authorization: '' });
    const { status, text } = await read(path(url));
    assert.equal(status, 200);
    const [head = '', ...rows] = text.trim().split('\r\n');
    assert.equal(head, 'date,webhook_id,event,email,message-id,subject,tags,reason,status');
    assert.deepEqual(
      rows.map((row) => row.split(',').filter((_, index) => [2, 3, 8].includes(index))),
      ['list_addition', 'contact_updated', 'contact_deleted'].map((event) => [event, 'ben@x.test', 'delivered']),
    );
    assert.equal((await read(path(url).replace('marketing', 'transactional'))).status, 404, 'it was not signed so');
    const [second] = await toldOf('/export', 1, () =>
      brevo('POST', '/webhooks/export', { event: 'spam', type: 'marketing', notifyURL, days: 2 }),
    );
    assert.equal((await read(path(second?.json.url))).text, `${head}\r\n`);
    for (const change of [
      { event: 'sent' },
      { notifyURL: 'ftp://x.test/' },
      { type: 'sms' },
      { startDate: '2026-01-01' },
    ]) {
      const wanted = { event: 'spam', type: 'marketing', notifyURL, ...change };
      assert.equal((await brevo('POST', '/webhooks/export', wanted)).status, 400, JSON.stringify(change));
    }
  });

  it('hear of domains: made, each new status, and gone', async () => {
    await subscribe('/domains', ['domain.created', 'domain.updated', 'domain.deleted']);
    const all = await toldOf('/domains', 5, async () => {
      const { data: made } = await resend.domains.create({ name: 'told.test' });
      const id = made?.id ?? '';
      await resend.domains.verify(id);
      await server.tick();
      for (const { name, value } of made?.records ?? []) zone.set(name, [value]);
      server.clock.advance(61_000);
      await server.tick();
      server.clock.advance(86_401_000);
      await server.tick();
      await resend.domains.remove(id);
    });
    assert.deepEqual(
      all.map(({ json }) => [json.type, json.data.status, json.data.records[0].status]),
      [
        ['domain.created', 'not_started', 'not_started'],
        ['domain.updated', 'pending', 'pending'],
        ['domain.updated', 'pending', 'pending'],
        ['domain.updated', 'verified', 'verified'],
        ['domain.deleted', 'verified', 'verified'],
      ],
    );
    const { data } = all[0]?.json ?? {};
    assert.deepEqual(Object.keys(data), ['id', 'name', 'status', 'created_at', 'region', 'records']);
    assert.deepEqual([data.name, data.records[0].record], ['told.test', 'DKIM']);
  });

  it('leave no trace of contacts where nobody asks', async () => {
    const webhooks = (await resend.webhooks.list()).data?.data ?? [];
    for (const { id } of webhooks) await resend.webhooks.remove(id);
    for (const { id } of (await brevo('GET', '/webhooks')).json.webhooks) await brevo('DELETE', `/webhooks/${id}`);
    const database = await openDatabase(server.databaseUrl);
    try {
      const count = async () => (await database.all("select id from events where type like 'contact%'")).length;
      const earlier = await count();
      assert.equal((await toldOf('/resend', 0, () => resend.contacts.create({ email: 'cem@x.test' }))).length, 0);
      assert.equal(await count(), earlier);
    } finally {
      await database.close();
    }
    assert.equal(typesTold(receiver).includes('contact.created'), true);
  });
});
