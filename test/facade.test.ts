/** A third facade is one record: accepting, keys, refusals, the page and webhooks know it by that alone. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { httpFacades } from '../src/http/facades.ts';
import { signIn } from './page/visitor.ts';
import { startReceiver } from './support/receiver.ts';
import { assertSentOnce, serve } from './support/served.ts';
import type { TestServer } from './support/server.ts';
import { type ToyNote, toy, toyKeyLifetimeMs } from './support/toy-facade.ts';

const serveToy = (t: TestContext, environment: Record<string, string> = {}) =>
  serve(t, { environment, outside: { facades: [...httpFacades, toy] } });

const note: ToyNote = { to: 'ann@example.org', words: 'hello' };

function post(server: TestServer, key: string, body: ToyNote = note, path = '/toy/notes') {
  return server.call('POST', path, body, { 'toy-key': key });
}

describe('a third facade', () => {
  it('accepts once under a key, in its own words', async (t) => {
    const { server, sink } = await serveToy(t);
    const first = await post(server, 'k');
    assert.equal(first.status, 201, first.text);
    const again = await post(server, 'k');
    assert.deepEqual([again.status, again.text, again.headers.get('toy-again')], [201, first.text, 'yes']);
    const other = await post(server, 'k', { ...note, words: 'bye' });
    assert.deepEqual([other.status, other.json], [418, { oops: 'idempotency_mismatch', fields: ['words'] }]);
    await assertSentOnce(server, sink, [first.json.note]);
  });

  it('has keys that live as long as its record says', async (t) => {
    const { server } = await serveToy(t);
    const first = await post(server, 'k');
    server.clock.advance(toyKeyLifetimeMs - 1_000);
    assert.equal((await post(server, 'k')).text, first.text);
    server.clock.advance(2_000);
    assert.notEqual((await post(server, 'k')).text, first.text);
  });

  it('shares no key with another facade', async (t) => {
    const { server } = await serveToy(t);
    await post(server, 'k');
    const message = { from: 'a@acme.example', to: note.to, subject: 's', text: 't' };
    assert.equal((await server.call('POST', '/emails', message, { 'idempotency-key': 'k' })).status, 200);
  });

  it('is found in the history of keys', async (t) => {
    const { server } = await serveToy(t);
    const first = await post(server, 'k');
    await post(server, 'k');
    for (const query of ['', '?endpoint=/toy/notes']) {
      const { json } = await server.call('GET', `/idempotency-keys/k${query}`);
      assert.deepEqual(
        [json.endpoint, json.response_status, json.email_ids, json.replays],
        ['POST /toy/notes', 201, [first.json.note], 1],
      );
    }
    const unknown = await server.call('GET', '/idempotency-keys/k?endpoint=/nowhere');
    assert.match(unknown.json.message, /^`endpoint` must be one of \/emails, .*, \/toy\/notes, \/smtp\.$/);
  });

  it('refuses in its own words below its path, and nowhere else', async (t) => {
    const { server } = await serveToy(t, { RATE_LIMIT: '100' });
    const stray = await server.call('GET', '/toy/nothing');
    assert.deepEqual([stray.status, stray.json], [418, { oops: 'route_not_found' }]);
    const stranger = await server.call('POST', '/toy/notes', note, { authorization: 'Bearer re_wrong' });
    assert.equal(stranger.json.oops, 'invalid_api_key');
    const { headers } = await post(server, 'k');
    assert.match(headers.get('toy-left') ?? '', /^\d+$/);
    assert.equal((await server.call('GET', '/toys')).json.name, 'not_found');
    assert.equal((await server.call('GET', '/v3/nothing')).json.code, 'document_not_found');
  });
});

describe('webhooks of a third facade', () => {
  it('are told in its own words, beside those of others', async (t) => {
    const { server } = await serveToy(t);
    const [toys, others] = [await startReceiver(t), await startReceiver(t)];
    const ear = await server.call('POST', '/toy/ears', { url: `${toys.url}/ear` });
    assert.equal(ear.status, 201, ear.text);
    await server.call('POST', '/webhooks', { endpoint: `${others.url}/hook`, events: ['email.sent'] });
    await post(server, 'k');
    await server.until('both are told', () => toys.told.length > 0 && others.told.length > 0);
    assert.deepEqual(
      toys.told.map(({ path, json }) => [path, json]),
      [['/ear', ['sent!']]],
    );
    assert.equal(others.told[0]?.json.type, 'email.sent');
  });

  it('are shown on the page, which calls the facade by its label', async (t) => {
    const { server } = await serveToy(t);
    const { json } = await server.call('POST', '/toy/ears', { url: 'https://ears.example.org/ear' });
    const { json: accepted } = await post(server, 'k');
    const visitor = await signIn(server);
    const text = async (path: string) => (await visitor.get(path)).text;
    assert.match(await text('/webhooks'), /ears\.example\.org[\s\S]*Toy</);
    const page = await text(`/webhooks/${json.ear}`);
    assert.match(page, /Toy’s, in a word/);
    assert.doesNotMatch(page, /Signing secret/);
    assert.match(await text(`/emails/${accepted.note}`), /Through the Toy API/);
    assert.match(await text('/idempotency?key=k'), /POST \/toy\/notes/);
    assert.match(await text('/idempotency'), /Toy keys live 5 minutes/);
  });
});

describe('a key is looked up before its request is looked at', () => {
  /** Accepts a note that may be sent for a minute, and sends it again after that. */
  async function retryTooLate(t: TestContext, path: string) {
    const { server } = await serveToy(t);
    const late = { ...note, until: server.clock.now() + 60_000 };
    const first = await post(server, 'k', late, path);
    assert.equal(first.status, 201, first.text);
    server.clock.advance(2 * 60_000);
    return { first, again: await post(server, 'k', late, path) };
  }

  it('so that a retry is answered although the request would be refused by now', async (t) => {
    const { first, again } = await retryTooLate(t, '/toy/notes');
    assert.deepEqual([again.status, again.text], [201, first.text]);
  });

  it('which a door that looks at the request first does not do (control)', async (t) => {
    const { again } = await retryTooLate(t, '/toy/hasty-notes');
    assert.deepEqual([again.status, again.json], [418, { oops: 'invalid_field' }]);
  });

  it('and a request that is refused frees its key at once', async (t) => {
    const { server } = await serveToy(t);
    assert.equal((await post(server, 'k', { ...note, until: 0 })).json.oops, 'invalid_field');
    assert.equal((await post(server, 'k')).status, 201);
  });
});
