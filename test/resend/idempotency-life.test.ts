/** How long an idempotency key lives, and what it survives. */

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { SystemClock } from '../../src/clock.ts';
import { assertSentOnce, drained, type Served, serve } from '../support/served.ts';
import { message, type TestReply, type TestServer, testKey } from '../support/server.ts';

const secondMessage = 1_000;
const hourMs = 3_600 * secondMessage;
const dayMs = 24 * hourMs;

/** Stands still between two moves, so that a test can stop at the last millisecond. */
function createStoppedClock() {
  let ms = Date.now();
  const now = () => ms;
  const clock: SystemClock = { now, expiryNow: now, check() {} };
  return {
    clock,
    now,
    advance(by: number) {
      ms += by;
    },
  };
}

type Started = Served & { time: ReturnType<typeof createStoppedClock> };

async function start(t: TestContext, environment: Record<string, string> = {}): Promise<Started> {
  const time = createStoppedClock();
  return { ...(await serve(t, { environment, outside: { clock: time.clock } })), time };
}

function send(server: TestServer, change: Record<string, unknown> = {}): Promise<TestReply> {
  return server.call('POST', '/emails', message(change), { 'idempotency-key': 'k' });
}

function assertReplay(reply: TestReply, first: TestReply): void {
  assert.equal(first.status, 200, first.text);
  assert.deepEqual([reply.status, reply.text], [200, first.text]);
  assert.equal(reply.headers.get('idempotent-replayed'), 'true');
}

/** Accepted as an email of its own. */
function assertNew(reply: TestReply, first: TestReply): void {
  assert.equal(reply.status, 200, reply.text);
  assert.equal(reply.headers.get('idempotent-replayed'), null);
  assert.notEqual(reply.json.id, first.json.id);
}

async function expiryOf(server: TestServer): Promise<number> {
  const { json } = await server.call('GET', '/idempotency-keys/k');
  return Date.parse(json.expires_at);
}

describe('an idempotency key lives 24 hours', () => {
  for (const collected of [false, true]) {
    const garbage = collected ? 'while garbage is collected' : 'whether or not garbage was collected';
    test(`at 23:59:59 it replays and at 24:00:00 it is a new send, ${garbage}`, async (t) => {
      const { server, sink, time } = await start(t);
      const first = await send(server);
      time.advance(dayMs - secondMessage);
      if (collected) await server.tick();
      assertReplay(await send(server), first);
      time.advance(secondMessage - 1);
      if (collected) await server.tick();
      assertReplay(await send(server), first);
      time.advance(1);
      if (collected) await server.tick();
      const second = await send(server);
      assertNew(second, first);
      assertReplay(await send(server), second);
      await assertSentOnce(server, sink, [first.json.id, second.json.id]);
    });
  }

  test('a replay does not make it live longer', async (t) => {
    const { server, time } = await start(t);
    const first = await send(server);
    time.advance(dayMs - 1);
    assertReplay(await send(server), first);
    time.advance(1);
    assertNew(await send(server), first);
  });

  test('after that, another request under it is no conflict', async (t) => {
    const { server, time } = await start(t);
    const first = await send(server);
    assert.equal((await send(server, { subject: 'other' })).status, 409);
    time.advance(dayMs);
    assertNew(await send(server, { subject: 'other' }), first);
  });
});

describe('the key of a scheduled email lives 24 hours from its scheduled time', () => {
  test('so that a retry before and after it leaves is no second email', async (t) => {
    const { server, sink, time } = await start(t);
    const change = { scheduled_at: 'in 2 days' };
    const first = await send(server, change);
    time.advance(dayMs + hourMs);
    assertReplay(await send(server, change), first);
    assert.equal(sink.count, 0);
    time.advance(dayMs);
    await assertSentOnce(server, sink, [first.json.id]);
    assertReplay(await send(server, change), first);
    time.advance(dayMs - hourMs - 1);
    assertReplay(await send(server, change), first);
    time.advance(1);
    assertNew(await send(server, change), first);
  });

  test('a batch’s key lives from the last one of it', async (t) => {
    const { server, time } = await start(t);
    const batch = [message({ scheduled_at: 'in 5 days' }), message(), message({ scheduled_at: 'in 2 days' })];
    await server.call('POST', '/emails/batch', batch, { 'idempotency-key': 'k' });
    assert.equal(await expiryOf(server), time.now() + 6 * dayMs);
  });

  test('rescheduling moves it, either way, but never before its first 24 hours', async (t) => {
    const { server, time } = await start(t);
    const change = { scheduled_at: 'in 2 days' };
    const startedAt = time.now();
    const first = await send(server, change);
    const reschedule = async (at: number) => {
      const reply = await server.call('PATCH', `/emails/${first.json.id}`, {
        scheduled_at: new Date(at).toISOString(),
      });
      assert.equal(reply.status, 200, reply.text);
    };
    await reschedule(startedAt + 5 * dayMs);
    assert.equal(await expiryOf(server), startedAt + 6 * dayMs);
    await reschedule(startedAt + hourMs);
    assert.equal(await expiryOf(server), startedAt + dayMs + hourMs);
    await reschedule(startedAt - hourMs);
    assert.equal(await expiryOf(server), startedAt + dayMs);
    assertReplay(await send(server, change), first);
  });
});

describe('with KEY_LIFETIME an idempotency key', () => {
  test('lives as long as it says, from the scheduled time too, and never shorter than 24 hours', async (t) => {
    const { server, time } = await start(t, { KEY_LIFETIME: '30d' });
    const first = await send(server);
    assert.equal(await expiryOf(server), time.now() + 30 * dayMs);
    time.advance(30 * dayMs - 1);
    assertReplay(await send(server), first);
    time.advance(1);
    const change = { scheduled_at: 'in 2 days' };
    const second = await send(server, change);
    assertNew(second, first);
    assert.equal(await expiryOf(server), time.now() + 32 * dayMs);
    const moved = { scheduled_at: new Date(time.now() + 5 * dayMs).toISOString() };
    assert.equal((await server.call('PATCH', `/emails/${second.json.id}`, moved)).status, 200);
    assert.equal(await expiryOf(server), time.now() + 35 * dayMs);
  });

  test('of Brevo lives 30 minutes all the same', async (t) => {
    const { server, time } = await start(t, { KEY_LIFETIME: '30d' });
    const content = {
      sender: { email: 'a@acme.example' },
      to: [{ email: 'b@acme.example' }],
      subject: 's',
      textContent: 't',
    };
    const body = { ...content, headers: { idempotencyKey: 'k' } };
    const reply = await server.call('POST', '/v3/smtp/email', body, { 'api-key': testKey });
    assert.equal(reply.status, 201, reply.text);
    assert.equal(Date.parse(reply.headers.get('sendonce-key-expires') ?? ''), time.now() + hourMs / 2);
    const refused = await server.call('POST', '/v3/smtp/email', body, { 'api-key': testKey });
    assert.deepEqual([refused.status, refused.headers.get('sendonce-key-expires')], [400, null]);
  });
});

describe('Sendonce-Key-Expires', () => {
  test('comes with the first answer and every replay, and never without a key', async (t) => {
    const { server, time } = await start(t);
    const expected = new Date(time.now() + dayMs).toISOString();
    const told = (reply: TestReply) => reply.headers.get('sendonce-key-expires');
    assert.equal(told(await send(server)), expected);
    time.advance(hourMs);
    assert.equal(told(await send(server)), expected);
    assert.equal(told(await send(server, { subject: 'other' })), null);
    assert.equal(told(await server.call('POST', '/emails', message())), null);
    const batch = await server.call('POST', '/emails/batch', [message()], { 'idempotency-key': 'b' });
    assert.equal(told(batch), new Date(time.now() + dayMs).toISOString());
  });
});

describe('an idempotency key survives', () => {
  test('a restart', async (t) => {
    const { server, sink } = await start(t);
    const first = await send(server);
    await server.restart();
    assertReplay(await send(server), first);
    assert.equal((await send(server, { subject: 'other' })).status, 409);
    await assertSentOnce(server, sink, [first.json.id]);
  });

  test('the cancel of its email', async (t) => {
    const { server, sink, time } = await start(t);
    const change = { scheduled_at: 'in 1 hour' };
    const first = await send(server, change);
    assert.equal((await server.call('POST', `/emails/${first.json.id}/cancel`)).status, 200);
    assertReplay(await send(server, change), first);
    time.advance(2 * hourMs);
    assertReplay(await send(server, change), first);
    await assertSentOnce(server, sink, []);
  });

  test('a bounce of its email', async (t) => {
    const { server, sink } = await start(t);
    sink.behave = () => ({ rcpt: () => '550 5.1.1 nobody here' });
    const first = await send(server);
    await drained(server);
    assert.equal((await server.call('GET', `/emails/${first.json.id}`)).json.last_event, 'bounced');
    assertReplay(await send(server), first);
    await assertSentOnce(server, sink, []);
  });

  test('the purge of its emails’ contents', async (t) => {
    const { server, sink, time } = await start(t, { RETENTION_DAYS: '1' });
    const headers = { 'idempotency-key': 'k' };
    const attachments = [{ content: 'aGk=', filename: 'a.txt' }];
    const batch = [message({ attachments }), message({ scheduled_at: 'in 3 days' })];
    const first = await server.call('POST', '/emails/batch', batch, headers);
    const id = first.json.data[0].id;
    await server.until('the first one has left', () => sink.count === 1);
    time.advance(2 * dayMs);
    await server.until('it is purged', async () => {
      return (await server.call('GET', `/emails/${id}`)).json.html === null;
    });
    assert.deepEqual((await server.call('GET', `/emails/${id}/attachments`)).json.data, []);
    assertReplay(await server.call('POST', '/emails/batch', batch, headers), first);
    const refused = await server.call('POST', '/emails/batch', [message()], headers);
    assert.deepEqual([refused.status, refused.json.different_fields], [409, []]);
    assert.match(refused.json.hint, /have been purged/);
    time.advance(dayMs);
    await assertSentOnce(
      server,
      sink,
      first.json.data.map((one: { id: string }) => one.id),
    );
  });
});
