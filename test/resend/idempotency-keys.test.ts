/** GET /idempotency-keys/:key: what happened under a key. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { addApiKey } from '../support/served.ts';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';
import { exchange } from '../support/wire.ts';

const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('GET /idempotency-keys/:key', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
    await addApiKey(server, 're_stranger', 'stranger');
  });
  after(() => server.stop());

  function send(key: string, change: Record<string, unknown> = {}, agent = 'a-client/1') {
    return server.call('POST', '/emails', message(change), { 'idempotency-key': key, 'user-agent': agent });
  }

  async function show(key: string, query = '') {
    const { status, json } = await server.call('GET', `/idempotency-keys/${encodeURIComponent(key)}${query}`);
    assert.equal(status, 200, JSON.stringify(json));
    return json;
  }

  test('shows the first answer, every replay and conflict, and when it ends', async () => {
    const startedAt = server.clock.now();
    const { id } = (await send('welcome/1')).json;
    await send('welcome/1', {}, 'a-client/2');
    await send('welcome/1', { subject: 'other' }, 'a-client/3');
    await send('welcome/1', {}, 'a-client/4');
    const shown = await show('welcome/1');
    const [first, second, third] = shown.uses;
    for (const { at } of shown.uses) assert.match(at, iso);
    assert.deepEqual(shown, {
      object: 'idempotency_key',
      key: 'welcome/1',
      endpoint: 'POST /emails',
      status: 'active',
      first_seen_at: shown.first_seen_at,
      expires_at: new Date(Date.parse(shown.first_seen_at) + 86_400_000).toISOString(),
      response_status: 200,
      email_ids: [id],
      replays: 2,
      last_replay_at: third.at,
      conflicts: 1,
      last_conflict_at: second.at,
      uses: [
        { at: first.at, kind: 'replay', client: 'a-client/2' },
        { at: second.at, kind: 'conflict', client: 'a-client/3', different_fields: ['subject'] },
        { at: third.at, kind: 'replay', client: 'a-client/4' },
      ],
    });
    const firstSeen = Date.parse(shown.first_seen_at);
    assert(firstSeen >= startedAt && firstSeen <= Date.parse(first.at));
  });

  test('counts on over time and keeps the last 20 uses in detail', async () => {
    await send('busy');
    for (let time = 0; time < 25; time++) await send('busy', {}, `retry/${time}`);
    await server.tick();
    for (let time = 25; time < 30; time++) await send('busy', {}, `retry/${time}`);
    const shown = await show('busy');
    assert.equal(shown.replays, 30);
    assert.deepEqual(
      shown.uses.map(({ client }: { client: string }) => client),
      Array.from({ length: 20 }, (_, index) => `retry/${index + 10}`),
    );
  });

  test('takes a key with its slashes, dots and spaces as they are, or encoded', async () => {
    for (const key of ['team-quota/123456789', 'a//b', 'a/../b', 'a b?c#d%e', 'ключ']) {
      const sent = await send(Buffer.from(key).toString('latin1'));
      assert.equal(sent.status, 200);
      const dotted = encodeURIComponent(key).replaceAll('.', '%2E');
      for (const path of [encodeURIComponent(key), dotted, encodeURIComponent(key).replaceAll('%2F', '/')]) {
        const request = { method: 'GET', path: `/idempotency-keys/${path}?`, headers: auth };
        const { status, json } = await exchange(server.url, request);
        assert.deepEqual([path, status, json.key, json.email_ids], [path, 200, key, [sent.json.id]]);
      }
    }
  });

  const auth: [string, string][] = [['Authorization', testKey]];

  test('a key that is not in percent signs is refused', async () => {
    const { status, json } = await exchange(server.url, {
      method: 'GET',
      path: '/idempotency-keys/%f',
      headers: auth,
    });
    assert.deepEqual([status, json.name], [422, 'invalid_parameter']);
  });

  test('a key that is not UTF-8 is another one than the text it looks like', async () => {
    const byte = await send('\xff');
    const text = await send(Buffer.from('\xff').toString('latin1'));
    for (const [path, sent] of [
      ['%FF', byte],
      ['%C3%BF', text],
    ] as const) {
      const request = { method: 'GET', path: `/idempotency-keys/${path}`, headers: auth };
      const { json } = await exchange(server.url, request);
      assert.deepEqual([json.key, json.email_ids, json.conflicts], ['\xff', [sent.json.id], 0]);
    }
  });

  test('`endpoint` tells a single email from a batch under the same key', async () => {
    const single = (await send('both')).json.id;
    const headers = { 'idempotency-key': 'both' };
    const { data } = (await server.call('POST', '/emails/batch', [message(), message()], headers)).json;
    const batch = data.map(({ id }: { id: string }) => id);
    assert.deepEqual((await show('both')).email_ids, [single]);
    assert.deepEqual((await show('both', '?endpoint=/emails')).email_ids, [single]);
    const shown = await show('both', '?endpoint=/emails/batch');
    assert.deepEqual([shown.endpoint, shown.email_ids], ['POST /emails/batch', batch]);
    assert.deepEqual((await show('both', '?endpoint=POST%20/emails/batch')).email_ids, batch);
  });

  test('of a batch alone is found without saying the endpoint', async () => {
    await server.call('POST', '/emails/batch', [message()], { 'idempotency-key': 'batch-only' });
    assert.equal((await show('batch-only')).endpoint, 'POST /emails/batch');
  });

  test('one that was never used, or only refused, is not found', async () => {
    assert.equal((await send('refused', { to: [] })).status, 422);
    for (const key of ['never', 'refused', '']) {
      const { status, json } = await server.call('GET', `/idempotency-keys/${key}`);
      assert.deepEqual([key, status, json.name], [key, 404, 'not_found']);
      assert.match(json.message, /^Nothing was accepted under this idempotency key/);
    }
  });

  test('another account’s is not found', async () => {
    await send('ours');
    const theirs = { authorization: 're_stranger' };
    assert.equal((await server.call('GET', '/idempotency-keys/ours', undefined, theirs)).status, 404);
  });

  test('one that has ended says so until it is forgotten', async () => {
    await send('old');
    server.clock.advance(86_400_000);
    const { status, json } = await server.call('GET', '/idempotency-keys/old');
    assert(status === 404 || json.status === 'expired');
    await server.until('it is forgotten', async () => {
      return (await server.call('GET', '/idempotency-keys/old')).status === 404;
    });
  });

  describe('POST /idempotency-keys/lookup', () => {
    const lookUp = (body: unknown, headers?: Record<string, string>) =>
      server.call('POST', '/idempotency-keys/lookup', body, headers);

    test('tells of many keys which were accepted, in their order', async () => {
      const first = await send('found/1');
      await send('found/1');
      await send(Buffer.from('ключ/2').toString('latin1'));
      assert.equal((await send('never/3', { to: [] })).status, 422);
      const { status, json } = await lookUp({ keys: ['never/3', 'found/1', 'ключ/2', 'found/1'], endpoint: '/emails' });
      assert.equal(status, 200, JSON.stringify(json));
      assert.deepEqual(
        json.data.map((one: { key: string; status: string }) => [one.key, one.status]),
        [
          ['never/3', 'unknown'],
          ['found/1', 'active'],
          ['ключ/2', 'active'],
          ['found/1', 'active'],
        ],
      );
      const [unknown, found] = json.data;
      const { endpoint, email_ids, first_seen_at, expires_at } = await show('found/1');
      const object = 'idempotency_key';
      assert.deepEqual(email_ids, [first.json.id]);
      assert.deepEqual(found, {
        object,
        key: 'found/1',
        endpoint,
        status: 'active',
        email_ids,
        first_seen_at,
        expires_at,
      });
      const nothing = { endpoint: null, email_ids: [], first_seen_at: null, expires_at: null };
      assert.deepEqual(unknown, { object, key: 'never/3', status: 'unknown', ...nothing });
    });

    test('is about one endpoint, or about all of them', async () => {
      await server.call('POST', '/emails/batch', [message()], { 'idempotency-key': 'of-a-batch' });
      const statuses = async (endpoint?: string) =>
        (await lookUp({ keys: ['of-a-batch'], endpoint })).json.data[0].status;
      assert.deepEqual(
        [await statuses('/emails'), await statuses('/emails/batch'), await statuses()],
        ['unknown', 'active', 'active'],
      );
    });

    test('takes up to 500 keys, and nothing that is none', async () => {
      const keys = Array.from({ length: 500 }, (_, index) => `many/${index}`);
      await send('many/499');
      const { json } = await lookUp({ keys });
      assert.equal(json.data.length, 500);
      const found = json.data.filter(({ status }: { status: string }) => status === 'active');
      assert.deepEqual(
        found.map(({ key }: { key: string }) => key),
        ['many/499'],
      );
      assert.deepEqual((await lookUp({ keys: [] })).json.data, []);
      for (const body of [{ keys: [...keys, 'one more'] }, { keys: 'a' }, { keys: [1] }, [], undefined]) {
        assert.equal((await lookUp(body)).status, 422, JSON.stringify(body)?.slice(0, 40));
      }
      assert.equal((await lookUp({ keys: [''] })).json.name, 'invalid_idempotency_key');
      assert.equal((await lookUp({ keys: ['a'], endpoint: '/nowhere' })).json.name, 'invalid_parameter');
      assert.equal((await lookUp({ keys: ['a'], endpoint: 7 })).status, 422);
    });

    test('tells nothing of another account’s', async () => {
      await send('ours/2');
      const { json } = await lookUp({ keys: ['ours/2'] }, { authorization: 're_stranger' });
      assert.equal(json.data[0].status, 'unknown');
    });

    test('leaves a key that is called lookup alone', async () => {
      const { id } = (await send('lookup')).json;
      assert.deepEqual((await show('lookup')).email_ids, [id]);
    });
  });
});
