/** Brevo's idempotency keys: any repeat within 30 minutes is refused, byte for byte as Brevo does, and tells the first ids. */

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { SystemClock } from '../../src/clock.ts';
import { bendDatabase } from '../support/bent-database.ts';
import { addApiKey, serve } from '../support/served.ts';
import { message, type TestReply } from '../support/server.ts';
import { startSlowFile } from '../support/slow-file.ts';
import { exchange } from '../support/wire.ts';
import { asBrevo, assertMailed, duplicateMessage, mail, messageIdsOf, send, withKey } from './brevo.ts';

const minuteMs = 60_000;

function assertDuplicate(reply: TestReply, first: TestReply): void {
  assert.equal(reply.json.hint, undefined);
  assertRefused(reply, first);
}

/** As above, and told that it is not a retry. */
function assertAnother(reply: TestReply, first: TestReply): void {
  assert.match(reply.json.hint, /it was not sent: give it a key of its own/);
  assertRefused(reply, first);
}

function assertRefused(reply: TestReply, first: TestReply): void {
  assert.equal(reply.status, 400, reply.text);
  const { hint, ...rest } = reply.json;
  assert.deepEqual(rest, { code: 'duplicate_parameter', message: duplicateMessage, ...first.json });
  assert(
    reply.text.startsWith(
      '{"code":"duplicate_parameter","message":"Email for the idempotency key has already been processed"',
    ),
  );
}

/** Stands still between two moves, so that a test can stop at the last millisecond. */
async function serveAtRest(t: TestContext) {
  let ms = Date.now();
  const now = () => ms;
  const clock: SystemClock = { now, expiryNow: now, check() {} };
  const served = await serve(t, { outside: { clock } });
  return {
    ...served,
    advance(by: number) {
      ms += by;
    },
  };
}

describe('a key that was used', () => {
  test('refuses the same request, and another one, with the first messageId, and tells the two apart', async (t) => {
    const { server, sink } = await serve(t);
    const first = await send(server, withKey('k'));
    assertDuplicate(await send(server, withKey('k')), first);
    assertAnother(await send(server, withKey('k', { subject: 'other' })), first);
    assertAnother(await send(server, { headers: { idempotencyKey: 'k' } }), first);
    await assertMailed(server, sink, messageIdsOf(first));
  });

  test('covers all messageVersions, and the refusal lists their ids', async (t) => {
    const { server, sink } = await serve(t);
    const messageVersions = [{ to: [{ email: 'a@example.org' }] }, { to: [{ email: 'b@example.org' }] }];
    const first = await send(server, withKey('k', { messageVersions }));
    assertAnother(await send(server, withKey('k', { messageVersions: messageVersions.slice(0, 1) })), first);
    assert.equal(first.json.messageIds.length, 2);
    await assertMailed(server, sink, first.json.messageIds);
  });

  for (const collected of [false, true]) {
    const garbage = collected ? 'while garbage is collected' : 'whether or not garbage was collected';
    test(`at 29:59.999 it refuses and at 30:00 it is a new send, ${garbage}`, async (t) => {
      const { server, sink, advance } = await serveAtRest(t);
      const first = await send(server, withKey('k'));
      advance(30 * minuteMs - 1);
      if (collected) await server.tick();
      assertDuplicate(await send(server, withKey('k')), first);
      advance(1);
      if (collected) await server.tick();
      const second = await send(server, withKey('k'));
      assertDuplicate(await send(server, withKey('k')), second);
      await assertMailed(server, sink, [...messageIdsOf(first), ...messageIdsOf(second)]);
    });
  }

  test('lives 30 minutes from its use also where the mail leaves later', async (t) => {
    const { server, advance } = await serveAtRest(t);
    const scheduledAt = new Date(Date.now() + 600 * minuteMs).toISOString();
    const first = await send(server, withKey('k', { scheduledAt }));
    assert.equal(first.status, 202);
    assertDuplicate(await send(server, withKey('k', { scheduledAt })), first);
    advance(30 * minuteMs);
    assert.equal((await send(server, withKey('k', { scheduledAt }))).status, 202);
  });

  test('is still known after a restart', async (t) => {
    const { server, sink } = await serve(t);
    const first = await send(server, withKey('k'));
    await server.restart();
    assertDuplicate(await send(server, withKey('k')), first);
    await assertMailed(server, sink, messageIdsOf(first));
  });

  test('has a history that tells the same request from another one', async (t) => {
    const { server } = await serve(t);
    await send(server, withKey('k/1'));
    await send(server, withKey('k/1'));
    await send(server, withKey('k/1', { subject: 'other' }));
    const { json } = await server.call('GET', '/idempotency-keys/k%2F1?endpoint=/v3/smtp/email');
    assert.deepEqual([json.endpoint, json.replays, json.conflicts], ['POST /v3/smtp/email', 1, 1]);
    assert.deepEqual(
      json.uses.map((use: object) => Object.keys(use)),
      [
        ['at', 'kind', 'client'],
        ['at', 'kind', 'client'],
      ],
    );
    assert.equal(Date.parse(json.expires_at) - Date.parse(json.first_seen_at), 30 * minuteMs);
  });
});

describe('the key is found', () => {
  const places: [string, (key: string) => [Record<string, unknown>, Record<string, string>]][] = [
    ['as headers.idempotencyKey in the body', (key) => [mail({ headers: { idempotencyKey: key } }), {}]],
    ['as headers["Idempotency-Key"] in the body', (key) => [mail({ headers: { 'Idempotency-Key': key } }), {}]],
    ['in the HTTP header idempotencyKey', (key) => [mail(), { idempotencyKey: key }]],
    ['in the HTTP header Idempotency-Key', (key) => [mail(), { 'Idempotency-Key': key }]],
  ];
  for (const [place, request] of places) {
    test(`${place}, and is the same key as in every other place`, async (t) => {
      const { server, sink } = await serve(t);
      const first = await send(server, ...request('k'));
      for (const [, again] of places) assertRefused(await send(server, ...again('k')), first);
      await assertMailed(server, sink, messageIdsOf(first));
    });
  }

  test('in the first of these places where there are several', async (t) => {
    const { server } = await serve(t);
    const headers = { idempotencyKey: 'first', 'Idempotency-Key': 'second' };
    const http = { idempotencyKey: 'third', 'idempotency-key': 'fourth' };
    const first = await send(server, mail({ headers }), http);
    assertRefused(await send(server, withKey('first')), first);
    for (const free of ['second', 'third', 'fourth']) assert.equal((await send(server, withKey(free))).status, 201);
  });
});

describe('a key', () => {
  test('of 1 to 256 characters is taken, UUID or not', async (t) => {
    const { server } = await serve(t);
    for (const key of ['b52dbf-81dd-4a08-b807-085c', 'x', 'ü'.repeat(256), 'abc-123']) {
      assert.equal((await send(server, withKey(key))).status, 201);
    }
    for (const key of ['', 'x'.repeat(257), 7, {}, true]) {
      const reply = await send(server, mail({ headers: { idempotencyKey: key } }));
      assert.deepEqual([reply.status, reply.json.code], [400, 'invalid_parameter'], String(key));
    }
  });

  test('must be a UUID where BREVO_KEY_MUST_BE_UUID says so', async (t) => {
    const { server } = await serve(t, { environment: { BREVO_KEY_MUST_BE_UUID: 'true' } });
    const refused = await send(server, withKey('b52dbf-81dd-4a08-b807-085c'));
    assert.deepEqual([refused.status, refused.json.code], [400, 'invalid_parameter']);
    assert.match(refused.json.message, /UUID/);
    assert.equal((await send(server, withKey('5c6cfa04-eed9-42c2-8b5c-6d470d978e9d'))).status, 201);
    assert.equal((await send(server, mail())).status, 201);
  });

  test('in the headers of one version is refused: it would protect nothing', async (t) => {
    const { server, sink } = await serve(t);
    const messageVersions = [{ to: [{ email: 'a@example.org' }], headers: { idempotencyKey: 'k' } }];
    const reply = await send(server, mail({ messageVersions }));
    assert.deepEqual([reply.status, reply.json.messageVersion], [400, 0]);
    assert.match(reply.json.message, /idempotencyKey is for all versions together/);
    await assertMailed(server, sink, []);
  });

  test('that looks like an accident, or stands where nobody reads it, is warned about', async (t) => {
    const { server } = await serve(t);
    const accident = await send(server, withKey('undefined'));
    assert.match(accident.headers.get('sendonce-warning') ?? '', /unset variable/);
    const misplaced = await send(server, mail({ idempotencyKey: 'k' }));
    assert.match(misplaced.headers.get('sendonce-warning') ?? '', /`headers` of the body.*not protected/);
    assert.equal((await send(server, withKey('fine'))).headers.get('sendonce-warning'), null);
  });

  test('is not used up by a refusal', async (t) => {
    const { server, sink } = await serve(t);
    for (const wrong of [{ to: [] }, { subject: undefined }, { attachment: [{ name: 'a.exe', content: 'YQ==' }] }]) {
      assert.equal((await send(server, withKey('k', wrong))).status, 400);
    }
    const reply = await send(server, withKey('k'));
    await assertMailed(server, sink, messageIdsOf(reply));
  });

  test('does not collide with the same key on the other facade', async (t) => {
    const { server } = await serve(t);
    const brevo = await send(server, withKey('shared'));
    const resend = await server.call('POST', '/emails', message(), { 'idempotency-key': 'shared' });
    assert.deepEqual([brevo.status, resend.status], [201, 200]);
    assertDuplicate(await send(server, withKey('shared')), brevo);
    const replay = await server.call('POST', '/emails', message(), { 'idempotency-key': 'shared' });
    assert.equal(replay.text, resend.text);
  });

  test('belongs to its account', async (t) => {
    const { server, sink } = await serve(t);
    const other = await addApiKey(server, 'xkeysib-other', 'other');
    const ours = await send(server, withKey('k'));
    const theirs = await send(server, withKey('k'), { 'api-key': other });
    assertDuplicate(await send(server, withKey('k'), { 'api-key': other }), theirs);
    await assertMailed(server, sink, [...messageIdsOf(ours), ...messageIdsOf(theirs)]);
  });
});

describe('concurrent requests', () => {
  test('500 over 20 keys: 20 accepted, 20 mails, 480 refusals that name the first ids', async (t) => {
    const { server, sink } = await serve(t);
    const replies = await Promise.all(
      Array.from({ length: 500 }, async (_, index) => {
        const key = `key-${index % 20}`;
        return { key, reply: await send(server, withKey(key, { subject: key })) };
      }),
    );
    const accepted = replies.filter(({ reply }) => reply.status === 201);
    assert.equal(new Set(accepted.map(({ key }) => key)).size, 20);
    assert.equal(accepted.length, 20);
    for (const { key, reply } of replies) {
      const first = accepted.find((one) => one.key === key)?.reply;
      assert(first);
      if (reply !== first) assertDuplicate(reply, first);
    }
    await assertMailed(
      server,
      sink,
      accepted.flatMap(({ reply }) => messageIdsOf(reply)),
    );
  });

  test('a duplicate waits 3 s for the first, is told to come back with 429, and is refused once that one is accepted', async (t) => {
    const { server, sink } = await serve(t);
    const file = await startSlowFile(t);
    const body = withKey('slow', { attachment: [{ url: file.url }] });
    const winner = send(server, body);
    await file.asked;
    const early = await send(server, body);
    assert.deepEqual([early.status, early.json.code], [429, 'too_many_requests']);
    assert.equal(early.headers.get('retry-after'), '1');
    const waiting = send(server, body);
    file.finish();
    assertDuplicate(await waiting, await winner);
    await assertMailed(server, sink, messageIdsOf(await winner));
  });

  test('a duplicate takes over when the first one fails', async (t) => {
    const { server, sink } = await serve(t);
    const file = await startSlowFile(t);
    const first = send(server, withKey('slow', { attachment: [{ url: file.url }] }));
    await file.asked;
    const second = send(server, withKey('slow'));
    file.fail();
    assert.equal((await first).status, 400);
    await assertMailed(server, sink, messageIdsOf(await second));
  });
});

describe('the guard', () => {
  test('bites: where a key may be taken twice and is never found, a repeat is a second mail', async (t) => {
    const database = (own: Parameters<typeof bendDatabase>[0]) =>
      bendDatabase(own, [
        { when: 'from idempotency_keys where account = ?', find: 'account = ?', replace: 'account = ? and 1 = 0' },
        { when: 'where idempotency_keys.expires_at <= ?', replace: 'where 0 * idempotency_keys.expires_at <= ?' },
      ]);
    const { server, sink } = await serve(t, { outside: { database } });
    const replies = [await send(server, withKey('k')), await send(server, withKey('k'))];
    await assertMailed(server, sink, replies.flatMap(messageIdsOf));
    assert.equal(sink.received.length, 2);
  });
});

describe('below /v3', () => {
  test('a call the key’s header stands in twice is refused', async (t) => {
    const { server } = await serve(t);
    const reply = await exchange(server.url, {
      method: 'POST',
      path: '/v3/smtp/email',
      headers: [...Object.entries(asBrevo()), ['Idempotency-Key', 'a'], ['Idempotency-Key', 'a']],
      body: JSON.stringify(mail()),
    });
    assert.deepEqual([reply.status, reply.json.code], [400, 'invalid_parameter']);
  });
});
