/** A webhook is tried, edited, given another secret, and told again what failed, all on its page. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createSample, sampleTypeOf } from '../../src/page/webhooks/webhook-sample.ts';
import type { Webhook } from '../../src/store/webhooks/webhooks.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { addApiKey } from '../support/served.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';
import { signIn, type Visitor, webhookForm } from './visitor.ts';

describe('a webhook is changed on its page', () => {
  let server: TestServer;
  let visitor: Visitor;
  let receiver: Receiver;
  let path: string;

  before(async () => {
    server = await startTestServer();
    visitor = await signIn(server);
    receiver = await startReceiver(null);
    await visitor.post('/webhooks', webhookForm(`${receiver.url}/hooks`, ['email.delivered', 'email.bounced']));
    path = `/webhooks/${(await known()).id}`;
  });
  after(async () => {
    await server.stop();
    await receiver.close();
  });

  async function known(): Promise<{ id: string; endpoint: string; events: string[] }> {
    return (await server.call('GET', '/webhooks')).json.data[0];
  }

  test('a test event is sent at once, signed as others are, and shows what came back; nothing of it is kept', async () => {
    receiver.behave = () => ({ status: 418, body: 'a teapot' });
    const failed = await visitor.post(`${path}/test`, { event: 'email.bounced' });
    assert.match(failed.text, /Test event: 418[\s\S]*would fail[\s\S]*a teapot/);
    const [told] = receiver.told;
    assert.deepEqual([told?.json.type, told?.json.data.to], ['email.bounced', ['test@example.com']]);
    assert.ok(told?.headers['svix-signature']);
    receiver.behave = () => ({ body: 'ok' });
    assert.match((await visitor.post(`${path}/test`)).text, /Test event: 200[\s\S]*took it/);
    assert.equal(receiver.told[1]?.json.type, 'email.delivered', 'the first it subscribes to');
    assert.match((await visitor.get(path)).text, /No deliveries yet/);
  });

  test('what failed is told again together; rows name recipients, and can be narrowed to a state', async () => {
    receiver.behave = () => ({ status: 503 });
    await visitor.post(`${path}/edit`, webhookForm(`${receiver.url}/hooks`, ['email.delivered']));
    for (const to of ['ann@example.com', 'bob@example.com']) {
      await server.call('POST', '/emails', message({ to: [to], subject: `For ${to}` }));
    }
    const shows = async (text: RegExp, query = '') => text.test((await visitor.get(`${path}${query}`)).text);
    await server.until('both have failed for good', async () => {
      server.clock.advance(6 * 60 * 60_000);
      return shows(/>failed<[\s\S]*>failed</);
    });
    assert.ok(await shows(/ann@example\.com[\s\S]*For ann/, '?show=failed'));
    assert.ok(!(await shows(/ann@example/, '?show=delivered')));
    receiver.behave = () => ({ body: 'ok' });
    const done = await visitor.post(`${path}/replay-failed`);
    assert.equal(done.headers.get('location'), `/dashboard${path}?replayed=2`);
    assert.ok(await shows(/2 failed deliveries are[\s\S]*sent again/, '?replayed=2'));
    await server.until('both are told', () => shows(/>success<[\s\S]*>success</));
    assert.equal((await visitor.post(`${path}/replay-failed`)).headers.get('location'), `/dashboard${path}?replayed=0`);
  });

  test('its endpoint and events are edited in a form that says what is wrong with them', async () => {
    const wrong = await visitor.post(`${path}/edit`, webhookForm('http://10.1.2.3/', 'email.sent'));
    assert.deepEqual([wrong.status, /10\.1\.2\.3 is not on the public internet/.test(wrong.text)], [422, true]);
    assert.match(wrong.text, /value="http:\/\/10\.1\.2\.3\/"/);
    const { endpoint } = await known();
    assert.equal(endpoint, `${receiver.url}/hooks`, 'nothing was changed');
    const events = ['email.sent', 'email.failed'];
    const saved = await visitor.post(`${path}/edit`, webhookForm(`${receiver.url}/new`, events));
    assert.equal(saved.headers.get('location'), `/dashboard${path}?done=changed`);
    const { endpoint: changed, events: names } = await known();
    assert.deepEqual([changed, names], [`${receiver.url}/new`, events]);
  });

  test('a new secret is shown after a question, and the former one signs for a day more', async () => {
    const secret = async () => (await server.call('GET', path)).json.signing_secret as string;
    const before = await secret();
    assert.match((await visitor.post(`${path}/rotate`)).text, /Rotate the signing secret\?/);
    assert.equal(await secret(), before, 'asking changes nothing');
    const { text } = await visitor.post(`${path}/rotate`, { confirmed: 'yes' });
    const now = await secret();
    assert.notEqual(now, before);
    assert.ok(text.includes(now) && text.includes('Requests are signed with the previous secret, too'));
    await visitor.post(`${path}/test`);
    const signed = String(receiver.told.at(-1)?.headers['svix-signature']).split(' ');
    assert.equal(signed.length, 2);
  });

  test('nobody else does any of it, nor anybody to one that is disabled and cannot be replayed', async () => {
    const stranger = await signIn(server, await addApiKey(server, 're_change_stranger', 'another'));
    for (const action of ['edit', 'rotate', 'test', 'replay-failed']) {
      const fields = { ...webhookForm('https://example.com/', 'email.sent'), confirmed: 'yes' };
      assert.equal((await stranger.post(`${path}/${action}`, fields)).status, 404);
      assert.equal((await visitor.post(`${path}/${action}`, { ...fields, token: 'guessed' })).status, 403);
    }
    await visitor.post(`${path}/disable`);
    const refused = await visitor.post(`${path}/replay-failed`);
    assert.deepEqual([refused.status, /Enable it first/.test(refused.text)], [422, true]);
  });
});

test('a sample is of a type the webhook subscribes to, and of a suppression where that is asked for', () => {
  const webhook = { number: 1, account: 'a', facade: 'resend', events: ['email.sent', 'suppression.added'] } as Webhook;
  assert.equal(sampleTypeOf(webhook, 'suppression.added'), 'suppression_added');
  assert.equal(sampleTypeOf(webhook, 'email.bounced'), 'sent');
  assert.equal(sampleTypeOf({ events: ['hardBounce'] }, null), 'delivered', 'Brevo’s words are not offered');
  const { told } = createSample(webhook, 'suppression_added', { id: 'an id', now: 1 });
  assert.ok('suppression' in told.event && told.event.suppression.address === 'test@example.com');
  const came = createSample(webhook, 'received', { id: 'an id', now: 1 }).told;
  assert.ok('received' in came && came.received.to[0] === 'test@example.com');
});
