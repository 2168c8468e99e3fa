/** A dot that left and no verdict: the mail is held and shown until an operator, the policy or a late verdict settles it, over real SMTP. */

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { createSmtpRelay } from '../../src/deliver/smtp.ts';
import { addApiKey, drained, serve } from '../support/served.ts';
import { startTestServer } from '../support/server.ts';
import { signal } from '../support/smtp-rig.ts';
import { startSink } from '../support/smtp-sink.ts';
import { type Mode, modes } from '../support/smtp-sink-modes.ts';
import { createTemp } from '../support/temp.ts';
import { lastEvent, runQueue, send, untilEvent } from './sending.ts';

const minuteMs = 60_000;

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
    const { server, sink, id } = await doubtful(t);
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
      relay: `smtp://127.0.0.1:${sink.port}`,
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

describe('a relay that said 451 to the dot', () => {
  const dkimKey = () =>
    generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ type: 'pkcs8', format: 'pem' });

  /** A mail that was put off, or not answered, by a server whose DKIM key is another one at the next start. */
  async function resigned(t: TestContext, mode: Mode) {
    const temp = createTemp();
    t.after(() => temp.remove());
    writeFileSync(temp.path('dkim.pem'), dkimKey());
    const environment = { DKIM_KEYS: `resend.dev:s1:${temp.path('dkim.pem')}` };
    const { server, sink } = await serve(t, { environment });
    sink.behave = () => mode;
    const id = await send(server);
    await untilEvent(server, id, 'delivery_delayed');
    sink.behave = () => modes.accept;
    writeFileSync(temp.path('dkim.pem'), dkimKey());
    await server.restart();
    return { server, sink, id };
  }

  it('has not taken the mail: another signature on the next try makes no doubt', async (t) => {
    const { server, sink, id } = await resigned(t, modes.deferAtDot);
    server.clock.advance(10_000);
    await untilEvent(server, id, 'sent');
    assert.equal(sink.count, 1);
  });

  it('is another case than one that said nothing: what may have left is not sent with another signature', async (t) => {
    const { server, sink, id } = await resigned(t, modes.acceptThenDrop);
    await server.call('POST', `/in-doubt/${id}`, { answer: 'send-again' });
    await untilEvent(server, id, 'sent');
    assert.equal(sink.count, 2, 'an operator may decide so');
  });
});
