/** What the port for mail does with those who mean it no good. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { testCertificate, testCertificateKey } from '../support/certificate.ts';
import { idIn, mailer, RawClient } from '../support/mail-client.ts';
import { allEmails, drained, serve } from '../support/served.ts';
import { type TestServer, testKey } from '../support/server.ts';
import type { Sink } from '../support/smtp-sink.ts';
import { createTemp } from '../support/temp.ts';

let server: TestServer;
let sink: Sink;
let port: number;
let securePort: number;
const cleanups: (() => Promise<void>)[] = [];
const temp = createTemp();
const mail = 'From: app@acme.example\r\nTo: ann@example.org\r\nSubject: s\r\n\r\ntext';

before(async () => {
  writeFileSync(temp.path('cert.pem'), testCertificate);
  writeFileSync(temp.path('key.pem'), testCertificateKey);
  const t = { after: (end: () => Promise<void>) => cleanups.push(end) };
  ({ server, sink } = await serve(t as never, {
    environment: {
      LISTEN_SMTP: '127.0.0.1:0',
      LISTEN_SMTPS: '127.0.0.1:0',
      TLS_CERT: temp.path('cert.pem'),
      TLS_KEY: temp.path('key.pem'),
    },
    limits: { bodyWindowMs: 100, bodyBytesPerSecondMin: 1_000_000, apiKeyCacheMs: 0 },
  }));
  [port = 0, securePort = 0] = server.mailPorts;
});
after(async () => {
  for (const end of cleanups) await end();
  temp.remove();
});

/** What was accepted while `work` ran. */
async function acceptedBy(work: () => Promise<void>): Promise<number> {
  const before = (await allEmails(server)).length;
  await work();
  return (await allEmails(server)).length - before;
}

describe('without signing in', () => {
  it('nothing is taken, whoever it is said to be from or for', async () => {
    const accepted = await acceptedBy(async () => {
      const client = await RawClient.open(port);
      await client.ask('EHLO client.example');
      for (const from of ['app@acme.example', '', 'postmaster@localhost']) {
        assert.match(await client.ask(`MAIL FROM:<${from}>`), /^530 5\.7\.0 /);
        assert.match(await client.ask('RCPT TO:<ann@example.org>'), /^503 /);
        assert.match(await client.ask('DATA'), /^503 /);
      }
      client.cut();
    });
    assert.equal(accepted, 0);
  });

  it('a wrong key opens nothing', async () => {
    const client = await RawClient.open(port);
    await client.ask('EHLO client.example');
    const attempt = (key: string) => client.ask(`AUTH PLAIN ${Buffer.from(`\0any\0${key}`).toString('base64')}`);
    assert.match(await attempt('re_wrong'), /^535 5\.7\.8 /);
    assert.match(await client.ask('MAIL FROM:<app@acme.example>'), /^530 /);
    assert.match(await attempt(''), /^535 5\.7\.8 .*API key/);
    assert.match(await attempt(testKey), /^235 /);
    client.cut();
  });
});

describe('with STARTTLS', () => {
  it('what was said in the clear behind it is not heard, and who was signed in is not any more', async () => {
    const client = await RawClient.signedIn(port);
    const token = Buffer.from(`\0any\0${testKey}`).toString('base64');
    client.write(`STARTTLS\r\nEHLO injected\r\nAUTH PLAIN ${token}\r\nMAIL FROM:<evil@acme.example>\r\n`);
    assert.match(await client.reply(), /^220 /);
    const secure = tls.connect({ socket: client.socket, rejectUnauthorized: false });
    await new Promise((resolve) => secure.once('secureConnect', resolve));
    const heard = new Promise<string>((resolve) => secure.once('data', (chunk) => resolve(chunk.toString())));
    secure.write('RCPT TO:<ann@example.org>\r\n');
    assert.match(await heard, /^503 /);
    secure.destroy();
  });

  it('and in TLS from the start mails are taken', async () => {
    for (const options of [
      { port, requireTLS: true },
      { port: securePort, secure: true },
    ]) {
      const transport = mailer(options.port, options);
      const sent = await transport.sendMail({ from: 'app@acme.example', to: 'ann@example.org', text: 't' });
      transport.close();
      assert.notEqual(idIn(sent.response), '');
    }
    await drained(server);
    assert.match(sink.received.at(-1)?.bytes.toString() ?? '', /^Received: by \S+ with ESMTPSA /);
  });
});

describe('a mail that is not one', () => {
  const refusals: [what: string, mail: string | Buffer, reply: RegExp][] = [
    ['a bare LF', mail.replace('text', 'te\nxt'), /^554 5\.6\.0 .*CRLF/],
    ['a bare CR', mail.replace('text', 'te\rxt'), /^554 5\.6\.0 .*CRLF/],
    ['a smuggled end', mail.replace('text', 'a\n.\nMAIL FROM:<evil@acme.example>'), /^554 5\.6\.0 /],
    ['a half smuggled end', mail.replace('text', 'a\n.\r\nMAIL FROM:<evil@acme.example>'), /^554 5\.6\.0 /],
    ['NUL', mail.replace('text', 'a\0b'), /^554 5\.6\.0 .*NUL/],
    ['a line without end', `${mail}${'x'.repeat(100_000)}`, /^554 5\.6\.0 .*998/],
    ['no From', mail.replace(/^From.*\r\n/, ''), /^554 5\.6\.0 .*From/],
    ['two From fields', `From: boss@bank.example\r\n${mail}`, /^554 5\.6\.0 .*From/],
    ['two authors', mail.replace('app@acme', 'boss@bank.example, app@acme'), /^554 5\.6\.0 .*From/],
    ['no header', '\r\nhello\r\n', /^554 5\.6\.0 .*From/],
    ['a line that is no field', mail.replace('Subject', 'Sub ject'), /^554 5\.6\.0 .*no header field/],
    ['a huge header', `X: ${`${'x'.repeat(900)}\r\n `.repeat(150)}\r\n${mail}`, /^552 5\.3\.4 /],
    ['two keys', `Resend-Idempotency-Key: a\r\nResend-Idempotency-Key: b\r\n${mail}`, /^554 5\.6\.0 .*more than once/],
    ['an empty key', `Resend-Idempotency-Key:\r\n${mail}`, /^554 5\.6\.0 .*256/],
    ['a long key', `Resend-Idempotency-Key: ${'k'.repeat(257)}\r\n${mail}`, /^554 5\.6\.0 .*256/],
    ['a loop', `${'Received: by a; b\r\n'.repeat(101)}${mail}`, /^554 5\.6\.0 .*loop/],
    ['another time than there is', `Resend-Scheduled-At: yesteryear\r\n${mail}`, /^554 5\.6\.0 .*Resend-Scheduled-At/],
  ];

  it('is refused with a sentence, and the next one is taken', async () => {
    const accepted = await acceptedBy(async () => {
      const client = await RawClient.signedIn(port);
      for (const [what, bytes, reply] of refusals) assert.match(await client.send(bytes), reply, what);
      assert.notEqual(idIn(await client.send(mail)), '');
      client.cut();
    });
    assert.equal(accepted, 1);
  });

  it('ends its connection where it comes too slowly, and says nothing', async () => {
    const client = await RawClient.signedIn(port);
    await client.begin();
    client.write(mail);
    const said = await client.reply();
    assert.deepEqual([said, client.isClosed], ['', true]);
  });

  it('is refused before it comes where it says that it is too large', async () => {
    const client = await RawClient.signedIn(port);
    assert.match(await client.ask('MAIL FROM:<app@acme.example> SIZE=99999999'), /^552 /);
    client.cut();
  });
});

describe('what an account may not', () => {
  it('it may not over SMTP either, whoever it says it is', async () => {
    await server.call('POST', '/accounts', { name: 'bound' });
    await server.call('POST', '/accounts/bound/domains', { domain: 'acme.example' });
    await server.call('PATCH', '/accounts/bound', { emails_per_day: 1 });
    const { json: key } = await server.call('POST', '/accounts/bound/keys', { permission: 'sending_access' });
    const client = await RawClient.signedIn(port, key.token);
    const forged = mail.replace('app@acme', 'boss@bank');
    assert.match(
      await client.send(forged, undefined, 'boss@bank.example'),
      /^550 5\.7\.1 The bank\.example domain is not verified/,
    );
    assert.match(await client.send(forged), /^550 5\.7\.1 /);
    assert.match(await client.send(`Sender: boss@bank.example\r\n${mail}`), /^550 5\.7\.1 /);
    assert.match(await client.send(mail, undefined, 'boss@bank.example'), /^550 5\.7\.1 /);
    const id = idIn(await client.send(mail, undefined, ''));
    assert.equal((await server.call('GET', `/emails/${id}`)).status, 404);
    assert.match(await client.send(mail), /^451 4\.7\.1 .*daily/);
    await server.call('DELETE', `/accounts/bound/keys/${key.id}`);
    assert.match(await client.ask('MAIL FROM:<app@acme.example>'), /^535 /);
    client.cut();
  });
});
