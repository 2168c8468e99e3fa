/** Templates, contacts and broadcasts of an account, and what whoever runs the server sees: accounts and settings. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readConfig } from '../../src/config/config.ts';
import { settingsInForce } from '../../src/config/in-force.ts';
import { addApiKey } from '../support/served.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { signIn, type Visitor } from './visitor.ts';

describe('pages for what the APIs keep', () => {
  let server: TestServer;
  let visitor: Visitor;
  let stranger: Visitor;

  before(async () => {
    server = await startTestServer();
    visitor = await signIn(server);
    stranger = await signIn(server, await addApiKey(server, 're_more_stranger', 'another'));
  });
  after(() => server.stop());

  const make = async (path: string, body: object) => (await server.call('POST', path, body)).json.id as string;

  test('a template is previewed with values in a sandbox, published, and deleted after a question', async () => {
    const html = '<p>Hello {{{NAME}}}</p><script>alert(1)</script>';
    const variables = [{ key: 'NAME', type: 'string' }];
    const id = await make('/templates', { name: 'Welcome', subject: 'Hi {{{NAME}}}', html, variables });
    const path = `/templates/${id}`;
    assert.match((await visitor.get('/templates')).text, /Welcome[\s\S]*draft[\s\S]*Sample[\s\S]*active/);
    const shown = await visitor.get(`${path}?v.NAME=Zoe`);
    assert.match(shown.text, /<h2>Hi Zoe<\/h2>[\s\S]*<iframe[^>]*sandbox="allow-popups/);
    const frame = await visitor.get(`${path}/html?v.NAME=Zoe`);
    assert.match(frame.text, /Hello Zoe/);
    assert.match(frame.headers.get('content-security-policy') ?? '', /^sandbox .*default-src 'none'/);
    assert.equal((await visitor.post(`${path}/publish`)).status, 303);
    assert.match((await visitor.get(path)).text, />published</);
    for (const action of ['publish', 'delete']) {
      assert.equal((await stranger.post(`${path}/${action}`, { confirmed: 'yes' })).status, 404);
    }
    assert.equal((await stranger.get(`${path}/html`)).status, 404);
    assert.match((await visitor.post(`${path}/delete`)).text, /Delete “Welcome”\?/);
    assert.equal((await visitor.post(`${path}/delete`, { confirmed: 'yes' })).status, 303);
    assert.equal((await visitor.get(path)).status, 404);
  });

  test('one of Brevo’s is filled in with params, and what is wrong with those is said', async () => {
    assert.match((await visitor.get('/templates/1/html?params={"headline":"It%20%3C%20works"}')).text, /It &lt; works/);
    assert.match((await visitor.get('/templates/1?params=nonsense')).text, /params must be a JSON object/);
    assert.match((await visitor.post('/templates/1/delete', { confirmed: 'yes' })).text, /is active/);
  });

  test('a contact is added to a segment, unsubscribed, subscribed after a question, and deleted', async () => {
    assert.equal((await visitor.post('/segments', { name: '' })).status, 422);
    const made = await visitor.post('/segments', { name: 'Readers' });
    const [, segment = ''] = /segment=([\w-]+)/.exec(made.headers.get('location') ?? '') ?? [];
    assert.equal((await visitor.post('/contacts', { address: 'no address' })).status, 422);
    const added = await visitor.post('/contacts', { address: 'Ann@example.com', first: 'Ann', segment });
    const path = added.headers.get('location')?.replace(/^\/dashboard|\?.*$/g, '') ?? '';
    assert.match((await visitor.get(`/contacts?segment=${segment}`)).text, /Ann@example\.com/i);
    assert.match((await visitor.get(path)).text, /Segments<\/dt><dd>Readers/);
    assert.equal((await visitor.post(`${path}/unsubscribe`)).status, 303);
    assert.match((await visitor.get('/contacts?address=ann@EXAMPLE.com')).text, />unsubscribed</);
    assert.match((await visitor.get('/contacts')).text, /1, 1 unsubscribed/);
    assert.match((await visitor.post(`${path}/subscribe`)).text, /only if they asked/);
    assert.match((await visitor.get(path)).text, />unsubscribed</, 'asking changes nothing');
    await visitor.post(`${path}/subscribe`, { confirmed: 'yes' });
    assert.match((await visitor.get(path)).text, />subscribed</);
    for (const action of ['unsubscribe', 'subscribe', 'delete']) {
      assert.equal((await stranger.post(`${path}/${action}`, { confirmed: 'yes' })).status, 404);
    }
    assert.match((await visitor.post(`${path}/delete`)).text, /Delete Ann@example\.com\?/i);
    assert.equal((await visitor.post(`${path}/delete`, { confirmed: 'yes' })).status, 303);
    assert.equal((await visitor.get(path)).status, 404);
  });

  test('a broadcast shows how far it has come, is called off after a question, and is deleted', async () => {
    const segment = await make('/segments', { name: 'Everybody' });
    await make('/contacts', { email: 'bob@example.com', segments: [{ id: segment }] });
    const content = { segment_id: segment, from: 'a@example.com', subject: 'News', html: '<h1>News</h1>', name: 'May' };
    const path = `/broadcasts/${await make('/broadcasts', { ...content, send: true, scheduled_at: 'in 2 hours' })}`;
    assert.match((await visitor.get('/broadcasts')).text, /May[\s\S]*scheduled[\s\S]*News/);
    assert.match((await visitor.get(path)).text, /0 of 1 contact processed/);
    assert.match((await visitor.get(`${path}/html`)).text, /<h1>News/);
    assert.equal((await stranger.post(`${path}/cancel`, { confirmed: 'yes' })).status, 404);
    assert.match((await visitor.post(`${path}/cancel`)).text, /becomes a draft again/);
    const canceled = await visitor.post(`${path}/cancel`, { confirmed: 'yes' });
    assert.equal(canceled.headers.get('location'), `/dashboard${path}?done=draft`);
    assert.match((await visitor.get(path)).text, />draft</);
    assert.match((await visitor.post(`${path}/delete`)).text, /Delete this broadcast\?/);
    assert.equal((await visitor.post(`${path}/delete`, { confirmed: 'yes' })).status, 303);
    assert.match((await visitor.get('/broadcasts')).text, /No broadcasts yet/);
  });

  test('an account is made, bounded, given a domain, disabled after a question and enabled, by the first one alone', async () => {
    const path = '/accounts/shop';
    assert.equal((await visitor.post('/accounts', { name: 'Not A Name' })).status, 422);
    assert.equal((await visitor.post('/accounts', { name: 'shop' })).status, 303);
    assert.equal((await visitor.post(`${path}/limits`, { emailsPerDay: '0' })).status, 422);
    assert.equal((await visitor.post(`${path}/limits`, { emailsPerDay: '500' })).status, 303);
    assert.match((await visitor.get('/accounts')).text, /shop[\s\S]*500 emails a day/);
    assert.equal((await visitor.post(`${path}/allow`, { domain: 'Shop.Example' })).status, 303);
    assert.match((await visitor.get(path)).text, /shop\.example<\/code>/);
    assert.equal((await visitor.post(`${path}/disallow`, { domain: 'shop.example' })).status, 303);
    assert.match((await visitor.post(`${path}/disable`)).text, /Disable shop\?/);
    await visitor.post(`${path}/disable`, { confirmed: 'yes' });
    assert.match((await visitor.get(path)).text, /Disabled by an operator since/);
    await visitor.post(`${path}/enable`);
    assert.match((await visitor.get(path)).text, />active</);
    assert.equal((await visitor.post('/accounts/default/disable', { confirmed: 'yes' })).status, 422);
    for (const place of ['/accounts', path, '/settings']) assert.equal((await stranger.get(place)).status, 422);
    assert.equal((await stranger.post(`${path}/disable`, { confirmed: 'yes' })).status, 422);
    assert.doesNotMatch((await stranger.get('/templates')).text, /href="\/dashboard\/accounts"/);
  });

  test('settings are shown as they are in force, and no secret is', async () => {
    const { text } = await visitor.get('/settings');
    assert.match(text, /IN_DOUBT<\/code><\/dt><dd><code>hold<\/code>/);
    assert.match(text, /SENDONCE_API_KEY<\/code><\/dt><dd><span class="state tone-good">set/);
  });
});

test('a setting says where it comes from; a secret is only said to be set', () => {
  const environment = { PORT: '4000', RELAY_URL: 'smtp://user:geheim@relay.example:587', IN_DOUBT: 'send-again' };
  const config = readConfig(environment, {}, { PORT: 'the flag --port' });
  const find = (name: string) => settingsInForce(config).find((one) => one.name === name);
  assert.deepEqual(find('PORT'), { name: 'PORT', value: '4000', isSecret: false, from: 'the flag --port' });
  assert.equal(find('IN_DOUBT')?.from, 'the environment');
  assert.deepEqual(find('HOST'), { name: 'HOST', value: '127.0.0.1', isSecret: false, from: null });
  assert.deepEqual(find('RELAY_URL'), { name: 'RELAY_URL', value: 'set', isSecret: true, from: 'the environment' });
  assert.deepEqual(find('SECRET_KEY')?.value, null);
  assert.doesNotMatch(JSON.stringify([settingsInForce(config), config.given]), /geheim/);
});
