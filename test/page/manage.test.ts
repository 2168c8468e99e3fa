/** What an account manages on the page: suppressed addresses, domains and keys, each by the use case the API has. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { addApiKey } from '../support/served.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';
import { createVisitor, signIn, type Visitor } from './visitor.ts';

describe('the pages on which an account manages its things', () => {
  let server: TestServer;
  let visitor: Visitor;
  let stranger: Visitor;

  before(async () => {
    server = await startTestServer();
    visitor = await signIn(server);
    stranger = await signIn(server, await addApiKey(server, 're_manage_stranger', 'another'));
  });
  after(() => server.stop());

  test('an address is suppressed, found, and mailed again after a question', async () => {
    assert.equal((await visitor.post('/suppressions', { email: 'Ann <ann@' })).status, 422);
    assert.equal((await visitor.post('/suppressions', { email: 'Gone@Example.com' })).status, 303);
    const { text } = await visitor.get('/suppressions?address=gone@example.COM');
    assert.match(text, /gone@example\.com<\/b>[\s\S]*manual/);
    const [, id = ''] = /name="id" value="([^"]+)"/.exec(text) ?? [];
    assert.equal((await stranger.post('/suppressions/remove', { id, confirmed: 'yes' })).status, 404);
    assert.doesNotMatch((await stranger.get('/suppressions')).text, /gone@/);
    assert.match((await visitor.post('/suppressions/remove', { id })).text, /Mail gone@example\.com again\?/);
    assert.match((await visitor.get('/suppressions')).text, /gone@example\.com/, 'asking removes nothing');
    assert.equal((await visitor.post('/suppressions/remove', { id, confirmed: 'yes' })).status, 303);
    assert.doesNotMatch((await visitor.get('/suppressions')).text, /gone@example\.com/);
  });

  test('a key is shown once, opens the API, and is revoked after a question', async () => {
    const made = await visitor.post('/api-keys', { name: 'shop', permission: 'sending_access' });
    const [, key = ''] = /<code>(re_\w+)<\/code>/.exec(made.text) ?? [];
    const send = () => server.call('POST', '/emails', message(), { authorization: `Bearer ${key}` });
    assert.equal((await send()).status, 200);
    const { text } = await visitor.get('/api-keys');
    assert.ok(text.includes('shop') && !text.includes(key));
    assert.equal((await createVisitor(server, '').post('/sign-in', { key })).status, 401, 'it may only send');
    const [, id = ''] = /name="id" value="([^"]+)"/.exec(text) ?? [];
    assert.equal((await stranger.post('/api-keys/revoke', { id, confirmed: 'yes' })).status, 404);
    assert.match((await visitor.post('/api-keys/revoke', { id })).text, /Revoke “shop”\?/);
    assert.equal((await visitor.post('/api-keys/revoke', { id, confirmed: 'yes' })).status, 303);
    assert.doesNotMatch((await visitor.get('/api-keys')).text, />shop</);
  });

  test('a domain shows each record to copy, is looked for, and is removed after a question', async () => {
    assert.equal((await visitor.post('/domains', { name: 'not a domain' })).status, 422);
    assert.equal((await visitor.post('/domains', { name: 'manage.example' })).status, 303);
    const { text } = await visitor.get('/domains');
    assert.match(text, /manage\.example<\/h2>[\s\S]*DKIM[\s\S]*_domainkey\.manage\.example[\s\S]*DMARC/);
    const [, path = ''] = /action="\/dashboard(\/domains\/[^/]+)\/verify"/.exec(text) ?? [];
    assert.equal((await visitor.post(`${path}/verify`)).status, 303);
    for (const action of ['verify', 'remove']) {
      assert.equal((await stranger.post(`${path}/${action}`, { confirmed: 'yes' })).status, 404);
    }
    assert.match((await visitor.post(`${path}/remove`)).text, /Remove manage\.example\?/);
    assert.equal((await visitor.post(`${path}/remove`, { confirmed: 'yes' })).status, 303);
    assert.match((await visitor.get('/domains')).text, /No domains yet/);
  });
});
