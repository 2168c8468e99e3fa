/** From POST to the relay’s verdict and back into `last_event`, over real SMTP. */

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import PostalMime from 'postal-mime';
import { drained, serve } from '../support/served.ts';
import { modes } from '../support/smtp-sink-modes.ts';
import { createTemp } from '../support/temp.ts';
import { lastEvent, send, untilEvent } from './sending.ts';

const minuteMs = 60_000;

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
    // Of the one; on a busy machine the other may have been put off again before anybody looks.
    await server.until('it is sent to the one', async () => {
      const { data } = (await server.call('GET', `/emails/${id}/events`)).json;
      return data.some(({ type }: { type: string }) => type === 'sent');
    });
    replies.clear();
    server.clock.advance(minuteMs);
    await server.tick();
    await sink.waitFor(2);
    await drained(server);
    assert.equal(await lastEvent(server, id), 'sent');
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
