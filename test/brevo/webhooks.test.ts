/** /v3/webhooks driven by Brevo's official packages, and what endpoints are told in Brevo's words. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { BrevoClient } from '@getbrevo/brevo';
import { WebhooksApi, WebhooksApiApiKeys } from 'brevo-2';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { addApiKey, type Served, serve } from '../support/served.ts';
import { testKey } from '../support/server.ts';
import { told } from '../webhook/stage.ts';
import { asBrevo, mail, send } from './brevo.ts';

type Stage = Served & { brevo: BrevoClient; receiver: Receiver };

async function stage(t: TestContext): Promise<Stage> {
  const receiver = await startReceiver(t);
  const served = await serve(t);
  const brevo = new BrevoClient({ apiKey: testKey, baseUrl: `${served.server.url}/v3`, maxRetries: 0 });
  return { ...served, brevo, receiver };
}

const everything = ['request', 'delivered', 'hardBounce', 'softBounce', 'blocked', 'spam', 'deferred'] as const;

describe('/v3/webhooks with the official package', () => {
  it('creates, lists, gets, updates and deletes', async (t) => {
    const { brevo, server } = await stage(t);
    const url = 'https://hooks.example.com/brevo';
    const { id } = await brevo.webhooks.createWebhook({
      url,
      description: 'All of it',
      events: [...everything, 'opened'],
      auth: { type: 'bearer', token: 'secret' },
      headers: [{ key: 'cf-secret', value: 'v' }],
      batched: true,
    });
    assert.equal(typeof id, 'number');
    const found = await brevo.webhooks.getWebhook({ webhookId: id });
    assert.match(found.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(found, {
      id,
      url,
      description: 'All of it',
      events: [...everything, 'opened'],
      type: 'transactional',
      channel: 'email',
      batched: true,
      auth: { type: 'bearer', token: 'secret' },
      headers: [{ key: 'cf-secret', value: 'v' }],
      createdAt: found.createdAt,
      modifiedAt: found.createdAt,
    });
    const other = await brevo.webhooks.createWebhook({ url, events: ['delivered'] });
    const { webhooks } = await brevo.webhooks.getWebhooks();
    assert.deepEqual(
      webhooks.map((one) => one.id),
      [other.id, id],
    );
    const oldest = await brevo.webhooks.getWebhooks({ sort: 'asc', type: 'transactional' });
    assert.deepEqual(
      oldest.webhooks.map((one) => one.id),
      [id, other.id],
    );
    await brevo.webhooks.updateWebhook({ webhookId: id, events: ['spam'], batched: false, description: 'Less' });
    const changed = await brevo.webhooks.getWebhook({ webhookId: id });
    assert.deepEqual(
      [changed.events, changed.batched, changed.description, changed.auth?.token, changed.url],
      [['spam'], false, 'Less', 'secret', url],
    );
    await brevo.webhooks.deleteWebhook({ webhookId: id });
    await assert.rejects(brevo.webhooks.getWebhook({ webhookId: id }), { statusCode: 404 });
    await assert.rejects(brevo.webhooks.deleteWebhook({ webhookId: id }), { statusCode: 404 });
    // Neither facade shows the other's.
    assert.deepEqual((await server.call('GET', '/webhooks')).json.data, []);
  });

  it('works with the package of the second generation', async (t) => {
    const { server } = await stage(t);
    const api = new WebhooksApi(`${server.url}/v3`);
    api.setApiKey(WebhooksApiApiKeys.apiKey, testKey);
    const { body } = await api.createWebhook({ url: 'https://example.com/', events: ['hardBounce' as never] });
    const found = await api.getWebhook(body.id);
    assert.deepEqual([found.body.id, found.body.events], [body.id, ['hardBounce']]);
    assert.equal((await api.deleteWebhook(body.id)).response.statusCode, 204);
  });

  it("hides another account's", async (t) => {
    const { brevo, server } = await stage(t);
    const { id } = await brevo.webhooks.createWebhook({ url: 'https://example.com/', events: ['delivered'] });
    const headers = asBrevo({ 'api-key': await addApiKey(server, 'xkeysib-other', 'other') });
    for (const [method, body] of [['GET'], ['PUT', {}], ['DELETE']] as const) {
      assert.equal((await server.call(method, `/v3/webhooks/${id}`, body, headers)).status, 404, method);
    }
    assert.deepEqual((await server.call('GET', '/v3/webhooks', undefined, headers)).json, { webhooks: [] });
  });

  it('refuses what is malformed', async (t) => {
    const { server } = await stage(t);
    const good = { url: 'https://example.com/', events: ['delivered'] };
    const bad: [body: unknown, code: string][] = [
      [{ events: good.events }, 'missing_parameter'],
      [{ url: good.url }, 'missing_parameter'],
      [{ ...good, events: [] }, 'invalid_parameter'],
      [{ ...good, events: ['hard_bounce'] }, 'invalid_parameter'],
      [{ ...good, events: ['listAddition'] }, 'invalid_parameter'],
      [{ ...good, url: 'ftp://example.com/' }, 'invalid_parameter'],
      [{ ...good, url: `http://u:p@example.com/${'x'.repeat(9_000)}` }, 'invalid_parameter'],
      [{ ...good, url: 'http://u:p@10.0.0.1/' }, 'invalid_parameter'],
      [{ ...good, type: 'inbound' }, 'invalid_parameter'],
      [{ ...good, channel: 'sms' }, 'invalid_parameter'],
      [{ ...good, batched: 'yes' }, 'invalid_parameter'],
      [{ ...good, auth: { type: 'digest', token: 'x' } }, 'invalid_parameter'],
      [{ ...good, auth: { type: 'bearer' } }, 'invalid_parameter'],
      [{ ...good, auth: { type: 'bearer', token: 'a\r\nb: c' } }, 'invalid_parameter'],
      [{ ...good, headers: [{ key: 'a b', value: 'c' }] }, 'invalid_parameter'],
      [{ ...good, headers: [{ key: 'Host', value: 'c' }] }, 'invalid_parameter'],
      [{ ...good, headers: [{ key: 'x', value: 'a\nb' }] }, 'invalid_parameter'],
      [{ ...good, headers: [{ key: 'x', value: '💌' }] }, 'invalid_parameter'],
      [{ ...good, headers: { x: 'y' } }, 'invalid_parameter'],
      [[], 'invalid_parameter'],
    ];
    for (const [body, code] of bad) {
      const { status, json } = await server.call('POST', '/v3/webhooks', body, asBrevo());
      assert.deepEqual([status, json.code], [400, code], JSON.stringify(body).slice(0, 80));
    }
    assert.deepEqual((await server.call('GET', '/v3/webhooks', undefined, asBrevo())).json, { webhooks: [] });
    for (let count = 0; count < 40; count += 1) {
      assert.equal((await server.call('POST', '/v3/webhooks', good, asBrevo())).status, 201);
    }
    assert.equal((await server.call('POST', '/v3/webhooks', good, asBrevo())).status, 400);
  });
});

describe('an endpoint of Brevo', () => {
  it('is told one recipient at a time, in the words of the payload', async (t) => {
    const { brevo, receiver, server } = await stage(t);
    const { id } = await brevo.webhooks.createWebhook({ url: `${receiver.url}/hook`, events: ['sent', 'request'] });
    const { json } = await send(
      server,
      mail({
        to: [{ email: 'ann@example.org' }, { email: 'bob@example.org' }],
        tags: ['tag1', 'tag2'],
        headers: { 'X-Mailin-custom': 'order:7' },
      }),
    );
    await told(server);
    assert.deepEqual(receiver.told.map((one) => one.json.email).sort(), ['ann@example.org', 'bob@example.org']);
    const [first] = receiver.told;
    const payload = first?.json;
    assert.deepEqual(payload, {
      id,
      email: payload.email,
      'message-id': json.messageId,
      date: new Date(payload.ts_epoch).toISOString().slice(0, 19).replace('T', ' '),
      tags: ['tag1', 'tag2'],
      tag: '["tag1","tag2"]',
      event: 'request',
      subject: 'Hello',
      sending_ip: '',
      ts_event: Math.floor(payload.ts_epoch / 1_000),
      ts: Math.floor(payload.ts_epoch / 1_000),
      ts_epoch: payload.ts_epoch,
      reason: 'sent',
      'X-Mailin-custom': 'order:7',
    });
    assert.equal(first?.headers['content-type'], 'application/json');
    assert.equal(first?.headers['svix-id'], undefined);
  });

  it('hears its own vocabulary of bounces, delays and blocks, with the reason of each recipient', async (t) => {
    const { brevo, receiver, server, sink } = await stage(t);
    await brevo.webhooks.createWebhook({ url: receiver.url, events: [...everything] });
    const replies: Record<string, string> = {
      'gone@x.test': '550 5.1.1 nobody',
      'policy@x.test': '554 5.7.1 no',
      'later@x.test': '450 4.2.1 busy',
    };
    sink.behave = () => ({ rcpt: (address) => replies[address] });
    await send(server, mail({ to: Object.keys(replies).map((email) => ({ email })) }));
    await receiver.waitFor(3);
    assert.deepEqual(receiver.told.map(({ json }) => [json.email, json.event, json.reason]).sort(), [
      ['gone@x.test', 'hard_bounce', '550 5.1.1 nobody'],
      ['later@x.test', 'deferred', '450 4.2.1 busy'],
      ['policy@x.test', 'hard_bounce', '554 5.7.1 no'],
    ]);
    await send(server, mail({ to: [{ email: 'gone@x.test' }] }));
    await receiver.waitFor(4);
    assert.equal(receiver.told[3]?.json.event, 'blocked');
    // Three days later the relay still has no room for the last one.
    server.clock.advance(73 * 3_600_000);
    await server.tick();
    await receiver.until(() => receiver.told.some(({ json }) => json.event === 'soft_bounce'));
    await send(server, mail({ to: [{ email: 'complained@resend.dev' }] }));
    await receiver.until(() => receiver.told.some(({ json }) => json.event === 'complaint'));
  });

  it('is told under the authentication and the headers it asked for', async (t) => {
    const { brevo, receiver, server } = await stage(t);
    const create = (change: object) =>
      brevo.webhooks.createWebhook({ url: receiver.url, events: ['request'], ...change });
    await create({ auth: { type: 'bearer', token: 'abc' }, headers: [{ key: 'Cf-Secret', value: 'xyz' }] });
    await create({ auth: { type: 'basic', token: 'dTpw' } });
    await create({ url: receiver.url.replace('http://', 'http://user:p%40ss@') });
    await send(server, mail());
    await told(server);
    const seen = receiver.told.map(({ headers }) => [headers.authorization, headers['cf-secret']]);
    assert.deepEqual(seen.sort(), [
      ['Basic dTpw', undefined],
      [`Basic ${Buffer.from('user:p@ss').toString('base64')}`, undefined],
      ['Bearer abc', 'xyz'],
    ]);
  });

  it('with `batched` is told many at once, as an array, and all of it again after a failure', async (t) => {
    const { brevo, receiver, server } = await stage(t);
    await brevo.webhooks.createWebhook({ url: receiver.url, events: ['request'], batched: true });
    receiver.behave = (_, count) => (count === 1 ? { status: 500 } : {});
    const to = Array.from({ length: 30 }, (_, index) => ({ email: `r${index}@example.org` }));
    await send(server, mail({ to }));
    await server.until('the failure is recorded', async () =>
      (await server.call('GET', '/metrics')).text.includes('sendonce_webhooks{state="failing"} 1'),
    );
    server.clock.advance(6_000);
    await server.tick();
    await told(server);
    assert.ok(receiver.told.every(({ json }) => Array.isArray(json)));
    const [failed, ...rest] = receiver.told.map(({ json }) => json.map((one: { email: string }) => one.email));
    assert.ok(failed.length > 1);
    assert.deepEqual(rest.flat().sort(), to.map(({ email }) => email).sort());
  });
});
