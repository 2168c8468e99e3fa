/** From POST to the relay's verdict and back into `last_event`, over real SMTP. */

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import PostalMime from 'postal-mime';
import { queue } from '../../src/command/queue.ts';
import { readConfig } from '../../src/config.ts';
import { hashToken } from '../../src/core/token.ts';
import { createSmtpRelay } from '../../src/deliver/smtp.ts';
import { ensureAccount, insertApiKey } from '../../src/store/accounts.ts';
import { openDatabase } from '../support/engine.ts';
import { printed } from '../support/printed.ts';
import { addApiKey, drained, serve } from '../support/served.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';
import { signal } from '../support/smtp-rig.ts';
import { startSink } from '../support/smtp-sink.ts';
import { modes } from '../support/smtp-sink-modes.ts';
import { createTemp } from '../support/temp.ts';

const minuteMs = 60_000;

async function send(server: TestServer, change: Record<string, unknown> = {}): Promise<string> {
  const { status, json } = await server.call('POST', '/emails', message(change));
  assert.equal(status, 200);
  return json.id;
}

async function lastEvent(server: TestServer, id: string): Promise<string> {
  return (await server.call('GET', `/emails/${id}`)).json.last_event;
}

function untilEvent(server: TestServer, id: string, event: string): Promise<void> {
  return server.until(`it is ${event}`, async () => (await lastEvent(server, id)) === event);
}

/** What the operator types, on the database of a running server. */
function runQueue(server: TestServer, ...words: string[]): Promise<string> {
  return printed(() => queue(readConfig({ DATABASE_URL: server.databaseUrl }), words));
}

describe('an accepted email', () => {
  it('leaves once, whole, and is sent', async (t) => {
    const { server, sink } = await serve(t);
    const id = await send(server, {
      cc: 'c@example.com',
      bcc: ['b@example.com'],
      text: 'plain',
      reply_to: 'r@acme.test',
    });
    await untilEvent(server, id, 'sent');
    const [received] = sink.received;
    assert.deepEqual(received?.to, ['foo@gmail.com', 'c@example.com', 'b@example.com']);
    assert.equal(received?.from, 'onboarding@resend.dev');
    const parsed = await PostalMime.parse(received?.bytes ?? '');
    assert.equal(parsed.subject, 'hello world');
    assert.equal(parsed.text?.trim(), 'plain');
    assert.equal(parsed.messageId, (await server.call('GET', `/emails/${id}`)).json.message_id);
    assert.equal(
      parsed.headers.some(({ key }) => key === 'bcc'),
      false,
    );
  });

  it('counts as delivered where the settings say so', async (t) => {
    const { server } = await serve(t, { environment: { SENT_COUNTS_AS_DELIVERED: 'true' } });
    await untilEvent(server, await send(server), 'delivered');
  });

  it('is signed when a key is configured for its domain, and only then', async (t) => {
    const temp = createTemp();
    t.after(() => temp.remove());
    const { privateKey } = generateKeyPairSync('ed25519');
    writeFileSync(temp.path('key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const { server, sink } = await serve(t, { environment: { DKIM_KEYS: `acme.test:s1:${temp.path('key.pem')}` } });
    await send(server, { from: 'Acme <a@acme.test>' });
    await send(server, { from: 'Other <a@other.test>' });
    await sink.waitFor(2);
    const signed = sink.received.map(({ bytes }) => /^DKIM-Signature: .*d=acme\.test/ms.test(bytes.toString()));
    assert.deepEqual(signed.sort(), [false, true]);
  });

  it('tells each recipient apart when the relay does', async (t) => {
    const { server, sink } = await serve(t);
    const replies = new Map([
      ['no@example.com', '550 5.1.1 nobody here'],
      ['later@example.com', '450 4.2.1 busy'],
    ]);
    sink.behave = () => ({ rcpt: (address) => replies.get(address) });
    const id = await send(server, { to: ['yes@example.com', 'no@example.com', 'later@example.com'] });
    await untilEvent(server, id, 'sent');
    replies.clear();
    server.clock.advance(2_000);
    await server.tick();
    await sink.waitFor(2);
    await drained(server);
    assert.deepEqual(
      sink.received.map(({ to }) => to),
      [['yes@example.com'], ['later@example.com']],
    );
  });

  it('bounces without a dot when every recipient is refused', async (t) => {
    const { server, sink } = await serve(t);
    sink.behave = () => ({ rcpt: () => '550 5.1.1 nobody here' });
    await untilEvent(server, await send(server), 'bounced');
    assert.equal(sink.dots, 0);
  });

  it('is tried again after 4yz, with the same bytes', async (t) => {
    const { server, sink } = await serve(t);
    const bodies: Buffer[] = [];
    sink.behave = ({ transaction }) => (transaction === 1 ? { dot: { say: '451 later\r\n' } } : modes.accept);
    const id = await send(server);
    await untilEvent(server, id, 'delivery_delayed');
    const firstBytes = sink.bodyBytes;
    server.clock.advance(2_000);
    await untilEvent(server, id, 'sent');
    bodies.push(sink.received[0]?.bytes ?? Buffer.alloc(0));
    assert.equal(sink.bodyBytes, 2 * firstBytes);
    assert.equal(sink.count, 1);
  });

  it('waits out a relay that is away, and is given up after three days', async (t) => {
    const { server, sink } = await serve(t, { environment: { RELAY_URL: 'smtp://127.0.0.1:1' } });
    const id = await send(server);
    await untilEvent(server, id, 'delivery_delayed');
    server.clock.advance(3 * 24 * 60 * minuteMs);
    await untilEvent(server, id, 'bounced');
    assert.equal(sink.count, 0);
  });

  it('does not leave when it is canceled first', async (t) => {
    const { server, sink } = await serve(t);
    const id = await send(server, { scheduled_at: 'in 1 hour' });
    assert.equal(await lastEvent(server, id), 'scheduled');
    await server.call('POST', `/emails/${id}/cancel`);
    server.clock.advance(2 * 60 * minuteMs);
    await server.tick();
    await send(server);
    await sink.waitFor(1);
    assert.equal(await lastEvent(server, id), 'canceled');
    assert.equal(sink.received[0]?.bytes.includes(id), false);
  });

  it('leaves at its time', async (t) => {
    const { server, sink } = await serve(t);
    const id = await send(server, { scheduled_at: 'in 1 hour' });
    server.clock.advance(59 * minuteMs);
    await server.tick();
    assert.equal(sink.count, 0);
    server.clock.advance(minuteMs + 1_000);
    await untilEvent(server, id, 'sent');
  });
});

describe('Resend’s test addresses', () => {
  for (const [address, event] of [
    ['delivered@resend.dev', 'delivered'],
    ['bounced+label@resend.dev', 'bounced'],
    ['complained@resend.dev', 'complained'],
    ['suppressed@resend.dev', 'suppressed'],
  ] as const) {
    it(`${address} ends as ${event}, and nothing leaves`, async (t) => {
      const { server, sink } = await serve(t);
      await untilEvent(server, await send(server, { to: address }), event);
      assert.equal(sink.connections, 0);
    });
  }

  it('beside a real recipient do not keep it from its mail', async (t) => {
    const { server, sink } = await serve(t);
    await send(server, { to: ['bounced@resend.dev', 'real@example.com'] });
    await drained(server);
    assert.deepEqual(
      sink.received.map(({ to }) => to),
      [['real@example.com']],
    );
  });
});

describe('an email in doubt', () => {
  async function doubtful(t: TestContext, change: Record<string, unknown> = {}) {
    const { server, sink } = await serve(t);
    sink.behave = () => modes.acceptThenDrop;
    const id = await send(server, change);
    await untilEvent(server, id, 'delivery_delayed');
    sink.behave = () => modes.accept;
    return { server, sink, id };
  }

  it('is held, shown in the API, in the metrics and in the queue', async (t) => {
    const { server, sink, id } = await doubtful(t);
    assert.equal((await server.call('GET', `/emails/${id}`)).json.in_doubt, true);
    assert.match((await server.call('GET', '/metrics')).text, /sendonce_open_deliveries\{state="in_doubt"\} 1/);
    assert.match(await runQueue(server), new RegExp(`1 in_doubt[^]*in_doubt +${id}`));
    server.clock.advance(24 * 60 * minuteMs);
    await server.tick();
    await server.tick();
    assert.equal(sink.count, 1);
  });

  it('goes out again with the same bytes when an operator says so, and is no longer in doubt', async (t) => {
    const { server, sink, id } = await doubtful(t);
    await runQueue(server, 'settle', id, 'send-again');
    await untilEvent(server, id, 'sent');
    assert.equal(sink.count, 2);
    assert.deepEqual(sink.received[0]?.bytes, sink.received[1]?.bytes);
    assert.equal((await server.call('GET', `/emails/${id}`)).json.in_doubt, undefined);
  });

  it('is listed on the command line with the times it was handed over, answered or not', async (t) => {
    const { server, sink, id } = await doubtful(t);
    const tries = async () => /in_doubt.*? (\d+) +\S+@/.exec(await runQueue(server))?.[1];
    assert.equal(await tries(), '1');
    sink.behave = () => modes.acceptThenDrop;
    await runQueue(server, 'settle', id, 'send-again');
    await sink.until(() => sink.count === 2);
    await server.until(
      'it is in doubt again',
      async () => (await server.call('GET', '/in-doubt')).json.data.length === 1,
    );
    assert.equal(await tries(), '2');
  });

  for (const [answer, event] of [
    ['sent', 'sent'],
    ['abandon', 'failed'],
  ] as const) {
    it(`becomes ${event} when an operator answers "${answer}", and nothing more leaves`, async (t) => {
      const { server, sink, id } = await doubtful(t);
      await runQueue(server, 'settle', id, answer);
      assert.equal(await lastEvent(server, id), event);
      await drained(server);
      assert.equal(sink.count, 1);
    });
  }

  it('is listed over HTTP with its evidence, to its own account only', async (t) => {
    const { server, id } = await doubtful(t);
    const { json } = await server.call('GET', '/in-doubt');
    const [{ handed_off_at, reason, ...known }] = json.data;
    assert.match(handed_off_at, /^\d{4}-\d\d-\d\dT/);
    assert.match(reason, /\w/);
    assert.deepEqual([json.object, json.has_more, json.data.length], ['list', false, 1]);
    assert.deepEqual(known, {
      object: 'delivery',
      id,
      email_id: id,
      message_id: `<${id}@resend.dev>`,
      to: ['foo@gmail.com'],
      subject: 'hello world',
      sends_again_at: null,
    });
    const other = { authorization: `Bearer ${await addApiKey(server, 're_other', 'other')}` };
    assert.deepEqual((await server.call('GET', '/in-doubt', undefined, other)).json.data, []);
    assert.equal((await server.call('POST', `/in-doubt/${id}`, { answer: 'sent' }, other)).status, 404);
    assert.equal((await server.call('GET', `/emails/${id}`)).json.in_doubt, true);
  });

  it('goes out again when an operator says so over HTTP, once', async (t) => {
    const { server, sink, id } = await doubtful(t);
    const { json } = await server.call('POST', `/in-doubt/${id}`, { answer: 'send-again' });
    assert.deepEqual(json, { object: 'delivery', id, state: 'queued' });
    await untilEvent(server, id, 'sent');
    assert.deepEqual(sink.received[0]?.bytes, sink.received[1]?.bytes);
    const again = await server.call('POST', `/in-doubt/${id}`, { answer: 'send-again' });
    assert.deepEqual([again.status, again.json.name], [404, 'not_found']);
    assert.equal(sink.count, 2);
  });

  it('takes no answer it does not know, and pages through what is held', async (t) => {
    const { server, id } = await doubtful(t);
    for (const body of [{}, { answer: 'yes' }, [], 'x'].map((one) => JSON.stringify(one))) {
      const { status, json } = await server.call('POST', `/in-doubt/${id}`, body);
      assert.deepEqual([status, json.name], [422, 'validation_error'], body);
      assert.match(json.message, /`sent`.*`send-again`.*`abandon`/);
    }
    assert.equal((await server.call('POST', '/in-doubt/none', { answer: 'sent' })).status, 404);
    assert.equal((await server.call('DELETE', '/in-doubt')).status, 405);
    for (const query of ['limit=0', 'limit=101', 'limit=x', 'after=x'])
      assert.equal((await server.call('GET', `/in-doubt?${query}`)).status, 422, query);
    assert.deepEqual((await server.call('GET', `/in-doubt?after=${id}`)).json.data, []);
  });

  it('goes out again by itself after ten minutes when its tag says so', async (t) => {
    const { server, sink, id } = await doubtful(t, { tags: [{ name: 'sendonce-in-doubt', value: 'send-again' }] });
    server.clock.advance(9 * minuteMs);
    await server.tick();
    assert.equal(sink.count, 1);
    server.clock.advance(2 * minuteMs);
    await untilEvent(server, id, 'sent');
    assert.equal(sink.duplicates().length, 1);
  });

  it('goes out again by itself when its header says so, and the header stays here', async (t) => {
    const { server, sink, id } = await doubtful(t, { headers: { 'Sendonce-In-Doubt': 'send-again', 'X-Kept': '1' } });
    server.clock.advance(11 * minuteMs);
    await untilEvent(server, id, 'sent');
    const bytes = sink.received[0]?.bytes.toString() ?? '';
    assert.match(bytes, /^X-Kept: 1/m);
    assert.doesNotMatch(bytes, /sendonce-in-doubt/i);
  });

  it('survives a restart as it was', async (t) => {
    const { server, sink, id } = await doubtful(t);
    await server.restart();
    await server.tick();
    assert.equal((await server.call('GET', `/emails/${id}`)).json.in_doubt, true);
    assert.equal(sink.count, 1);
  });
});

describe('a verdict that comes late', () => {
  /** A mail whose relay has thought about its dot for longer than we wait. */
  async function overdue(t: TestContext, say: string, change: Record<string, unknown> = {}) {
    const late = signal();
    const sink = await startSink({ behave: () => ({ dot: { when: late.promise, accept: say.startsWith('2'), say } }) });
    const relay = createSmtpRelay({
      host: '127.0.0.1',
      port: sink.port,
      secure: false,
      auth: null,
      verdictTimeoutMs: 30,
    });
    const server = await startTestServer({ relay });
    t.after(async () => {
      await server.stop();
      await sink.close();
    });
    const id = await send(server, change);
    await untilEvent(server, id, 'delivery_delayed');
    assert.equal((await server.call('GET', `/emails/${id}`)).json.in_doubt, true);
    return { server, sink, id, late };
  }

  it('settles the doubt', async (t) => {
    const { server, sink, id, late } = await overdue(t, '250 2.0.0 taken\r\n');
    late.resolve();
    await untilEvent(server, id, 'sent');
    assert.equal((await server.call('GET', `/emails/${id}`)).json.in_doubt, undefined);
    assert.equal(sink.count, 1);
  });

  it('stops the second copy that the policy has queued meanwhile', async (t) => {
    const again = { tags: [{ name: 'sendonce-in-doubt', value: 'send-again' }] };
    const { server, sink, id, late } = await overdue(t, '250 2.0.0 taken\r\n', again);
    const isOpen = signal();
    sink.behave = () => ({ mail: { when: isOpen.promise } });
    server.clock.advance(11 * minuteMs);
    await server.tick();
    await sink.until(() => sink.transactions === 2);
    late.resolve();
    await untilEvent(server, id, 'sent');
    isOpen.resolve();
    await drained(server);
    assert.equal(sink.count, 1, 'the second attempt found its gate shut');
  });

  it('that says no lets the same mail be tried again', async (t) => {
    const { server, sink, id, late } = await overdue(t, '451 4.3.0 not now\r\n');
    sink.behave = () => modes.accept;
    late.resolve();
    await server.until('it is queued', async () => !(await server.call('GET', `/emails/${id}`)).json.in_doubt);
    server.clock.advance(10_000);
    await untilEvent(server, id, 'sent');
    assert.equal(sink.count, 1);
  });

  it('changes nothing once an operator has decided', async (t) => {
    const { server, id, late } = await overdue(t, '250 2.0.0 taken\r\n');
    await server.call('POST', `/in-doubt/${id}`, { answer: 'abandon' });
    late.resolve();
    await server.restart();
    assert.equal(await lastEvent(server, id), 'failed');
  });
});

describe('a stop', () => {
  it('hands back what waits for its relay, and leaves nothing in doubt', async (t) => {
    const { server, sink } = await serve(t);
    let open = () => {};
    const answered = new Promise<void>((resolve) => {
      open = resolve;
    });
    sink.behave = () => ({ mail: { when: answered } });
    const id = await send(server);
    await sink.until(() => sink.commands.some((line) => line.startsWith('MAIL')));
    await server.restart();
    open();
    sink.behave = () => modes.accept;
    await untilEvent(server, id, 'sent');
    assert.equal(sink.count, 1);
  });

  it('waits for the verdict on a dot that has left', async (t) => {
    const { server, sink } = await serve(t);
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    sink.behave = () => ({ dot: { when: answered, accept: true, say: '250 taken\r\n' } });
    const id = await send(server);
    await sink.until(() => sink.dots === 1);
    const restarted = server.restart();
    answer();
    await restarted;
    assert.equal(await lastEvent(server, id), 'sent');
    assert.equal(sink.count, 1);
  });
});

describe('claims', () => {
  it('are fair: one account’s backlog does not hold up another’s mail', async (t) => {
    const { server, sink } = await serve(t, { environment: { RELAY_CONNECTIONS: '1' } });
    const database = await openDatabase(server.databaseUrl);
    await database.write(async (tx) => {
      await ensureAccount(tx, 'other', 0);
      const key = { account: 'other', id: 'k', name: '', permission: 'full_access' as const, createdAt: 0 };
      await insertApiKey(tx, hashToken('re_other'), key);
    });
    await database.close();
    const backlog = Array.from({ length: 100 }, () => message({ scheduled_at: 'in 1 min' }));
    for (let batches = 0; batches < 3; batches += 1) await server.call('POST', '/emails/batch', backlog);
    server.clock.advance(30_000);
    const late = message({ from: 'b@other.test', scheduled_at: 'in 1 min' });
    await server.call('POST', '/emails', late, { authorization: 'Bearer re_other' });
    server.clock.advance(10 * minuteMs);
    await server.tick();
    await sink.until(() => sink.received.some(({ from }) => from === 'b@other.test'));
    const before = sink.received.findIndex(({ from }) => from === 'b@other.test');
    assert.ok(before < 20, `it was among the first: ${before} had left`);
  });
});
