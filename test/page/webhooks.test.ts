/** Webhooks made, disabled, enabled and deleted on the page: the same as through the API, with problems said in the form. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startReceiver } from '../support/receiver.ts';
import { addApiKey } from '../support/served.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';
import { createVisitor, signIn, type Visitor, webhookForm } from './visitor.ts';

describe('webhooks on the page', () => {
  let server: TestServer;
  let visitor: Visitor;

  before(async () => {
    server = await startTestServer();
    visitor = await signIn(server);
  });
  after(() => server.stop());

  async function list(): Promise<{ id: string; endpoint: string; status: string; events: string[] }[]> {
    return (await server.call('GET', '/webhooks')).json.data;
  }

  test('one is added by a form, shows the secret the API shows, is told, stops when disabled, and is deleted', async (t) => {
    const receiver = await startReceiver(t);
    const events = ['email.delivered', 'email.bounced'];
    const made = await visitor.post('/webhooks', webhookForm(` ${receiver.url}/hooks `, events));
    assert.equal(made.status, 303);
    const [known] = await list();
    assert.deepEqual([known?.endpoint, known?.status, known?.events], [`${receiver.url}/hooks`, 'enabled', events]);
    const path = `/webhooks/${known?.id}`;
    assert.equal(made.headers.get('location'), `/dashboard${path}?done=made`);

    const { signing_secret: secret } = (await server.call('GET', path)).json;
    const first = (await visitor.get(`${path}?done=made`)).text;
    assert.match(first, /<details open[^>]*>[\s\S]*<\/details>/);
    for (const text of [first, (await visitor.get(path)).text]) assert.ok(text.includes(secret));
    assert.doesNotMatch((await visitor.get(path)).text, /<details open/);
    server.clock.advance(31_000);
    assert.doesNotMatch((await visitor.get(`${path}?done=made`)).text, /<details open/, 'a later visit');
    assert.ok(!(await visitor.get('/webhooks')).text.includes(secret));

    await server.call('POST', '/emails', message());
    await receiver.waitFor(1);
    assert.equal(receiver.told[0]?.json.type, 'email.delivered');

    assert.equal((await visitor.post(`${path}/disable`)).status, 303);
    assert.equal((await list())[0]?.status, 'disabled');
    assert.match((await visitor.get(path)).text, />\s*Enable\s*</);
    const { id } = (await server.call('POST', '/emails', message())).json;
    await server.until('it is delivered', async () => {
      return (await server.call('GET', `/emails/${id}`)).json.last_event === 'delivered';
    });
    assert.equal((await visitor.post(`${path}/enable`)).status, 303);
    assert.equal((await list())[0]?.status, 'enabled');
    await server.call('POST', '/emails', message({ subject: 'Told again' }));
    await receiver.waitFor(2);
    assert.equal(receiver.told[1]?.json.data.subject, 'Told again', 'what happened meanwhile is not told');

    const deleted = await visitor.post(`${path}/delete`);
    assert.equal(deleted.headers.get('location'), '/dashboard/webhooks?done=deleted');
    assert.deepEqual([await list(), (await visitor.get(path)).status], [[], 404]);
  });

  test('the same form makes one, however often it is sent; what was changed in it, or deleted since, is said', async () => {
    const keyIn = ({ text }: { text: string }) => /name="key" value="([^"]+)"/.exec(text)?.[1] ?? '';
    const key = keyIn(await visitor.get('/webhooks'));
    const fields = { key, endpoint: 'https://example.com/once', events: ['email.sent', 'email.failed'] };
    const { cookie } = visitor;
    const token = /name="token" value="([^"]+)"/.exec((await visitor.get('/idempotency')).text)?.[1] ?? '';
    const click = () => createVisitor(server, cookie).post('/webhooks', { ...fields, token });
    const clicks = [...(await Promise.all([click(), click()])), await click()];
    const [place] = clicks.map(({ headers }) => headers.get('location'));
    for (const { status, headers } of clicks) assert.deepEqual([status, headers.get('location')], [303, place]);
    assert.deepEqual(
      (await list()).map(({ endpoint }) => endpoint),
      ['https://example.com/once'],
    );

    const other = { ...fields, endpoint: 'https://example.com/other' };
    const changed = await visitor.post('/webhooks', other);
    assert.equal(changed.status, 422);
    assert.match(changed.text, /already submitted with different values/);
    const stranger = await signIn(server, await addApiKey(server, 're_same_form', 'third'));
    assert.equal((await stranger.post('/webhooks', fields)).status, 422);
    assert.equal((await visitor.post('/webhooks', { ...other, key: '' })).status, 422);
    assert.equal((await list()).length, 1);
    // The control: a page that was loaded anew has another key.
    assert.equal(
      (await visitor.post('/webhooks', { ...other, key: keyIn(await visitor.get('/webhooks')) })).status,
      303,
    );
    assert.equal((await list()).length, 2);

    for (const { id } of await list()) assert.equal((await visitor.post(`/webhooks/${id}/delete`)).status, 303);
    const late = await visitor.post('/webhooks', fields);
    assert.equal(late.status, 422);
    assert.match(late.text, /is gone/);
    assert.deepEqual(await list(), []);
  });

  test('a form makes no second webhook when the deleted one has been forgotten, and may after thirty days', async (t) => {
    const own = await startTestServer();
    t.after(() => own.stop());
    const fields = webhookForm('https://example.com/once', 'email.sent');
    const send = async () => (await signIn(own)).post('/webhooks', fields);
    const made = await send();
    assert.equal(made.status, 303);
    const place = made.headers.get('location')?.replace(/^\/dashboard|\?.*$/g, '');
    assert.equal((await (await signIn(own)).post(`${place}/delete`)).status, 303);
    // What it was told goes with the first round, and the webhook with what it was told.
    for (let round = 0; round < 2; round++) await own.tick();
    own.clock.advance(29 * 24 * 3_600_000);
    await own.tick();
    const late = await send();
    assert.equal(late.status, 422);
    assert.match(late.text, /is gone/);
    // The control: nothing but the memory of its id kept the form from it.
    own.clock.advance(2 * 24 * 3_600_000);
    await own.tick();
    assert.equal((await send()).status, 303);
  });

  test('what is wrong with the form is said in it, in plain words, and what was filled in stays', async () => {
    const events = ['email.sent', 'email.failed'];
    const problems: [fields: Record<string, string | string[]>, said: RegExp][] = [
      [{ endpoint: 'http://10.1.2.3/hooks', events }, /10\.1\.2\.3 is not on the public internet[^<]*EGRESS_ALLOW/],
      [{ endpoint: 'http://[::1]:80/', events }, /::1 is not on the public internet/],
      [{ endpoint: 'ftp://example.com/', events }, /http/],
      [{ endpoint: '', events }, /Enter an endpoint URL/],
      [{ endpoint: 'https://example.com/hooks' }, /Choose at least one event/],
      [{ endpoint: 'https://example.com/hooks', events: ['email.vanished'] }, /email\.vanished/],
    ];
    for (const [fields, said] of problems) {
      const { status, text } = await visitor.post('/webhooks', { ...webhookForm(''), ...fields });
      const [, problem = ''] = /role="alert">([\s\S]*?)<\/div>/.exec(text) ?? [];
      assert.deepEqual([status, said.test(problem), problem.includes('`')], [422, true, false], problem);
      assert.ok(text.includes(`value="${fields.endpoint}"`), 'the endpoint stays');
      const ticked = [...text.matchAll(/value="(email\.\w+)" checked/g)].map(([, name]) => name);
      assert.deepEqual(ticked, fields.events === events ? events : []);
    }
    assert.deepEqual(await list(), []);
  });

  test('one that somebody disabled is not said to have been disabled because it failed; one that was, is', async (t) => {
    const receiver = await startReceiver(t);
    receiver.behave = () => ({ status: 503 });
    await visitor.post('/webhooks', webhookForm(`${receiver.url}/hooks`, 'email.delivered'));
    const path = `/webhooks/${(await list())[0]?.id}`;
    const shows = async (text: RegExp) => text.test((await visitor.get(path)).text);
    await server.call('POST', '/emails', message());
    await server.until('it fails', () => shows(/Failing since[\s\S]*retried automatically/));
    assert.equal((await visitor.post(`${path}/disable`)).status, 303);
    assert.match((await visitor.get(path)).text, /<span class="state tone-muted">disabled</);
    assert.equal(await shows(/Failing since/), false);

    receiver.behave = () => ({ body: 'mended' });
    const enabled = await visitor.post(`${path}/enable`);
    const { text } = await visitor.get(enabled.headers.get('location')?.replace('/dashboard', '') ?? '');
    assert.match(text, /events that were still pending when it was disabled/);
    server.clock.advance(10 * 60_000);
    await server.until('what waited is told', () => shows(/state tone-good">success</));

    receiver.behave = () => ({ status: 503 });
    await server.call('POST', '/emails', message());
    await server.until('it fails again', () => shows(/Failing since/));
    for (let day = 0; day < 6; day++) {
      server.clock.advance(24 * 60 * 60_000);
      await server.call('POST', '/emails', message());
      await server.until('the day is over', () => shows(/Failing since/));
      await server.tick();
    }
    await server.until('it is given up', async () => {
      server.clock.advance(60 * 60_000);
      return shows(/It was disabled: fix the endpoint/);
    });
    assert.match((await visitor.get(path)).text, /<span class="state tone-bad">disabled</);
    await visitor.post(`${path}/delete`);
  });

  test('no more are added than the API allows', async () => {
    const form = () => webhookForm('https://example.com/hooks', 'email.sent');
    for (let count = 1; (await visitor.post('/webhooks', form())).status === 303; count++) assert.ok(count < 200);
    const refused = await visitor.post('/webhooks', form());
    assert.match(refused.text, /An account can have at most \d+ webhooks/);
    for (const { id } of await list()) assert.equal((await visitor.post(`/webhooks/${id}/delete`)).status, 303);
  });

  test('nobody changes another account’s, nor any without the token of a session', async () => {
    const { id } = (
      await server.call('POST', '/webhooks', { endpoint: 'https://example.com/ours', events: ['email.sent'] })
    ).json;
    const stranger = await signIn(server, await addApiKey(server, 're_hook_stranger', 'another'));
    for (const action of ['disable', 'enable', 'delete']) {
      assert.equal((await stranger.post(`/webhooks/${id}/${action}`)).status, 404);
      assert.equal((await visitor.post(`/webhooks/${id}/${action}`, { token: 'guessed' })).status, 403);
    }
    const fields = webhookForm('https://example.com/forged', 'email.sent');
    assert.equal((await visitor.post('/webhooks', { ...fields, token: '' })).status, 403);
    assert.equal((await visitor.post('/webhooks', fields, { origin: 'https://evil.example' })).status, 403);
    assert.deepEqual(
      (await list()).map(({ endpoint, status }) => [endpoint, status]),
      [['https://example.com/ours', 'enabled']],
    );
  });

  test('one of Brevo’s is disabled and deleted there, too, and shows no secret, since it has none', async () => {
    const made = await server.call('POST', '/v3/webhooks', { url: 'https://example.com/brevo', events: ['delivered'] });
    const [, id = ''] =
      /href="\/dashboard\/webhooks\/([\w-]+)"[^>]*>\s*<span>https:\/\/example\.com\/brevo/.exec(
        (await visitor.get('/webhooks')).text,
      ) ?? [];
    const { text } = await visitor.get(`/webhooks/${id}`);
    assert.match(text, /not signed/);
    assert.doesNotMatch(text, /whsec_|Signing secret/);
    assert.equal((await visitor.post(`/webhooks/${id}/disable`)).status, 303);
    assert.equal((await visitor.post(`/webhooks/${id}/delete`)).status, 303);
    assert.equal((await server.call('GET', `/v3/webhooks/${made.json.id}`)).status, 404);
  });
});
