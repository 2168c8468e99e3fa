/** What the page says when something went wrong: never more than is known, and always where to go on. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AppError, CommitUnknown } from '../../src/core/error.ts';
import type { Database, Reader, Transaction } from '../../src/store/database.ts';
import { bendDatabase, textOf } from '../support/bent-database.ts';
import { serve } from '../support/served.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';
import { modes } from '../support/smtp-sink-modes.ts';
import { type Answer, signIn, webhookForm } from './visitor.ts';

/** What the database does instead of its work, while it is asked for a statement that contains `at`. */
type Mishap = { at: string; error: Error; afterCommit?: boolean; seen?: number };

/** `mishaps` may be changed at any time: signing in and making things go well before. */
function mishapDatabase(own: Database, mishaps: Mishap[]): Database {
  const meet = (sql: string, isCommitted: boolean) => {
    const met = mishaps.find(({ at, afterCommit = false }) => sql.includes(at) && afterCommit === isCommitted);
    if (!met) return;
    met.seen = (met.seen ?? 0) + 1;
    throw met.error;
  };
  const all =
    (reader: Reader): Reader['all'] =>
    (sql, ...params) => {
      meet(sql, false);
      return reader.all(sql, ...params);
    };
  const noting = (tx: Transaction, ran: string[]): Transaction => ({
    skipLocked: tx.skipLocked,
    writer: tx.writer,
    add: tx.add,
    all(sql, ...params) {
      meet(sql, false);
      ran.push(sql);
      return tx.all(sql, ...params);
    },
    run(sql, ...params) {
      meet(sql, false);
      ran.push(sql);
      return tx.run(sql, ...params);
    },
  });
  return {
    ...bendDatabase(own, []),
    all: all(own),
    async report(sql, ...params) {
      meet(sql, false);
      return own.report(sql, ...params);
    },
    async write(work, terms) {
      const ran: string[] = [];
      const value = await own.write((tx) => work(noting(tx, ran)), terms);
      for (const sql of ran) meet(sql, true);
      return value;
    },
  };
}

const away = () =>
  new AppError('unavailable', 'The database does not work right now; nothing was accepted. Try again.');
const nobodyKnows = (at: string): Mishap => ({ at, error: new CommitUnknown('nobody knows'), afterCommit: true });

/** Names and places of what a page offers to go on with, the first one first. */
function waysOn({ text }: Answer): string[] {
  return [...text.matchAll(/<a class="button[^"]*" href="([^"]+)">\s*([^<]*?)\s*<\/a>/g)]
    .map(([, href, name]) => `${name} ${href}`)
    .filter((way) => !way.startsWith('Skip'));
}

function assertNobodyKnows(answer: Answer): void {
  assert.equal(answer.status, 500);
  assert.match(answer.text, /<h1>We can’t tell whether this was saved<\/h1>/);
  assert.match(answer.text, /Check before you try again/);
  assert.doesNotMatch(answer.text, /Nothing was changed|Something went wrong/);
}

describe('a form whose commit nobody can tell about', () => {
  const mishaps: Mishap[] = [];
  const outside = { database: (own: Database) => mishapDatabase(own, mishaps) };
  const count = async (server: TestServer, path: string) => (await server.call('GET', path)).json.data.length;

  test('is told so, and was done all the same: a webhook, an answer to a doubt, a mail', async (t) => {
    const { server, sink } = await serve(t, { outside });
    const visitor = await signIn(server);
    sink.behave = () => modes.acceptThenDrop;
    const { id } = (await server.call('POST', '/emails', message())).json;
    await server.until('it is in doubt', async () => (await count(server, '/in-doubt')) === 1);
    sink.behave = () => modes.accept;
    const from = (path: string) => ({ referer: `${server.url}/dashboard${path}` });

    mishaps.push(nobodyKnows('insert into webhooks'));
    const added = await visitor.post(
      '/webhooks',
      webhookForm('https://example.com/hooks', 'email.sent'),
      from('/webhooks'),
    );
    assertNobodyKnows(added);
    assert.match(added.text, /<nav aria-label="Main">/);
    assert.equal(waysOn(added)[0], 'Check where you were /dashboard/webhooks');
    assert.equal(await count(server, '/webhooks'), 1);

    mishaps.push(nobodyKnows(textOf('answer_sent')));
    const held = /action="\/dashboard(\/in-doubt\/[^"]+)"/.exec((await visitor.get('/in-doubt')).text)?.[1] ?? '';
    const answered = await visitor.post(held, { answer: 'sent' }, from('/in-doubt'));
    assertNobodyKnows(answered);
    assert.equal(waysOn(answered)[0], 'Check where you were /dashboard/in-doubt');
    assert.deepEqual([await count(server, '/in-doubt'), await status(server, id)], [0, 'sent']);

    mishaps.push(nobodyKnows('insert into emails'));
    const fields = {
      key: 'b52dbf81-dd4a-4a08-b807-085c7f3d1a20',
      from: 'Acme <a@example.com>',
      to: 'ann@example.com',
    };
    assertNobodyKnows(await visitor.post('/setup/test', fields, from('/setup')));
    mishaps.length = 0;
    assert.equal((await visitor.post('/setup/test', fields, from('/setup'))).status, 303);
    assert.equal(await count(server, '/emails'), 2, 'the same form sends once');
  });

  async function status(server: TestServer, id: string): Promise<string> {
    return (await server.call('GET', `/emails/${id}`)).json.last_event;
  }

  test('claims nothing either where this program stumbled after it had done its work', async (t) => {
    const server = await startTestServer({ outside });
    t.after(() => server.stop());
    const visitor = await signIn(server);
    mishaps.push({ at: 'insert into webhooks', error: new Error('stumbled'), afterCommit: true });
    const fields = webhookForm('https://example.com/hooks', 'email.sent');
    const broken = await visitor.post('/webhooks', fields, { referer: `${server.url}/dashboard/webhooks` });
    mishaps.length = 0;
    assert.equal(await count(server, '/webhooks'), 1);
    assert.deepEqual([broken.status, waysOn(broken)[0]], [500, 'Check where you were /dashboard/webhooks']);
    assert.match(broken.text, /Something went wrong[\s\S]*can’t tell[\s\S]*Check before you try again/);
    assert.doesNotMatch(broken.text, /Nothing was changed|stumbled/);
    // The control: of a page that was only looked at, it is certain.
    mishaps.push({ at: 'from webhooks', error: new Error('stumbled') });
    assert.match((await visitor.get('/webhooks')).text, /Something went wrong[\s\S]*Nothing was changed/);
    mishaps.length = 0;
  });
});

describe('the count of what is in doubt, which stands on every page,', () => {
  const counting = "from counts where account = ? and name = 'in_doubt'";
  const pill = /data-fresh="doubts">\s*<span class="state tone-(\w+)">([^<]*)</;

  test('says "?" where it cannot be known, and hides no error', async (t) => {
    const mishaps: Mishap[] = [];
    const { server, sink } = await serve(t, { outside: { database: (own) => mishapDatabase(own, mishaps) } });
    const visitor = await signIn(server);
    assert.doesNotMatch((await visitor.get('/webhooks')).text, pill);
    sink.behave = () => modes.acceptThenDrop;
    await server.call('POST', '/emails', message());
    await server.until('it is in doubt', async () => (await server.call('GET', '/in-doubt')).json.data.length === 1);
    const shown = async () => pill.exec((await visitor.get('/webhooks')).text)?.slice(1);
    assert.deepEqual(await shown(), ['warning', '1']);

    mishaps.push({ at: counting, error: away() });
    assert.deepEqual(await shown(), ['muted', '?']);
    mishaps.length = 0;

    mishaps.push({ at: counting, error: new Error('a mistake of ours') });
    const broken = await visitor.get('/webhooks');
    assert.equal(broken.status, 500);
    assert.match(broken.text, /Something went wrong/);
    assert.equal(waysOn(broken)[0], 'Try again /dashboard/webhooks');
    assert.doesNotMatch(broken.text, /a mistake of ours|"statusCode"/);
    mishaps.length = 0;
  });

  test('is read while a report that takes for ever is under way', { timeout: 60_000 }, async (t) => {
    let isBusy = false;
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const asideIsBusy = (own: Database): Database => ({
      ...bendDatabase(own, []),
      report: async (sql, ...params) => {
        if (isBusy) await ended;
        return own.report(sql, ...params);
      },
    });
    const server = await startTestServer({ outside: { database: asideIsBusy } });
    // Ended before the server is stopped, also where a page waits that should not.
    t.after(() => server.stop());
    t.signal.addEventListener('abort', () => end());
    const visitor = await signIn(server);
    isBusy = true;
    const overview = visitor.get('');
    for (const path of ['/suppressions', '/webhooks', '/in-doubt', '/nowhere']) {
      assert.ok([200, 404].includes((await visitor.get(path)).status));
    }
    // The control: a page that reports does wait.
    assert.equal(await Promise.race([overview, 'it waits']), 'it waits');
    isBusy = false;
    end();
    assert.equal((await overview).status, 200);
  });
});

describe('with the database away', () => {
  test('a page says so at once, with the way to try again first, and asks it no second time', async (t) => {
    const mishaps: Mishap[] = [];
    const server = await startTestServer({ outside: { database: (own) => mishapDatabase(own, mishaps) } });
    t.after(() => server.stop());
    const visitor = await signIn(server);
    const session: Mishap = { at: 'select value from settings where name = ?', error: away() };
    mishaps.push(session);
    const page = await visitor.get('/emails?q=ann');
    mishaps.length = 0;
    assert.equal(session.seen, 1, 'who is asking is looked for once');
    assert.equal(page.status, 503);
    assert.match(page.text, /The database is not available right now/);
    assert.deepEqual(waysOn(page), [
      'Try again /dashboard/emails?q=ann',
      'Overview /dashboard',
      'Emails /dashboard/emails',
    ]);

    mishaps.push({ at: 'insert into webhooks', error: away() });
    const fields = webhookForm('https://example.com/hooks', 'email.sent');
    const form = await visitor.post('/webhooks', fields, { referer: `${server.url}/dashboard/webhooks` });
    assert.deepEqual([form.status, waysOn(form)[0]], [503, 'Back to the form /dashboard/webhooks']);
    mishaps.length = 0;
    // The control: who is simply not signed in is shown the door, not what lies behind it.
    const nobody = await fetch(`${server.url}/dashboard/nowhere`);
    assert.deepEqual(waysOn({ status: 404, text: await nobody.text(), headers: nobody.headers }), [
      'Sign in /dashboard/sign-in',
    ]);
  });

  test('whoever signs out is signed out in this browser, told what is not, and may do it again', async (t) => {
    const mishaps: Mishap[] = [];
    const server = await startTestServer({ outside: { database: (own) => mishapDatabase(own, mishaps) } });
    t.after(() => server.stop());
    const visitor = await signIn(server);
    const token = /name="token" value="([^"]+)"/.exec((await visitor.get('/idempotency')).text)?.[1] ?? '';
    for (const mishap of [
      { at: 'insert into settings', error: away() },
      { at: 'insert into settings', error: new Error('stumbled') },
      { at: '', error: away() },
    ]) {
      mishaps.push(mishap);
      const answer = await visitor.post('/sign-out', { token });
      mishaps.length = 0;
      assert.equal(answer.status, 503);
      assert.match(answer.headers.get('set-cookie') ?? '', /^sendonce_session=; .*Max-Age=0/);
      assert.match(answer.text, /This browser is signed out[\s\S]*may still be valid/);
      assert.equal((await visitor.get('')).status, 200, 'a copy of its cookie is still good');
    }
    mishaps.push(nobodyKnows('insert into settings'));
    const unknown = await visitor.post('/sign-out', { token });
    mishaps.length = 0;
    assert.match(unknown.headers.get('set-cookie') ?? '', /^sendonce_session=; .*Max-Age=0/);
    assert.equal((await visitor.get('')).status, 303, 'it was noted after all');

    const again = await signIn(server);
    assert.equal((await again.post('/sign-out')).headers.get('location'), '/dashboard/sign-in');
    assert.equal((await again.get('')).status, 303);
    // Somebody else's form signs nobody out.
    const last = await signIn(server);
    const forged = await last.post('/sign-out', { token: 'guessed' });
    assert.deepEqual([forged.status, forged.headers.get('set-cookie')], [403, null]);
  });
});

test('what answers a form offers no theme: choosing one would lead to where nothing is shown', async (t) => {
  const server = await startTestServer();
  t.after(() => server.stop());
  const visitor = await signIn(server);
  const { id } = (await server.call('POST', '/emails', message())).json;
  await server.until(
    'it is sent',
    async () => (await server.call('GET', `/emails/${id}`)).json.last_event === 'delivered',
  );
  const late = await visitor.post(`/emails/${id}/cancel`);
  assert.deepEqual([late.status, late.text.includes('/dashboard/theme')], [422, false]);
  const drafted = await visitor.post('/webhooks', webhookForm('ftp://example.com/', 'email.sent'));
  assert.deepEqual([drafted.status, drafted.text.includes('/dashboard/theme')], [422, false]);
  // The control, and why.
  assert.ok((await visitor.get(`/emails/${id}`)).text.includes('/dashboard/theme'));
  assert.equal((await visitor.get(`/emails/${id}/cancel`)).status, 404);
});
