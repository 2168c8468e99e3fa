/** The SMTP dialogue itself: replies cut out of bytes, HELO, STARTTLS, each way to log in, and what is not listened to. */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { TLSSocket } from 'node:tls';
import fc from 'fast-check';
import { outcomeName } from '../../src/core/outcome.ts';
import { createSmtpRelay, type SmtpRelayOptions } from '../../src/deliver/smtp.ts';
import { ReplyQueue } from '../../src/deliver/smtp-replies.ts';
import { testCertificate, testCertificateKey } from '../support/certificate.ts';
import { mail, openGate, wordsOf } from '../support/smtp-rig.ts';

/** What a relay says to a line, with its own line ends; undefined: as usual. */
type Script = (line: string, socket: net.Socket) => string | undefined;

/** A relay of few words, which answers line by line, and a client for it. */
async function relayThat(t: TestContext, script: Script, options: Partial<SmtpRelayOptions> = {}) {
  const lines: string[] = [];
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.write('220 hi\r\n');
    listen(socket);
  });
  const listen = (socket: net.Socket) => {
    let isBody = false;
    socket.on('data', (chunk) => {
      for (const line of String(chunk).split('\r\n').slice(0, -1)) {
        if (!isBody) lines.push(line);
        const isEnd = isBody && line === '.';
        const reply = isBody ? (isEnd ? '250 taken\r\n' : '') : (script(line, socket) ?? usual(line));
        isBody = isBody ? !isEnd : reply.startsWith('354');
        if (reply !== '') socket.write(reply);
        if (reply === startTls) return secure(socket);
      }
    });
  };
  const secure = (socket: net.Socket) => {
    socket.removeAllListeners('data');
    const secured = new TLSSocket(socket, { isServer: true, key: testCertificateKey, cert: testCertificate });
    secured.on('error', () => {});
    listen(secured);
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const relay = createSmtpRelay({ host: '127.0.0.1', port, secure: false, auth: null, ...options });
  t.after(async () => {
    await relay.close();
    server.close();
  });
  return { relay, lines };
}

/** The second reply was never asked for: in plain text anybody may have said it. */
const startTls = '220 go\r\n250-injected\r\n250 PIPELINING\r\n';

function usual(line: string): string {
  if (line.startsWith('DATA')) return '354 go\r\n';
  return line.startsWith('QUIT') ? '221 bye\r\n' : '250 ok\r\n';
}

const auth = { user: 'me', pass: 'se cret' };
const base64 = (text: string) => Buffer.from(text).toString('base64');

test('AUTH LOGIN is spoken where PLAIN is not offered', async (t) => {
  const script: Script = (line) => {
    if (line.startsWith('EHLO')) return '250-relay\r\n250 AUTH LOGIN CRAM-MD5\r\n';
    if (line === 'AUTH LOGIN') return '334 VXNlcm5hbWU6\r\n';
    if (line === base64('me')) return '334 UGFzc3dvcmQ6\r\n';
    return line === base64('se cret') ? '235 welcome\r\n' : undefined;
  };
  const { relay, lines } = await relayThat(t, script, { auth });
  assert.equal(outcomeName(await relay.ship(mail('one'), openGate)), 'sent');
  assert.deepEqual(lines.slice(1, 4), ['AUTH LOGIN', base64('me'), base64('se cret')]);
});

test('AUTH CRAM-MD5 is spoken where nothing else is offered, and its answer is not passed on', async (t) => {
  const digest = createHmac('md5', auth.pass).update('<1@relay>').digest('hex');
  const script = (isRight: boolean): Script => {
    return (line) => {
      if (line.startsWith('EHLO')) return '250-relay\r\n250 AUTH=CRAM-MD5\r\n';
      if (line === 'AUTH CRAM-MD5') return `334 ${base64('<1@relay>')}\r\n`;
      if (line !== base64(`me ${digest}`)) return undefined;
      return isRight ? '235 welcome\r\n' : `535-5.7.8 no: ${line}\r\n535 5.7.8 ${digest}\r\n`;
    };
  };
  const right = await relayThat(t, script(true), { auth });
  assert.equal(outcomeName(await right.relay.ship(mail('one'), openGate)), 'sent');
  const wrong = await relayThat(t, script(false), { auth });
  const outcome = await wrong.relay.ship(mail('one'), openGate);
  assert.equal(wordsOf(outcome), 'AUTH: Invalid login: 535-5.7.8 no: *** 535 5.7.8 ***');
});

test('HELO follows where EHLO is not known, and nothing is taken for offered', async (t) => {
  const { relay, lines } = await relayThat(t, (line) => (line.startsWith('EHLO') ? '502 what\r\n' : undefined));
  assert.equal(outcomeName(await relay.ship(mail('one'), openGate)), 'sent');
  assert.deepEqual(
    lines.map((line) => line.slice(0, 4)),
    ['EHLO', 'HELO', 'MAIL', 'RCPT', 'DATA'],
  );
  assert.equal(lines[2], 'MAIL FROM:<from@example.com>');
});

test('where the relay offers STARTTLS and then will not, mail goes in plain text only if nothing asks for TLS', async (t) => {
  const script: Script = (line) => {
    if (line.startsWith('EHLO')) return '250-relay\r\n250 STARTTLS\r\n';
    return line === 'STARTTLS' ? '454 not now\r\n' : undefined;
  };
  const lax = await relayThat(t, script);
  assert.equal(outcomeName(await lax.relay.ship(mail('one'), openGate)), 'sent');
  for (const options of [{ starttls: 'required' }, { auth }] as const) {
    const strict = await relayThat(t, script, options);
    assert.match(wordsOf(await strict.relay.ship(mail('one'), openGate)), /^TLS: .*STARTTLS: 454 not now/);
    assert.deepEqual(strict.lines.length, 2);
  }
});

test('what was said in plain text before TLS is forgotten, offers included', async (t) => {
  const script: Script = (line, socket) => {
    if (line === 'STARTTLS') return startTls;
    if (!line.startsWith('EHLO')) return undefined;
    return socket instanceof TLSSocket ? '250 relay\r\n' : '250-relay\r\n250-DSN\r\n250 STARTTLS\r\n';
  };
  const { relay, lines } = await relayThat(t, script);
  assert.equal(outcomeName(await relay.ship(mail('one'), openGate)), 'sent');
  assert.deepEqual(
    lines.map((line) => line.slice(0, 4)),
    ['EHLO', 'STAR', 'EHLO', 'MAIL', 'RCPT', 'DATA'],
  );
  assert.equal(lines[3], 'MAIL FROM:<from@example.com>');
});

test('a relay that never comes to an end is left, before it fills the memory', async (t) => {
  for (const flood of ['250-and so on\r\n', 'and so on ', '250 and so on\r\n']) {
    const { relay } = await relayThat(t, (line) => (line.startsWith('MAIL') ? flood.repeat(8_000) : undefined));
    const outcome = await relay.ship(mail('one'), openGate);
    assert.equal(outcomeName(outcome), 'unreached');
    assert.match(wordsOf(outcome), /more than a reply may hold|DATA was answered/);
  }
});

test('a host of which no address answers is told with each of them', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  const relay = createSmtpRelay({ host: 'localhost', port, secure: false, auth: null });
  assert.match(wordsOf(await relay.ship(mail('one'), openGate)), /^connection: connect ECONNREFUSED .*127\.0\.0\.1/);
});

test('replies are the same however the network cuts them', () => {
  const bytes = Buffer.from('250-héllo\r\n250 done\r\n\r\n25\r\n550-no\n354 yes\r\n421 bye\r\n25');
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: bytes.length })), (cuts) => {
      const queue = new ReplyQueue();
      const ends = [...cuts.sort((a, b) => a - b), bytes.length];
      ends.forEach((end, index) => void queue.push(bytes.subarray(ends[index - 1] ?? 0, end)));
      const replies: string[] = [];
      for (let reply = queue.take(); reply !== undefined; reply = queue.take()) replies.push(reply);
      assert.deepEqual(replies, ['250-héllo\n250 done', '25', '550-no\n354 yes', '421 bye']);
      assert.ok(queue.isUnread, 'half a reply is there');
    }),
  );
});

test('half a reply, and nothing else, is unread where no whole one is', () => {
  const queue = new ReplyQueue();
  assert.equal(queue.isUnread, false);
  queue.push(Buffer.from('\r\n'));
  assert.equal(queue.isUnread, false);
  queue.push(Buffer.from('250-a\r\n'));
  assert.deepEqual([queue.isUnread, queue.hasReply], [true, false]);
  queue.push(Buffer.from('250 b\r\n'));
  assert.equal(queue.take(), '250-a\n250 b');
  assert.equal(queue.isUnread, false);
});
