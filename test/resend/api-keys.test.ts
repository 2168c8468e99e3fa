/** /api-keys as apps use it: to see whether a key is one, and to make keys for others. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Resend } from 'resend';
import { clientOf, heardAtOnce, newAccount } from '../accounts/operator.ts';
import { startTestServer, type TestServer, testKey } from '../support/server.ts';

let server: TestServer;

before(async () => {
  server = await startTestServer(heardAtOnce);
});
after(() => server.stop());

describe('/api-keys', () => {
  it("makes, lists and deletes keys by Resend's SDK", async () => {
    const resend = new Resend(testKey, { baseUrl: server.url });
    const { data: made } = await resend.apiKeys.create({ name: 'Production' });
    assert(made);
    assert.match(made.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.match(made.token, /^re_\w{32}$/);
    const own = clientOf(server, made.token);
    assert.equal((await own.send()).status, 200);
    await server.tick();
    const { data: listed } = await resend.apiKeys.list();
    const [one] = listed?.data ?? [];
    assert.equal(one?.id, made.id);
    assert.equal(one?.name, 'Production');
    assert.notEqual(one?.last_used_at, null);
    const { data: removed } = await resend.apiKeys.remove(made.id);
    assert.deepEqual(removed, { object: 'list', id: made.id, deleted: true });
    assert.equal((await own.send()).status, 401);
    assert.equal((await resend.apiKeys.list()).data?.data.length, 0);
  });

  it('answers as recorded: 201 with the token, an empty name, and a 404 in the words of the real API', async () => {
    const made = await server.call('POST', '/api-keys', { name: '' });
    assert.equal(made.status, 201);
    assert.deepEqual(Object.keys(made.json), ['id', 'object', 'token']);
    const listed = await server.call('GET', '/api-keys');
    assert.deepEqual(Object.keys(listed.json.data[0]), ['id', 'name', 'created_at', 'last_used_at']);
    assert.equal(listed.json.data[0].last_used_at, null);
    assert(!listed.text.includes(made.json.token));
    const missing = await server.call('DELETE', '/api-keys/00000000-0000-0000-0000-000000000000');
    assert.deepEqual(missing.json, { statusCode: 404, name: 'not_found', message: 'API key not found' });
  });

  it('renames a key', async () => {
    const { json } = await server.call('POST', '/api-keys', { name: 'before' });
    const changed = await server.call('PATCH', `/api-keys/${json.id}`, { name: 'after' });
    assert.deepEqual(changed.json, { object: 'api_key', id: json.id });
    const { json: listed } = await server.call('GET', '/api-keys?limit=1');
    assert.equal(listed.data[0].name, 'after');
    assert.equal(listed.has_more, true);
  });

  it('refuses what is no name and no permission, and says what is', async () => {
    for (const [body, name, said] of [
      [{}, 'missing_required_field', /Missing `name` field/],
      [{ name: 'x'.repeat(51) }, 'validation_error', /at most 50 characters/],
      [{ name: 'x', permission: 'all' }, 'validation_error', /"full_access" \| "sending_access"/],
      [{ name: 'x', domain_id: 'd' }, 'validation_error', /domain_id/],
    ] as const) {
      const { status, json } = await server.call('POST', '/api-keys', body);
      assert.equal(status, 422);
      assert.equal(json.name, name);
      assert.match(json.message, said);
    }
  });

  it('a key that may only send makes, sees and deletes none', async () => {
    const { json } = await server.call('POST', '/api-keys', { name: 'sends', permission: 'sending_access' });
    const sender = clientOf(server, json.token);
    assert.equal((await sender.send()).status, 200);
    for (const [method, path] of [
      ['GET', '/api-keys'],
      ['POST', '/api-keys'],
      ['DELETE', `/api-keys/${json.id}`],
    ] as const) {
      const refused = await sender.call(method, path, method === 'POST' ? { name: 'more' } : undefined);
      assert.equal(refused.status, 401);
      assert.equal(refused.json.name, 'restricted_api_key');
    }
  });

  it("an account sees, renames and deletes no other account's keys", async () => {
    const { json: ours } = await server.call('POST', '/api-keys', { name: 'ours' });
    const stranger = await newAccount(server, 'stranger');
    const { json: theirs } = await stranger.call('GET', '/api-keys');
    assert(!JSON.stringify(theirs).includes(ours.id));
    assert.equal((await stranger.call('PATCH', `/api-keys/${ours.id}`, { name: 'stolen' })).status, 404);
    assert.equal((await stranger.call('DELETE', `/api-keys/${ours.id}`)).status, 404);
    assert.equal((await clientOf(server, ours.token).send()).status, 200);
  });
});
