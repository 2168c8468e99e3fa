/** /webhooks and what hangs below, driven by the official Node SDK, and what malformed requests get. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Resend } from 'resend';
import { Webhook as SvixWebhook } from 'svix';
import { startReceiver } from '../support/receiver.ts';
import { addApiKey, serve } from '../support/served.ts';
import { message, testKey } from '../support/server.ts';
import { send, stage, told } from '../webhook/stage.ts';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const postgresTime = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{0,5}[1-9])?\+00$/;

describe('/webhooks with the Node SDK', () => {
  it('creates, gets, lists, updates and removes', async (t) => {
    const { server } = await serve(t);
    const resend = new Resend(testKey, { baseUrl: server.url });
    const endpoint = 'https://webhook.example.com/handler';
    const created = await resend.webhooks.create({
      endpoint,
      events: ['email.sent', 'email.opened', 'contact.created'],
    });
    assert.deepEqual(Object.keys(created.data ?? {}), ['object', 'id', 'signing_secret']);
    const { id = '', signing_secret = '' } = created.data ?? {};
    assert.match(id, uuid);
    assert.match(signing_secret, /^whsec_[A-Za-z0-9+/]{32}$/);
    const { data } = await resend.webhooks.get(id);
    assert.match(data?.created_at ?? '', postgresTime);
    assert.deepEqual(data, {
      object: 'webhook',
      id,
      created_at: data?.created_at,
      status: 'enabled',
      endpoint,
      events: ['email.sent', 'email.opened', 'contact.created'],
      signing_secret,
    });
    const other = await resend.webhooks.create({ endpoint, events: ['email.bounced'] });
    const list = await resend.webhooks.list();
    assert.deepEqual([list.data?.object, list.data?.has_more], ['list', false]);
    assert.deepEqual(
      list.data?.data.map((one) => [one.id, Object.keys(one).join()]),
      [other.data?.id, id].map((one) => [one, 'id,created_at,status,endpoint,events']),
    );
    const page = await resend.webhooks.list({ limit: 1, after: other.data?.id ?? '' });
    assert.deepEqual([page.data?.data[0]?.id, page.data?.has_more], [id, false]);
    const change = { endpoint: `${endpoint}/2`, events: ['email.failed' as const], status: 'disabled' as const };
    assert.deepEqual((await resend.webhooks.update(id, change)).data, { object: 'webhook', id });
    const changed = (await resend.webhooks.get(id)).data;
    assert.deepEqual(
      {
        endpoint: changed?.endpoint,
        events: changed?.events,
        status: changed?.status,
        secret: changed?.signing_secret,
      },
      { endpoint: change.endpoint, events: change.events, status: 'disabled', secret: signing_secret },
    );
    assert.deepEqual((await resend.webhooks.remove(id)).data, { object: 'webhook', id, deleted: true });
    for (const { error } of [await resend.webhooks.get(id), await resend.webhooks.remove(id)]) {
      assert.deepEqual([error?.statusCode, error?.name, error?.message], [404, 'not_found', 'Webhook not found']);
    }
    await server.tick();
    assert.equal((await resend.webhooks.list()).data?.data.length, 1);
  });

  it('rotates the secret, and for a day both verify what is told', async (t) => {
    const { server, receiver, resend, webhook } = await stage(t, ['email.sent']);
    const rotated = await resend.webhooks.rotateSigningSecret(webhook.id);
    const fresh = rotated.data?.signing_secret ?? '';
    assert.deepEqual(Object.keys(rotated.data ?? {}), ['object', 'id', 'signing_secret']);
    assert.notEqual(fresh, webhook.signing_secret);
    assert.equal((await resend.webhooks.get(webhook.id)).data?.signing_secret, fresh);
    await send(server);
    await receiver.waitFor(1);
    const verify = (secret: string, index: number) => {
      const { body, headers } = receiver.told[index] ?? { body: '', headers: {} };
      return new SvixWebhook(secret).verify(body, headers as Record<string, string>);
    };
    for (const secret of [fresh, webhook.signing_secret]) assert.ok(verify(secret, 0));
    server.clock.advance(24 * 3_600_000);
    await send(server);
    await receiver.waitFor(2);
    const signatures = String(receiver.told[1]?.headers['svix-signature']).split(' ');
    const { body = '', headers = {} } = receiver.told[1] ?? {};
    const at = new Date(Number(headers['svix-timestamp']) * 1_000);
    assert.deepEqual(signatures, [new SvixWebhook(fresh).sign(String(headers['svix-id']), at, body)]);
  });

  it('shows what was told and how each attempt went', async (t) => {
    const { server, receiver, resend, webhook } = await stage(t, ['email.sent', 'email.delivered']);
    receiver.behave = (_, count) => (count === 1 ? { status: 503, body: 'down' } : { body: 'fine' });
    await send(server, { to: 'delivered@resend.dev' });
    await receiver.waitFor(2);
    server.clock.advance(6_000);
    await told(server);
    const webhookId = webhook.id;
    const { data: events } = await resend.webhooks.events.list({ webhookId });
    assert.deepEqual(
      events?.data.map(({ type, status }) => [type, status]),
      [
        ['email.delivered', 'success'],
        ['email.sent', 'success'],
      ],
    );
    assert.match(events?.data[0]?.created_at ?? '', postgresTime);
    const first = await resend.webhooks.events.list({ webhookId, limit: 1 });
    assert.deepEqual([first.data?.data[0]?.type, first.data?.has_more], ['email.delivered', true]);
    const rest = await resend.webhooks.events.list({ webhookId, limit: 1, after: first.data?.data[0]?.id ?? '' });
    assert.deepEqual([rest.data?.data[0]?.type, rest.data?.has_more], ['email.sent', false]);
    const eventId = events?.data[1]?.id ?? '';
    assert.equal(eventId, receiver.told[0]?.headers['svix-id']);
    const { data: event } = await resend.webhooks.events.get({ webhookId, eventId });
    assert.deepEqual(event?.payload, receiver.told[0]?.json);
    const { data: attempts } = await resend.webhooks.events.attempts.list({ webhookId, eventId });
    assert.deepEqual(
      attempts?.data.map(({ http_status_code, response }) => [http_status_code, response]),
      [
        [200, 'fine'],
        [503, 'down'],
      ],
    );
    assert.match(attempts?.data[0]?.sent_at ?? '', postgresTime);
  });

  it("hides another account's on every route, and takes no sending key", async (t) => {
    const { server, receiver, resend, webhook } = await stage(t, ['email.sent']);
    await send(server);
    await receiver.waitFor(1);
    const eventId = String(receiver.told[0]?.headers['svix-id']);
    const other = { authorization: `Bearer ${await addApiKey(server, 're_other', 'other')}` };
    const sending = { authorization: `Bearer ${await addApiKey(server, 're_sending', 'default', 'sending_access')}` };
    const routes: [method: string, path: string, body?: unknown][] = [
      ['GET', ''],
      ['PATCH', '', { status: 'disabled' }],
      ['POST', '/signing-secret/rotate'],
      ['POST', '/replay', {}],
      ['GET', '/events'],
      ['GET', `/events/${eventId}`],
      ['GET', `/events/${eventId}/attempts`],
      ['POST', `/events/${eventId}/replay`],
      ['DELETE', ''],
    ];
    for (const [method, path, body] of routes) {
      const url = `/webhooks/${webhook.id}${path}`;
      assert.equal((await server.call(method, url, body, other)).status, 404, `${method} ${path}`);
      assert.equal((await server.call(method, url, body, sending)).status, 401, `${method} ${path}`);
    }
    assert.deepEqual((await server.call('GET', '/webhooks', undefined, other)).json.data, []);
    const own = await server.call('POST', '/webhooks', { endpoint: receiver.url, events: ['email.sent'] }, other);
    const elsewhere = `/webhooks/${own.json.id}/events/${eventId}`;
    assert.equal((await server.call('GET', elsewhere, undefined, other)).status, 404, 'through a webhook of its own');
    assert.equal((await resend.webhooks.get(webhook.id)).data?.status, 'enabled');
  });

  it('refuses what is malformed, and changes nothing', async (t) => {
    const { server, resend, webhook } = await stage(t, ['email.sent']);
    const good = { endpoint: 'https://example.com/', events: ['email.sent'] };
    const bad: [body: unknown, name: string, says?: RegExp][] = [
      [{ events: good.events }, 'missing_required_field'],
      [{ endpoint: good.endpoint }, 'missing_required_field'],
      [{ ...good, events: [] }, 'missing_required_field'],
      [{ ...good, events: 'email.sent' }, 'validation_error'],
      [{ ...good, events: ['email.sunk'] }, 'validation_error', /email\.sunk/],
      [{ ...good, events: [null] }, 'validation_error'],
      [{ ...good, events: ['constructor'] }, 'validation_error'],
      [{ ...good, endpoint: 'example.com' }, 'validation_error', /http/],
      [{ ...good, endpoint: 5 }, 'validation_error'],
      [{ ...good, endpoint: 'https://user:pass@example.com/' }, 'validation_error'],
      [{ ...good, endpoint: 'http://169.254.169.254/latest' }, 'validation_error', /not on the public internet/],
      [{ ...good, endpoint: 'http://[::1]/' }, 'validation_error', /not on the public internet/],
      ['[]', 'validation_error'],
    ];
    for (const [body, name, says] of bad) {
      const { status, json } = await server.call('POST', '/webhooks', body);
      assert.deepEqual([status, json.name], [422, name], JSON.stringify(body));
      if (says) assert.match(json.message, says);
      if (name === 'missing_required_field' || body === '[]') continue;
      const patched = await server.call('PATCH', `/webhooks/${webhook.id}`, body);
      assert.equal(patched.status, 422, JSON.stringify(body));
    }
    assert.equal((await server.call('PATCH', `/webhooks/${webhook.id}`, { status: 'gone' })).status, 422);
    assert.equal((await server.call('GET', '/webhooks/1')).json.name, 'invalid_parameter');
    assert.equal((await server.call('GET', `/webhooks/${webhook.id}/events/1`)).json.name, 'invalid_parameter');
    assert.equal((await server.call('PUT', '/webhooks')).status, 405);
    assert.deepEqual(
      (await resend.webhooks.list()).data?.data.map(({ id, status }) => [id, status]),
      [[webhook.id, 'enabled']],
    );
  });

  it('makes at most forty', async (t) => {
    const { server } = await serve(t);
    const create = () => server.call('POST', '/webhooks', { endpoint: 'https://example.com/', events: ['email.sent'] });
    for (let count = 0; count < 40; count += 1) assert.equal((await create()).status, 201);
    const { status, json } = await create();
    assert.deepEqual([status, json.name], [422, 'validation_error']);
    assert.match(json.message, /at most 40/);
    const [first] = (await server.call('GET', '/webhooks')).json.data;
    await server.call('DELETE', `/webhooks/${first.id}`);
    assert.equal((await create()).status, 201);
  });
});

describe('GET /emails/:id/events', () => {
  it('lists what happened to an email, in order, with whom it is about and why', async (t) => {
    const { server, sink } = await serve(t);
    await server.call('POST', '/suppressions', { email: 'no@x.test' });
    sink.behave = ({ transaction }) => (transaction === 1 ? { rcpt: () => '450 4.2.1 later' } : {});
    const { json } = await server.call('POST', '/emails', message({ to: ['no@x.test', 'a@x.test'] }));
    await sink.until(() => sink.commands.some((line) => line.startsWith('RCPT')));
    server.clock.advance(2_000);
    await server.until(
      'it is sent',
      async () => (await server.call('GET', `/emails/${json.id}`)).json.last_event === 'sent',
    );
    const { json: list } = await server.call('GET', `/emails/${json.id}/events`);
    assert.deepEqual([list.object, list.has_more], ['list', false]);
    assert.deepEqual(
      list.data.map((one: Record<string, unknown>) => [one.type, one.recipients, one.reply, one.origin]),
      [
        ['queued', [], undefined, undefined],
        ['suppressed', ['no@x.test'], 'Not sent: this address was put on the suppression list.', 'manual'],
        ['delivery_delayed', ['a@x.test'], '450 4.2.1 later', undefined],
        ['sent', ['a@x.test'], list.data[3].reply, undefined],
      ],
    );
    for (const one of list.data) assert.match(one.created_at, postgresTime);
  });

  it('tells of a schedule, of its change and of the cancel', async (t) => {
    const { server } = await serve(t);
    const { json } = await server.call('POST', '/emails', message({ scheduled_at: 'in 1 hour' }));
    await server.call('PATCH', `/emails/${json.id}`, { scheduled_at: 'in 2 hours' });
    await server.call('POST', `/emails/${json.id}/cancel`);
    const { json: list } = await server.call('GET', `/emails/${json.id}/events`);
    assert.deepEqual(
      list.data.map((one: { type: string }) => one.type),
      ['queued', 'scheduled', 'scheduled', 'canceled'],
    );
    assert.match(list.data[2].scheduled_at, postgresTime);
    const other = { authorization: `Bearer ${await addApiKey(server, 're_other', 'other')}` };
    assert.equal((await server.call('GET', `/emails/${json.id}/events`, undefined, other)).status, 404);
    assert.equal((await server.call('GET', '/emails/1/events')).status, 422);
  });
});

describe('a receiver', () => {
  it('that is not there is told later, and mail goes on meanwhile', async (t) => {
    const gone = await startReceiver(null);
    await gone.close();
    const { server, sink } = await serve(t);
    await server.call('POST', '/webhooks', { endpoint: gone.url, events: ['email.sent'] });
    await send(server);
    await sink.waitFor(1);
    await server.until('an attempt has failed', async () =>
      (await server.call('GET', '/metrics')).text.includes('sendonce_webhook_attempts_total{outcome="unreachable"} 1'),
    );
    const back = await startReceiver(t, { port: Number(new URL(gone.url).port) });
    server.clock.advance(6_000);
    await server.tick();
    await back.waitFor(1);
  });
});
