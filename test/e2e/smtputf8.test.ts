/** Addresses beyond ASCII (RFC 6531): asked for where the relay offers it; where it does not, everybody else gets theirs. */

import assert from 'node:assert/strict';
import { isAscii } from 'node:buffer';
import { describe, it, type TestContext } from 'node:test';
import type { Relay } from '../../src/deliver/relay.ts';
import { createSmtpRelay } from '../../src/deliver/smtp.ts';
import { noneOpen } from '../support/open.ts';
import { message, startTestServer } from '../support/server.ts';
import { startSink } from '../support/smtp-sink.ts';

async function serve(t: TestContext, extensions?: string[], around = (relay: Relay) => relay) {
  const sink = await startSink(extensions ? { extensions } : {});
  const relay = createSmtpRelay({ host: '127.0.0.1', port: sink.port, secure: false, auth: null });
  const server = await startTestServer({ relay: around(relay) });
  t.after(async () => {
    await server.stop();
    await sink.close();
  });
  const send = async (change: Record<string, unknown>) => {
    const { json } = await server.call('POST', '/emails', message(change));
    const eventsOf = async () => (await server.call('GET', `/emails/${json.id}/events`)).json.data;
    return { id: json.id as string, eventsOf };
  };
  return { sink, server, send };
}

const without = ['PIPELINING', '8BITMIME', 'ENHANCEDSTATUSCODES'];

describe('a recipient beyond ASCII', () => {
  it('bounces with a sentence where the relay offers no SMTPUTF8, and the others get a mail without a byte over 127', async (t) => {
    const { sink, server, send } = await serve(t, without);
    const change = {
      to: ['ü@rcpt.test', 'Zoë <bob@rcpt.test>'],
      cc: ['ö@rcpt.test'],
      reply_to: 'ä@acme.test',
      subject: 'Grüße',
    };
    const { id } = await send(change);
    await server.until('both are settled', async () => {
      const { text } = await server.call('GET', '/metrics');
      return sink.received.length === 1 && noneOpen(text);
    });
    const [mail] = sink.received;
    assert.deepEqual(mail?.to, ['bob@rcpt.test']);
    assert(mail && isAscii(mail.bytes), 'no byte over 127');
    const text = mail.bytes.toString();
    assert.match(text, /^To: =\?UTF-8\?.*<bob@rcpt\.test>\r$/m);
    assert.doesNotMatch(text, /^(?:Cc|Reply-To):/m);
    assert(
      sink.commands.every((line) => isAscii(Buffer.from(line))),
      `said: ${sink.commands}`,
    );
    const { json } = await server.call('GET', `/emails/${id}/events`);
    const told = JSON.stringify(json);
    assert.match(told, /bounced/);
    assert.match(told, /offers no SMTPUTF8/);
  });

  it('would be told to a relay that cannot take it if nothing were left out: the control', async (t) => {
    const bare = (relay: Relay): Relay => ({
      name: relay.name,
      concurrency: relay.concurrency,
      ship: (shipment, gate) => relay.ship({ ...shipment, plain: null }, gate),
      close: () => relay.close(),
    });
    const { sink, server, send } = await serve(t, without, bare);
    await send({ to: ['ü@rcpt.test', 'bob@rcpt.test'], reply_to: 'ä@acme.test' });
    await server.until('it is there', () => sink.received.length === 1);
    assert(!sink.commands.every((line) => isAscii(Buffer.from(line))));
    assert(!isAscii(sink.received[0]?.bytes ?? Buffer.alloc(0)));
  });

  it('gets theirs where the relay offers it, which a Reply-To alone asks for, too', async (t) => {
    const { sink, server, send } = await serve(t);
    await send({ to: ['ü@rcpt.test'] });
    await send({ to: ['bob@rcpt.test'], reply_to: 'ä@acme.test' });
    await send({ to: ['bob@rcpt.test'], subject: 'Grüße' });
    await server.until('all are there', () => sink.received.length === 3);
    const asked = sink.commands.filter((line) => /^MAIL FROM:.* SMTPUTF8/.test(line)).length;
    assert.equal(asked, 2, 'and what is encoded asks for nothing');
    assert(sink.received.some(({ to }) => to[0] === 'ü@rcpt.test'));
  });

  it('is alone in To: nobody else’s mail lacks a To for it', async (t) => {
    const { sink, server, send } = await serve(t, without);
    await send({ to: ['ü@rcpt.test'], cc: ['bob@rcpt.test'] });
    await server.until('it is there', () => sink.received.length === 1);
    assert.match(sink.received[0]?.bytes.toString() ?? '', /^To: undisclosed-recipients:;\r$/m);
  });
});
