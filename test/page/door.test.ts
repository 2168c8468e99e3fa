/** Who is let in, what a form must bring, and that nothing is shown to somebody else. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { revokeApiKey } from '../../src/store/api-keys.ts';
import { type Bend, bendDatabase } from '../support/bent-database.ts';
import { openDatabase } from '../support/engine.ts';
import { addApiKey } from '../support/served.ts';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';
import { createVisitor, signIn } from './visitor.ts';

describe('the door of the page', () => {
  let server: TestServer;
  let emailId: string;

  before(async () => {
    server = await startTestServer();
    const sent = await server.call('POST', '/emails', message({ subject: 'ours alone' }), {
      'idempotency-key': 'ours',
    });
    emailId = sent.json.id;
    await server.tick();
  });
  after(() => server.stop());

  test('shows nothing to whoever is not signed in', async () => {
    const nobody = createVisitor(server, '');
    const forged = createVisitor(server, 'sendonce_session=settings.WzE3OTYyMTk0MzQwNDIsIiJd.AAAA');
    for (const [visitor, door] of [
      [nobody, '/dashboard/sign-in'],
      [forged, '/dashboard/sign-in?ended'],
    ] as const) {
      for (const path of [
        '',
        '/emails',
        `/emails/${emailId}`,
        `/emails/${emailId}/html`,
        '/idempotency',
        '/keys',
        '/in-doubt',
        '/inbox',
        '/setup',
        '/live',
      ]) {
        const { status, headers, text } = await visitor.get(path);
        assert.deepEqual([path, status, headers.get('location'), text], [path, 303, door, '']);
      }
    }
  });

  test('is where a browser gets that was given the bare address; a program is told there is nothing', async () => {
    const ask = (accept: string) => fetch(`${server.url}/`, { redirect: 'manual', headers: { accept } });
    const shown = await ask('text/html,application/xhtml+xml');
    assert.deepEqual([shown.status, shown.headers.get('location')], [303, '/dashboard']);
    assert.equal((await ask('*/*')).status, 404);
  });

  test('gives a cookie no script and no other site can use, and no part of the key', async () => {
    const { headers } = await createVisitor(server, '').post('/sign-in', { key: testKey });
    const cookie = headers.get('set-cookie') ?? '';
    assert.match(cookie, /; HttpOnly/);
    assert.match(cookie, /; SameSite=Strict/);
    assert.match(cookie, /; Path=\/dashboard;/);
    assert.ok(!cookie.includes(testKey) && !Buffer.from(cookie.split('.')[1] ?? '', 'base64url').includes('test_key'));
  });

  test('shows a long key by its last four characters, and nowhere more of it', async () => {
    const key = await addApiKey(server, 're_a_key_that_is_long_enough_Wx7Z', 'masked');
    const visitor = await signIn(server, key);
    for (const path of ['', '/emails', '/setup']) {
      const { text } = await visitor.get(path);
      assert.ok(text.includes('re_••••Wx7Z'));
      // Where the key's name is shown: in this test it is the same text.
      assert.ok(!text.replaceAll(`title="${key}"`, '').includes('long_enough'));
    }
  });

  test('is closed to keys that may only send', async () => {
    const key = await addApiKey(server, 're_sending_only', 'default', 'sending_access');
    assert.equal((await createVisitor(server, '').post('/sign-in', { key })).status, 401);
  });

  test('is closed again for a key that was revoked, and for a session that is too old', async () => {
    const key = await addApiKey(server, 're_soon_revoked', 'default');
    const visitor = await signIn(server, key);
    assert.equal((await visitor.get('')).status, 200);
    const beside = await openDatabase(server.databaseUrl);
    await beside.write((tx) => revokeApiKey(tx, key, null, server.clock.now()));
    await beside.close();
    assert.equal((await visitor.get('')).status, 303);

    const old = await signIn(server);
    server.clock.advance(8 * 24 * 60 * 60_000);
    assert.equal((await old.get('')).status, 303);
  });

  test('ends every session of a key where one of them signs out, copies of its cookie too, and no other key’s', async () => {
    const key = await addApiKey(server, 're_signs_out', 'default');
    const [visitor, elsewhere, other] = [await signIn(server, key), await signIn(server, key), await signIn(server)];
    const stolen = createVisitor(server, visitor.cookie);
    assert.equal((await stolen.get('')).status, 200);
    const signedOut = await visitor.post('/sign-out');
    assert.match(signedOut.headers.get('set-cookie') ?? '', /^sendonce_session=; .*Max-Age=0/);
    for (const one of [stolen, elsewhere]) {
      const { status, headers } = await one.get('');
      assert.deepEqual([status, headers.get('location')], [303, '/dashboard/sign-in?ended']);
      assert.equal((await one.get('/live')).status, 303);
    }
    assert.match((await stolen.get('/sign-in?ended')).text, /Your session has ended/);
    assert.doesNotMatch((await stolen.get('/sign-in')).text, /Your session has ended/);
    assert.equal((await other.get('')).status, 200);
    const again = await signIn(server, key);
    assert.equal((await again.get('')).status, 200);
    await server.restart();
    assert.deepEqual([(await again.get('')).status, (await stolen.get('')).status], [200, 303]);
  });

  test('would let a copy of the cookie live on without the epoch that a sign-out ends: the control', async (t) => {
    const forgetful: Bend = {
      when: 'select value from settings where name = ?',
      params: ([name = '']) => [String(name).startsWith('session_epoch') ? 'nothing of this name' : name],
    };
    const unguarded = await startTestServer({ outside: { database: (own) => bendDatabase(own, [forgetful]) } });
    t.after(() => unguarded.stop());
    const visitor = await signIn(unguarded);
    const stolen = createVisitor(unguarded, visitor.cookie);
    assert.equal((await visitor.post('/sign-out')).status, 303);
    assert.equal((await stolen.get('')).status, 200);
  });

  test('takes no form from another origin, from nowhere, or without the token of the session', async () => {
    const visitor = await signIn(server);
    const path = `/emails/${emailId}/send`;
    const fields = { key: 'b52dbf81-dd4a-4a08-b807-085c7f3d1a20', confirmed: 'yes' };
    const count = async () => (await server.call('GET', '/emails?limit=100')).json.data.length;
    const before = await count();
    const foreign: Record<string, string>[] = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ];
    for (const headers of foreign) assert.equal((await visitor.post(path, fields, headers)).status, 403);
    for (const token of ['', 'guessed']) assert.equal((await visitor.post(path, { ...fields, token })).status, 403);
    assert.equal(
      (await createVisitor(server, '').post('/sign-in', { key: testKey }, { origin: 'https://evil.example' })).status,
      403,
    );
    assert.equal(await count(), before);
    // The control: the same form, sent as it should be.
    assert.equal((await visitor.post(path, fields)).status, 303);
    assert.equal(await count(), before + 1);
    assert.equal((await visitor.post(path, fields)).status, 303);
    assert.equal(await count(), before + 1, 'the same form twice sends once');
  });

  test('keeps accounts apart on every page', async () => {
    const made = await server.call('POST', '/webhooks', {
      endpoint: 'http://127.0.0.1:9/ours',
      events: ['email.sent'],
    });
    const stranger = await signIn(server, await addApiKey(server, 're_stranger', 'another'));
    const paths = [
      `/emails/${emailId}`,
      `/emails/${emailId}/html`,
      `/emails/${emailId}/eml`,
      `/inbox/${emailId}`,
      `/webhooks/${made.json.id}`,
    ];
    for (const path of paths) assert.deepEqual([path, (await stranger.get(path)).status], [path, 404]);
    for (const path of [
      '',
      '/emails',
      '/emails?q=ours',
      '/inbox',
      '/idempotency?key=ours',
      '/webhooks',
      `/emails?q=${emailId}`,
    ]) {
      const { status, text } = await stranger.get(path);
      assert.deepEqual([path, status, /ours alone|9\/ours/.test(text)], [path, 200, false]);
    }
    for (const action of ['cancel', 'send', 'reschedule']) {
      assert.equal((await stranger.post(`/emails/${emailId}/${action}`)).status, 404);
    }
    assert.equal((await stranger.post(`/webhooks/${made.json.id}/enable`)).status, 404);
    assert.equal((await stranger.post(`/in-doubt/${emailId}.0`, { answer: 'sent' })).status, 404);
  });

  test('says to browsers what they may do: nothing inline, nothing from elsewhere, in nobody’s frame', async () => {
    const visitor = await signIn(server);
    const page = (await visitor.get('')).headers;
    assert.match(
      page.get('content-security-policy') ?? '',
      /^default-src 'none'; script-src 'self'; style-src 'self';/,
    );
    assert.match(page.get('content-security-policy') ?? '', /frame-ancestors 'none'/);
    assert.equal(page.get('cache-control'), 'no-store');
    const mail = (await visitor.get(`/emails/${emailId}/html`)).headers.get('content-security-policy') ?? '';
    assert.match(mail, /^sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'/);
    assert.doesNotMatch(mail, /script-src|allow-scripts|allow-same-origin|https:/);
    const remote = (await visitor.get(`/emails/${emailId}/html?remote=1`)).headers.get('content-security-policy') ?? '';
    assert.match(remote, /img-src 'self' data: https: http:/);
    assert.doesNotMatch(remote, /script-src|allow-scripts|allow-same-origin/);
  });

  test('answers what is not there, and what cannot be, with a page that says so', async () => {
    const visitor = await signIn(server);
    for (const path of ['/nowhere', '/emails/00000000-0000-7000-8000-000000000000', '/emails/x', '/inbox/x/y']) {
      const { status, text, headers } = await visitor.get(path);
      assert.deepEqual([path, status, headers.get('content-type')], [path, 404, 'text/html; charset=utf-8']);
      assert.match(text, /<h1>Not found<\/h1>/);
      assert.match(text, /<nav aria-label="Main">[\s\S]*href="\/dashboard\/webhooks"/, 'the way on is there');
    }
    assert.match((await visitor.get('/emails/x')).text, /href="\/dashboard\/emails" aria-current="page"/);
    const nobody = await createVisitor(server, '').get('/nowhere');
    assert.deepEqual([nobody.status, /<nav|Sign out/.test(nobody.text)], [404, false]);
    assert.match(nobody.text, /href="\/dashboard\/sign-in"/);
    const referer = `${server.url}/dashboard/emails/${emailId}?view=text`;
    const forbidden = await visitor.post('/sign-out', { token: 'guessed' }, { referer });
    assert.equal(forbidden.status, 403);
    assert.match(forbidden.text, /<nav aria-label="Main">/);
    assert.ok(forbidden.text.includes(`href="/dashboard/emails/${emailId}?view=text"`), 'and the way back');
    for (const from of ['https://evil.example/dashboardish', 'nonsense']) {
      const { text } = await visitor.post('/sign-out', { token: 'guessed' }, { referer: from });
      assert.doesNotMatch(text, /evil|dashboardish|nonsense|Back to the form/);
    }
    const late = await visitor.post(`/emails/${emailId}/cancel`);
    assert.equal(late.status, 422);
    assert.match(late.text, /it has already been sent/);
    const past = await visitor.post(`/emails/${emailId}/reschedule`, { at: '2020-01-01T10:00', zone: '0' });
    assert.equal(past.status, 422);
  });

  test('keeps the way on where this program itself is broken, and says so in the log, not in the page', async (t) => {
    const bends: Bend[] = [];
    const broken = await startTestServer({ outside: { database: (own) => bendDatabase(own, bends) } });
    t.after(() => broken.stop());
    const visitor = await signIn(broken);
    assert.equal((await visitor.get('?range=7d')).status, 200);
    bends.push({ when: 'sum(recipient_count)', replace: 'sum(no_such_thing)' });
    const { status, text } = await visitor.get('?range=7d');
    assert.equal(status, 500);
    assert.match(text, /<h1>Something went wrong<\/h1>/);
    assert.match(text, /<nav aria-label="Main">/);
    assert.match(text, /href="\/dashboard\?range=7d">\s*Try again/);
    assert.doesNotMatch(text, /no_such_thing/);
  });
});
