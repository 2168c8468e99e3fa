/** Sessions with a smarthost: TLS, AUTH, use again, retry of a dead one, bounds, end; and the URL they are made from. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type net from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { DsnAsked } from '../../src/core/dsn.ts';
import { outcomeName } from '../../src/core/outcome.ts';
import { noReply } from '../../src/core/reply.ts';
import type { Shipment } from '../../src/deliver/relay.ts';
import { createSmtpRelay } from '../../src/deliver/smtp.ts';
import { testCertificate, testCertificateKey } from '../support/certificate.ts';
import { mail, openGate, rig, signal, watchedGate, wordsOf } from '../support/smtp-rig.ts';
import type { Context } from '../support/smtp-sink.ts';
import { type Mode, modes } from '../support/smtp-sink-modes.ts';

const auth = { user: 'me', pass: 'se cret:/@' };
const tls = { ca: testCertificate };

describe('sessions', () => {
  test('are used again, one after the other', async (t) => {
    const { sink, relay } = await rig(t);
    for (const name of ['a', 'b', 'c']) assert.equal(outcomeName(await relay.ship(mail(name), openGate)), 'sent');
    assert.deepEqual([sink.connections, sink.count], [1, 3]);
    assert.deepEqual(
      sink.received.map(({ bytes }) => String(bytes)),
      ['a', 'b', 'c'].map((name) => String(mail(name).bytes)),
    );
  });

  test('are used again after a refusal of the dot, and after RSET where the envelope came to nothing', async (t) => {
    const script: Mode[] = [
      modes.refuseAtDot,
      { rcpt: () => '550 5.1.1 nobody' },
      modes.refuseData,
      modes.refuseMail,
      {},
    ];
    const { sink, relay } = await rig(
      t,
      { behave: ({ transaction }) => script[transaction - 1] ?? {} },
      { concurrency: 1 },
    );
    const kinds: string[] = [];
    for (const _ of script) kinds.push(outcomeName(await relay.ship(mail('one'), openGate)));
    assert.deepEqual(kinds, ['bounced', 'refused', 'bounced', 'bounced', 'sent']);
    assert.equal(sink.connections, 1);
    assert.equal(sink.commands.filter((line) => line === 'RSET').length, 3);
  });

  test('are not used again where 354 followed refusals alone: nothing may be said there', async (t) => {
    const mode: Mode = { rcpt: () => '550 5.1.1 nobody', ...modes.always354 };
    const behave = ({ transaction }: Context) => (transaction === 1 ? mode : {});
    const { sink, relay } = await rig(t, { behave }, { concurrency: 1 });
    assert.equal(outcomeName(await relay.ship(mail('a'), openGate)), 'refused');
    assert.equal(outcomeName(await relay.ship(mail('b'), openGate)), 'sent');
    assert.deepEqual([sink.connections, sink.dots, sink.bodyBytes], [2, 1, mail('b').bytes.length + 3]);
  });

  test('are as many as allowed, and no more', async (t) => {
    const { promise, resolve } = signal();
    const behave = () => ({ dot: { when: promise, accept: true } });
    const { sink, relay } = await rig(t, { behave }, { concurrency: 3 });
    const shipped = Array.from({ length: 12 }, (_, index) => relay.ship(mail(`m${index}`), openGate));
    await sink.until(({ dots }) => dots === 3);
    resolve();
    assert.ok((await Promise.all(shipped)).every((one) => outcomeName(one) === 'sent'));
    assert.deepEqual([sink.connections, sink.count, relay.concurrency], [3, 12, 3]);
  });

  test('end after some mails', async (t) => {
    const { sink, relay } = await rig(t, {}, { messagesPerSession: 2 });
    for (const name of ['a', 'b', 'c', 'd', 'e']) await relay.ship(mail(name), openGate);
    assert.equal(sink.connections, 3);
  });

  test('end with QUIT when idle, and at close, after which nothing is shipped', async (t) => {
    const { sink, relay } = await rig(t, {}, { idleMs: 20 });
    await relay.ship(mail('a'), openGate);
    await sink.until(({ commands }) => commands.at(-1) === 'QUIT');
    await relay.ship(mail('b'), openGate);
    await relay.close();
    assert.deepEqual(
      sink.commands.filter((line) => line === 'QUIT'),
      ['QUIT', 'QUIT'],
    );
    assert.deepEqual(await relay.ship(mail('c'), openGate), {
      phase: 'unreached',
      reply: noReply('the relay is closed'),
      isAway: true,
    });
  });

  const deaths: Array<[string, Mode]> = [
    ['a close', modes.dropAtMail],
    ['a reset', { mail: { leave: 'reset' } }],
    ['421', modes.goodbyeAtMail],
    ["SES's 451 4.4.2", { mail: { say: '451 4.4.2 timeout waiting for data\r\n', leave: 'close' } }],
    ['silence', { mail: { leave: 'silence' } }],
  ];
  for (const [name, mode] of deaths) {
    test(`found dead at MAIL by ${name} are replaced once, and the gate is asked once`, async (t) => {
      const dies = ({ connection, transaction }: Context) => (connection === 1 && transaction === 2 ? mode : {});
      const { sink, relay } = await rig(t, { behave: dies }, name === 'silence' ? { stallTimeoutMs: 150 } : {});
      await relay.ship(mail('a'), openGate);
      const { gate, asked } = watchedGate();
      assert.equal(outcomeName(await relay.ship(mail('b'), gate)), 'sent');
      assert.deepEqual([sink.connections, sink.dots, asked.length], [2, 2, 1]);
    });
  }

  test('that die while idle are not used, and end nothing', async (t) => {
    const { sink, relay } = await rig(t, {
      behave: () => ({ dot: { accept: true, say: '250 ok\r\n', leave: 'close' } }),
    });
    for (const name of ['a', 'b', 'c']) assert.equal(outcomeName(await relay.ship(mail(name), openGate)), 'sent');
    assert.deepEqual([sink.connections, sink.dots], [3, 3]);
  });

  test('in which the relay said more than was asked are not used again', async (t) => {
    const behave = ({ transaction }: Context) =>
      transaction === 1 ? { dot: { accept: true, say: '250 ok\r\n550 5.1.1 and another thing\r\n' } } : {};
    const { sink, relay } = await rig(t, { behave });
    assert.equal(outcomeName(await relay.ship(mail('a'), openGate)), 'sent');
    assert.equal(outcomeName(await relay.ship(mail('b'), openGate)), 'sent');
    assert.equal(sink.connections, 2);
  });
});

describe('what MAIL says', () => {
  test('ENVID, RET, SIZE and BODY where the relay knows them', async (t) => {
    const { sink, relay } = await rig(t);
    const one = mail('one', { body: 'Grüße\r\n' });
    await relay.ship(one, openGate);
    const size = `SIZE=${one.bytes.length}`;
    assert.equal(sink.received[0]?.mail, `MAIL FROM:<from@example.com> BODY=8BITMIME ${size} RET=HDRS ENVID=one`);
  });

  test('what it is to tell, and of whom, where the relay offers DSN', async (t) => {
    const one = mail('one', { to: ['a+b@example.com', 'jörg@example.com'] });
    const returns = { envelopeId: 'id.0.mac', notify: ['failure', 'delay'] as const };
    const { sink, relay } = await rig(t);
    await relay.ship({ ...one, returns }, openGate);
    const asked = sink.commands.filter((command) => /^(MAIL|RCPT)/.test(command));
    assert.match(asked[0] ?? '', /RET=HDRS ENVID=id\.0\.mac$/);
    assert.deepEqual(asked.slice(1), [
      'RCPT TO:<a+b@example.com> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb@example.com',
      'RCPT TO:<jörg@example.com> NOTIFY=FAILURE,DELAY ORCPT=utf-8;j\\x{F6}rg@example.com',
    ]);
    assert.deepEqual(sink.received[0]?.to, one.envelope.to);
    const bare = await rig(t, { extensions: ['SMTPUTF8'] });
    await bare.relay.ship({ ...one, returns }, openGate);
    assert.ok(!bare.sink.commands.some((command) => /NOTIFY|ENVID/.test(command)));
  });

  test('what its client asked for: all of it where notices go to the client, what adds to ours where they come to us', async (t) => {
    const one = mail('one', { to: ['a@example.com', 'B@example.com', 'c@example.com'] });
    const asked: DsnAsked = {
      ret: 'FULL',
      envelopeId: 'theirs+1',
      recipients: {
        'a@example.com': { notify: ['never'], original: null },
        'b@example.com': { notify: ['success'], original: 'rfc822;first+b@example.com' },
      },
    };
    const said = async (returns: Shipment['returns']) => {
      const { sink, relay } = await rig(t);
      await relay.ship({ ...one, ...(returns ? { returns } : {}), asked }, openGate);
      return sink.commands
        .filter((command) => /^(MAIL|RCPT)/.test(command))
        .map((line) => line.replace(/ SIZE=\d+/, ''));
    };
    assert.deepEqual(await said({ address: null, envelopeId: 'ours', notify: [] }), [
      'MAIL FROM:<from@example.com> RET=FULL ENVID=theirs+2B1',
      'RCPT TO:<a@example.com> NOTIFY=NEVER',
      'RCPT TO:<B@example.com> NOTIFY=SUCCESS ORCPT=rfc822;first+2Bb@example.com',
      'RCPT TO:<c@example.com>',
    ]);
    assert.deepEqual(await said({ address: 'bounces@b.example', envelopeId: 'ours', notify: ['failure'] }), [
      'MAIL FROM:<from@example.com> RET=FULL ENVID=ours',
      'RCPT TO:<a@example.com> NOTIFY=FAILURE ORCPT=rfc822;a@example.com',
      'RCPT TO:<B@example.com> NOTIFY=FAILURE,SUCCESS ORCPT=rfc822;first+2Bb@example.com',
      'RCPT TO:<c@example.com> NOTIFY=FAILURE ORCPT=rfc822;c@example.com',
    ]);
  });

  test('nothing the relay does not know, and the null sender', async (t) => {
    const { sink, relay } = await rig(t, { extensions: [] });
    const one = mail('one');
    one.envelope.from = '';
    assert.equal(outcomeName(await relay.ship(one, openGate)), 'sent');
    assert.equal(sink.received[0]?.mail, 'MAIL FROM:<>');
  });
});

describe('TLS and AUTH', () => {
  test('STARTTLS is taken when offered, and without a password needs no known certificate', async (t) => {
    const { sink, relay } = await rig(t, { tls: 'starttls' });
    assert.equal(outcomeName(await relay.ship(mail('one'), openGate)), 'sent');
    assert.ok(sink.commands.includes('STARTTLS'));
  });

  test('starttls=never does not take it', async (t) => {
    const { sink, relay } = await rig(t, { tls: 'starttls' }, { starttls: 'never' });
    assert.equal(outcomeName(await relay.ship(mail('one'), openGate)), 'sent');
    assert.ok(!sink.commands.includes('STARTTLS'));
  });

  test('a password is not shown to an unknown certificate, nor to a relay elsewhere without STARTTLS', async (t) => {
    const unknown = await rig(t, { tls: 'starttls', auth }, { auth });
    assert.match(wordsOf(await unknown.relay.ship(mail('one'), openGate)), /^TLS: self-signed certificate/);
    // 0.0.0.0 reaches this machine without being a name for it.
    const stripped = await rig(t, { auth }, { auth, host: '0.0.0.0' });
    assert.match(wordsOf(await stripped.relay.ship(mail('one'), openGate)), /^TLS: .*STARTTLS.*starttls=never/);
    for (const { sink } of [unknown, stripped]) assert.ok(!sink.commands.includes('AUTH'));
  });

  test('TLS that is asked for and not to be had is unreached', async (t) => {
    const missing = await rig(t, {}, { starttls: 'required' });
    assert.match(wordsOf(await missing.relay.ship(mail('one'), openGate)), /^TLS: /);
    const unknown = await rig(t, { tls: 'implicit' }, { secure: true });
    assert.match(wordsOf(await unknown.relay.ship(mail('one'), openGate)), /^TLS: self-signed certificate/);
  });

  for (const mode of ['starttls', 'implicit'] as const) {
    test(`a large mail arrives whole over ${mode} with AUTH`, async (t) => {
      const { sink, relay } = await rig(t, { tls: mode, auth }, { auth, tls, secure: mode === 'implicit' });
      const large = mail('large', { body: '.dots and lines\r\n'.repeat(100_000) });
      assert.equal(outcomeName(await relay.ship(large, openGate)), 'sent');
      assert.ok(sink.received[0]?.bytes.equals(large.bytes));
    });
  }

  test('a wrong password is unreached and not repeated, even where the relay repeats it', async (t) => {
    const { sink, relay } = await rig(t, { auth }, { auth: { user: 'me', pass: 'wrong-one' } });
    const outcome = await relay.ship(mail('one'), openGate);
    assert.equal(outcomeName(outcome), 'unreached');
    assert.match(wordsOf(outcome), /^AUTH: .*535 5\.7\.8 bad credentials: \*\*\* \*\*\*$/);
    assert.equal(sink.dots, 0);
  });

  test('a relay that offers no AUTH is not used without', async (t) => {
    const { sink, relay } = await rig(t, {}, { auth });
    assert.match(wordsOf(await relay.ship(mail('one'), openGate)), /^AUTH: not offered/);
    assert.ok(!sink.commands.some((line) => line.startsWith('MAIL')));
  });
});

describe('with the smtp-server package', () => {
  async function serve(t: TestContext, options: SMTPServerOptions) {
    const bodies: string[] = [];
    const server = new SMTPServer({
      ...options,
      onData(stream, _session, done) {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          bodies.push(String(Buffer.concat(chunks)));
          done(null);
        });
      },
    });
    // Closing sends 421 to sessions still open.
    server.on('error', () => {});
    server.listen(0, '127.0.0.1');
    await once(server.server, 'listening');
    t.after(() => new Promise<void>((resolve) => server.close(resolve)));
    return { port: (server.server.address() as net.AddressInfo).port, bodies };
  }

  test('STARTTLS', async (t) => {
    const { port, bodies } = await serve(t, { key: testCertificateKey, cert: testCertificate, authOptional: true });
    const relay = createSmtpRelay({ host: '127.0.0.1', port, secure: false, auth: null, starttls: 'required', tls });
    assert.equal(outcomeName(await relay.ship(mail('one'), openGate)), 'sent');
    await relay.close();
    assert.deepEqual(bodies, [String(mail('one').bytes)]);
  });

  test('AUTH', async (t) => {
    const seen: unknown[] = [];
    const { port, bodies } = await serve(t, {
      disabledCommands: ['STARTTLS'],
      onAuth({ username, password }, _session, done) {
        seen.push({ user: username, pass: password });
        done(null, { user: username });
      },
    });
    const relay = createSmtpRelay({ host: '127.0.0.1', port, secure: false, auth });
    assert.equal(outcomeName(await relay.ship(mail('one'), openGate)), 'sent');
    await relay.close();
    assert.deepEqual([seen, bodies], [[auth], [String(mail('one').bytes)]]);
  });
});
