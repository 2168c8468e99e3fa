/** Accounts are made, disabled, enabled and deleted, by the command line and over HTTP; nothing of theirs is lost. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { limits } from '../../src/config/limits.ts';
import type { Database } from '../../src/store/database.ts';
import { signIn } from '../page/visitor.ts';
import { type Bend, bendDatabase } from '../support/bent-database.ts';
import { openDatabase } from '../support/engine.ts';
import { startReceiver } from '../support/receiver.ts';
import { drained, serve, subjects } from '../support/served.ts';
import { startTestServer, testKey } from '../support/server.ts';
import { modes } from '../support/smtp-sink-modes.ts';
import { clientOf, heardAtOnce, makeKey, newAccount, operate } from './operator.ts';

const minute = 60_000;
const file = { filename: 'a.txt', content: 'YQ==' };
const day = 24 * 60 * minute;

describe('an account', () => {
  test('has to be made before it gets a key, once, under a name', async (t) => {
    const server = await startTestServer();
    t.after(() => server.stop());
    await assert.rejects(makeKey(server, 'acme'), /There is no account acme: sendonce account create acme makes it/);
    assert.match(await operate(server, 'create acme'), /^Made acme\. Next: .*allow acme DOMAIN/);
    await assert.rejects(operate(server, 'create acme'), /There is an account acme/);
    await assert.rejects(operate(server, 'create ../etc'), /must be 1 to 63 lower-case letters/);
    await assert.rejects(operate(server, 'allow acme a_b'), /must be a domain/);
    assert.match(await makeKey(server, 'acme', 'sending_access'), /^re_/);
    const list = await operate(server, 'list');
    assert.match(list, /^default +active +0 /m);
    assert.match(list, /^acme +active +1 +- +- +-$/m);
  });

  test('that is disabled waits, scheduled mail and webhooks too, and goes on where it was when it is enabled', async (t) => {
    const { server, sink } = await serve(t, heardAtOnce);
    const receiver = await startReceiver(t);
    const acme = await newAccount(server, 'acme', 'acme.test');
    const events = ['email.sent'];
    assert.equal((await acme.call('POST', '/webhooks', { endpoint: receiver.url, events })).status, 201);
    const from = 'a@acme.test';
    const inAnHour = new Date(server.clock.now() + 60 * minute).toISOString();
    await acme.send({ from, subject: 'sent' });
    await server.until('it has left', () => sink.received.length === 1);
    await server.until('it is told', () => receiver.told.length === 1);
    await acme.send({ from, subject: 'scheduled', scheduled_at: inAnHour });
    const visitor = await signIn(server, acme.key);
    const withFile = await acme.send({ from: 'a@acme.test', scheduled_at: inAnHour, attachments: [file] });
    const { json: files } = await acme.call('GET', `/emails/${withFile.json.id}/attachments`);
    const link = files.data[0].download_url;
    assert.equal((await fetch(link)).status, 200);
    await acme.call('POST', `/emails/${withFile.json.id}/cancel`);

    assert.match(await operate(server, 'disable acme'), /Nothing is lost/);
    const refused = await acme.send({ from });
    assert.deepEqual([refused.status, refused.json.name], [403, 'restricted_api_key']);
    assert.equal((await acme.call('GET', '/v3/account')).json.code, 'permission_denied');
    assert.equal((await visitor.get('')).status, 303, 'its sessions are over');
    assert.equal((await fetch(link)).status, 404, 'so are its links');
    await assert.rejects(signIn(server, acme.key), /answered 401/);
    server.clock.advance(10 * day);
    await server.call('POST', '/emails', { from, to: ['x@y.test'], subject: 'of the first', text: 'x' });
    await server.until('the first account sends', () => sink.received.length === 2);
    await server.tick();
    assert.deepEqual(subjects(sink), ['sent', 'of the first']);

    sink.behave = () => modes.deferMail;
    // By the server's clock, which is ahead of the command's.
    assert.equal((await server.call('PATCH', '/accounts/acme', { disabled: false })).json.disabled, false);
    // Its mail had three days, which have passed: it gets them anew.
    await server.until('it is tried', async () => /delivery_delayed/.test((await acme.call('GET', '/emails')).text));
    sink.behave = () => ({});
    server.clock.advance(60 * minute);
    await drained(server);
    assert.deepEqual(subjects(sink), ['sent', 'of the first', 'scheduled']);
    await server.until('it is told', () => receiver.told.length === 2);
  });

  test('that is disabled would go on as before without either look at it: the control', async (t) => {
    const bends: Bend[] = [
      { when: 'from accounts where disabled_at is null and', find: 'disabled_at is null and', replace: '' },
      { when: 'select id, created_at, disabled_at', find: 'disabled_at', replace: 'null as disabled_at' },
    ];
    const outside = { database: (own: Database) => bendDatabase(own, bends) };
    const { server, sink } = await serve(t, { ...heardAtOnce, outside });
    const acme = await newAccount(server, 'acme', '*');
    const inAMinute = new Date(server.clock.now() + minute).toISOString();
    await acme.send({ scheduled_at: inAMinute });
    await operate(server, 'disable acme');
    server.clock.advance(2 * minute);
    await server.until('its mail has left', () => sink.received.length === 1);
    assert.equal((await acme.send()).status, 200);
  });

  test('that is disabled is refused by a running server as soon as what it remembers of keys and accounts is over', async (t) => {
    const server = await startTestServer();
    t.after(() => server.stop());
    const acme = await newAccount(server, 'acme', '*');
    assert.equal((await acme.send()).status, 200);
    assert.ok(limits.apiKeyCacheMs + limits.accountCacheMs < 1_500, 'a second and a half is promised');
    await operate(server, 'disable acme');
    const began = performance.now();
    while ((await acme.call('GET', '/emails')).status === 200) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(performance.now() - began < 20_000);
  });

  test('is deleted only once all its mail has left, and then has ended for good', async (t) => {
    const { server, sink } = await serve(t, heardAtOnce);
    const acme = await newAccount(server, 'acme', 'acme.test');
    const from = 'a@acme.test';
    await acme.send({ from, scheduled_at: new Date(server.clock.now() + 60 * minute).toISOString() });
    await assert.rejects(
      operate(server, 'delete acme'),
      /Mail of acme has not left yet, or is in doubt, and would be lost/,
    );
    await assert.rejects(operate(server, 'delete default'), /The first account cannot be deleted/);
    // What is scheduled may be called off for it.
    await acme.send({ from, scheduled_at: new Date(server.clock.now() + 60 * minute).toISOString(), subject: 'no' });
    await operate(server, 'disable acme');
    await operate(server, 'enable acme');
    assert.match(await operate(server, 'cancel acme'), /^2 emails of acme are canceled/);
    await acme.send({ from });
    server.clock.advance(60 * minute);
    await drained(server);
    const { json } = await acme.call('GET', '/emails');
    const segment_id = (await acme.call('POST', '/segments', { name: 'all' })).json.id;
    await acme.call('POST', '/contacts', { email: 'ann@x.test', segments: [segment_id] });
    const { id } = (await acme.call('POST', '/broadcasts', { segment_id, from, subject: 'x', text: 'x' })).json;
    await acme.call('POST', `/broadcasts/${id}/send`, { scheduled_at: 'in 1 day' });
    assert.match(await operate(server, 'delete acme'), /^acme is deleted/);
    assert.equal((await acme.call('GET', '/emails')).json.message, 'API key is invalid');
    await assert.rejects(operate(server, 'create acme'), /its name is not given again/);
    await assert.rejects(makeKey(server, 'acme'), /There is no account acme/);
    assert.doesNotMatch(await operate(server, 'list'), /acme/);
    // Its domain is free, and what its mail said is forgotten.
    const next = await newAccount(server, 'next', 'acme.test');
    assert.equal((await next.send({ from })).status, 200);
    assert.equal((await next.call('GET', `/emails/${json.data[0].id}`)).status, 404);
    await drained(server);
    assert.equal(sink.received.length, 2);
    await server.tick();
    const database = await openDatabase(server.databaseUrl);
    const rows = await database.all<{ content: string | null }>("select content from emails where account = 'acme'");
    assert.deepEqual(rows, Array(3).fill({ content: null }));
    for (const people of ['contacts', 'segment_contacts', 'broadcasts', 'broadcast_recipients']) {
      assert.deepEqual(await database.all(`select account from ${people} where account = 'acme'`), [], people);
    }
    await database.close();
  });
});

test('the first account manages accounts over HTTP, and nobody else does', async (t) => {
  const server = await startTestServer(heardAtOnce);
  t.after(() => server.stop());
  const first = clientOf(server, testKey);
  const made = await first.call('POST', '/accounts', { name: 'acme' });
  const { created_at: createdAt, ...rest } = made.json;
  assert.equal(new Date(createdAt).getTime() <= server.clock.now(), true);
  const none = { requests_per_second: null, emails_per_day: null, stored_bytes: null };
  const acme = { object: 'account', name: 'acme', disabled: false, paused: false, domains: [], ...none };
  assert.deepEqual([made.status, rest], [201, acme]);
  assert.equal((await first.call('POST', '/accounts', { name: 'acme' })).status, 422);
  assert.equal((await first.call('POST', '/accounts', { name: 'A B' })).status, 422);
  const allowed = await first.call('POST', '/accounts/acme/domains', { domain: 'Acme.test' });
  assert.deepEqual([allowed.status, allowed.json.domains], [201, ['acme.test']]);
  const key = await first.call('POST', '/accounts/acme/keys', { permission: 'full_access' });
  assert.deepEqual([key.status, Object.keys(key.json)], [201, ['object', 'id', 'token']]);
  const client = clientOf(server, key.json.token);
  assert.equal((await client.send({ from: 'a@acme.test' })).status, 200);
  const limited = await first.call('PATCH', '/accounts/acme', { emails_per_day: 1 });
  assert.deepEqual([limited.json.emails_per_day, limited.json.used.emails_today], [1, 1]);
  assert.equal((await client.send({ from: 'a@acme.test' })).status, 429);
  for (const body of [{ emails_per_day: 0 }, { disabled: 'yes' }, { limit: 1 }]) {
    assert.equal((await first.call('PATCH', '/accounts/acme', body)).status, 422, JSON.stringify(body));
  }
  assert.equal(
    (await first.call('PATCH', '/accounts/acme', { disabled: true, emails_per_day: null })).json.disabled,
    true,
  );
  assert.equal((await client.call('GET', '/emails')).status, 403);
  assert.equal((await first.call('PATCH', '/accounts/default', { disabled: true })).status, 422);
  await first.call('PATCH', '/accounts/acme', { disabled: false });
  assert.deepEqual((await first.call('DELETE', '/accounts/acme/domains/acme.test')).json.domains, []);
  assert.equal((await first.call('DELETE', '/accounts/acme/domains/acme.test')).status, 404);

  const asked: [string, string][] = [
    ['GET', '/accounts'],
    ['POST', '/accounts'],
    ['GET', '/accounts/acme'],
    ['PATCH', '/accounts/acme'],
    ['DELETE', '/accounts/default'],
    ['POST', '/accounts/acme/keys'],
    ['POST', '/accounts/acme/domains'],
  ];
  for (const [method, path] of asked) {
    const { status, json } = await client.call(method, path, method === 'GET' ? undefined : {});
    assert.deepEqual([method, path, status, json.name], [method, path, 403, 'restricted_api_key']);
  }
  const sending = clientOf(server, await makeKey(server, 'default', 'sending_access'));
  assert.equal((await sending.call('GET', '/accounts')).status, 401, 'a key that may only send is not enough');
  const revoked = await first.call('DELETE', `/accounts/acme/keys/${key.json.id}`);
  assert.deepEqual([revoked.status, (await client.call('GET', '/emails')).status], [200, 401]);
  assert.equal((await first.call('GET', '/accounts/acme/keys')).json.data[0].revoked_at !== null, true);
  await drained(server);
  assert.deepEqual((await first.call('DELETE', '/accounts/acme')).json, {
    object: 'account',
    name: 'acme',
    deleted: true,
  });
  assert.equal((await first.call('GET', '/accounts/acme')).status, 404);
});
