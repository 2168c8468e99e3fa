/** What comes back about a mail: through the listener and the pipe, once, in whatever order, and from nobody who forges it. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { firstAccount } from '../../src/core/account.ts';
import { purgeContent } from '../../src/store/mail/purge.ts';
import { openDatabase } from '../support/engine.ts';
import { RawClient } from '../support/mail-client.ts';
import { program } from '../support/program.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { serve } from '../support/served.ts';
import { type TestServer, testSecretKey } from '../support/server.ts';
import type { Sink } from '../support/smtp-sink.ts';

const corpus = fileURLToPath(new URL('../../../test/evidence/corpus/', import.meta.url));
const domain = 'back.example.com';

let server: TestServer;
let sink: Sink;
let receiver: Receiver;
const cleanups: (() => unknown)[] = [];

before(async () => {
  const t = { after: (end: () => unknown) => cleanups.push(end) };
  const environment = { LISTEN_SMTP: '127.0.0.1:0', BOUNCE_DOMAIN: domain };
  ({ server, sink } = await serve(t as never, { environment }));
  receiver = await startReceiver(t as never);
  const events = ['email.sent', 'email.bounced', 'email.complained', 'email.delivered', 'email.delivery_delayed'];
  const made = await server.call('POST', '/webhooks', { endpoint: receiver.url, events });
  assert.equal(made.status, 201, made.text);
});
after(async () => {
  for (const end of cleanups.reverse()) await end();
});

type Sent = { id: string; returnPath: string };

let mails = 0;

async function send(...to: string[]): Promise<Sent> {
  const subject = `mail ${++mails}`;
  const { json } = await server.call('POST', '/emails', { from: 'shop@acme.example', to, subject, text: 'x' });
  await server.until('it was tried', async () => (await lastOf({ id: json.id })) !== 'queued');
  const [mail] = sink.received.filter(({ bytes }) => bytes.includes(`Subject: ${subject}\r\n`));
  return { id: json.id, returnPath: mail?.from ?? '' };
}

/** One of the corpus, about this mail. */
function notice(name: string, { returnPath }: Sent, recipients: Record<string, string> = {}): string {
  let mail = readFileSync(`${corpus}${name}.eml`, 'utf8');
  mail = mail.replaceAll(/bounces\+019a[0-9a-z.-]+@bounce\.sendonce\.test/g, returnPath);
  for (const [from, to] of Object.entries(recipients)) mail = mail.replaceAll(from, to);
  return mail.replaceAll('\n', '\r\n');
}

async function bring(recipient: string, mail: string): Promise<string> {
  const client = await RawClient.open(server.mailPorts[0] ?? 0);
  await client.ask('EHLO mx.example.net');
  await client.ask('MAIL FROM:<>');
  const answer = await client.ask(`RCPT TO:<${recipient}>`);
  if (answer.startsWith('2')) {
    await client.ask('DATA');
    client.write(mail.replaceAll(/^\./gm, '..'));
  }
  const ended = answer.startsWith('2') ? await client.ask('\r\n.') : answer;
  client.cut();
  return ended;
}

async function pipe(mail: string, ...words: string[]): Promise<{ code: number; out: string }> {
  const env = {
    DATABASE_URL: server.databaseUrl,
    STATE_DIR: server.stateDir,
    SECRET_KEY: testSecretKey,
    BOUNCE_DOMAIN: domain,
  };
  const child = spawn(process.execPath, [program, 'bounce', ...words], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end(mail);
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code: code as number, out: out + err };
}

type Fact = { type: string; recipients?: string[]; by?: string };

async function facts({ id }: Sent): Promise<string[]> {
  const { json } = await server.call('GET', `/emails/${id}/events`);
  return json.data.map((one: Fact) => `${one.type}${one.recipients ? ` ${one.recipients.join(' ')}` : ''}`);
}

async function lastOf({ id }: Pick<Sent, 'id'>): Promise<string> {
  return (await server.call('GET', `/emails/${id}`)).json.last_event;
}

async function told(sent: Sent, type: string, count: number): Promise<Receiver['told']> {
  const about = () => receiver.told.filter(({ json }) => json.type === type && json.data.email_id === sent.id);
  await server.until(`${type} is told`, () => about().length >= count);
  return about();
}

describe('what comes back to the bounce domain', () => {
  it('bounces a mail that was sent, with its reason, suppresses the address, and is told once', async () => {
    const sent = await send('ann@example.com');
    assert.match(sent.returnPath, /^bounces\+[0-9a-f]{32}-0\.[0-9a-v]{16}@back\.example\.com$/);
    assert.equal(await lastOf(sent), 'sent');
    assert.match(await bring(sent.returnPath.toUpperCase(), notice('postfix-unknown', sent)), /^250 2\.0\.0/);
    // A second one, of another server and in other words, and the first one again.
    await bring(sent.returnPath, notice('qmail-unknown', sent));
    await bring(sent.returnPath, notice('postfix-unknown', sent));
    assert.equal(await lastOf(sent), 'bounced');
    const [one] = await told(sent, 'email.bounced', 1);
    assert.deepEqual([one?.json.data.bounce.type, one?.json.data.bounce.subType], ['Permanent', 'NoEmail']);
    assert.match(one?.json.data.bounce.diagnosticCode[0], /^smtp; 550 5\.1\.1 /);
    const { json } = await server.call('GET', '/suppressions/ann@example.com');
    assert.deepEqual([json.origin, json.source_id], ['bounce', sent.id]);
    const again = await send('ann@example.com');
    assert.equal(await lastOf(again), 'suppressed');
    assert.equal((await told(sent, 'email.bounced', 1)).length, 1);
  });

  it('ends each recipient of a mail by itself, in whatever order', async () => {
    const sent = await send('bob@example.org', 'cy@example.net', 'dan@example.com', 'eve@example.com');
    const all = { 'ann@example.com': 'dan@example.com' };
    await bring(sent.returnPath, notice('dsn-mixed', sent, all));
    await bring(sent.returnPath, notice('postfix-success', sent, all));
    await bring(sent.returnPath, notice('qmail-several', sent, { 'ann@example.com': 'cy@example.net' }));
    const { json } = await server.call('GET', `/emails/${sent.id}/events`);
    const last = json.data.slice(-4).map((one: Fact) => `${one.type} ${one.recipients?.join(' ')}`);
    assert.deepEqual(last, [
      'delivered dan@example.com',
      'delivery_delayed bob@example.org',
      'bounced cy@example.net',
      'bounced bob@example.org',
    ]);
    // Delivered, and bounced further on.
    await bring(sent.returnPath, notice('exim-unknown', sent, all));
    assert.equal((await facts(sent)).at(-1), 'bounced dan@example.com');
    const { text: metrics } = await server.call('GET', '/metrics');
    assert.match(metrics, /sendonce_notices_total\{kind="bounced",outcome="told"\} \d/);
  });

  it('takes complaints at the return path and at an address of their own, and suppresses', async () => {
    const sent = await send('ann@yahoo.example', 'ann@outlook.example');
    await bring(sent.returnPath, notice('complaint-yahoo', sent));
    assert.match(await bring(`Complaints@${domain}`, notice('complaint-outlook', sent)), /^250/);
    const complaints = await told(sent, 'email.complained', 2);
    assert.deepEqual(
      complaints.map(({ json }) => json.data.to),
      [['ann@yahoo.example'], ['ann@outlook.example']],
    );
    assert.equal((await server.call('GET', '/suppressions/ann@outlook.example')).json.origin, 'complaint');
  });

  it('settles doubts by whatever shows that the relay had the mail, late and after its contents were purged', async () => {
    sink.behave = () => ({ dot: { accept: true, leave: 'close' } });
    const doubtful = await Promise.all(['ida', 'joe', 'kim'].map((name) => send(`${name}@example.com`)));
    sink.behave = () => ({});
    const [delayed, bounced, delivered] = doubtful as [Sent, Sent, Sent];
    const isInDoubt = async ({ id }: Sent) => (await server.call('GET', `/emails/${id}`)).json.in_doubt === true;
    for (const one of doubtful) assert.equal(await isInDoubt(one), true);
    server.clock.advance(5 * 24 * 60 * 60_000);
    const database = await openDatabase(server.databaseUrl);
    await database.write((tx) => purgeContent(tx, firstAccount, bounced.id, server.clock.now()));
    await database.close();
    const all = (name: string) => ({ 'ann@example.com': `${name}@example.com` });
    await bring(delayed.returnPath, notice('postfix-delayed', delayed, all('ida')));
    await bring(bounced.returnPath, notice('postfix-full', bounced, all('joe')));
    await bring(delivered.returnPath, notice('postfix-success', delivered, all('kim')));
    const ends = await Promise.all(doubtful.map(async (one) => [await lastOf(one), await isInDoubt(one)]));
    assert.deepEqual(ends, [
      ['delivery_delayed', false],
      ['bounced', false],
      ['delivered', false],
    ]);
    const [soft] = await told(bounced, 'email.bounced', 1);
    assert.equal(soft?.json.data.bounce.subType, 'MailboxFull');
    assert.equal((await server.call('GET', '/suppressions/joe@example.com')).status, 404);
    const { text: metrics } = await server.call('GET', '/metrics');
    assert.match(metrics, /^sendonce_open_deliveries\{state="in_doubt"\} 0$/m);
  });

  it('refuses other mailboxes and MACs that nobody made, and takes nothing of what others sent', async () => {
    const [sent, other] = [await send('fay@example.com'), await send('gus@example.com')];
    const forged = sent.returnPath.replace(/.@/, sent.returnPath.includes('0@') ? '1@' : '0@');
    for (const address of [`postmaster2@${domain}`, forged, `bounces+x@${domain}`]) {
      assert.match(await bring(address, notice('postfix-unknown', sent)), /^550 5\.1\.1/, address);
    }
    assert.match(await bring('ann@elsewhere.example', notice('postfix-unknown', sent)), /^530/);
    // About another mail than the one whose address it came to: it names nobody of that one.
    await bring(other.returnPath, notice('postfix-several', other, { 'ann@example.com': 'fay@example.com' }));
    await bring(`complaints@${domain}`, notice('complaint-yahoo', { id: '', returnPath: forged }));
    // `gus` was the only recipient, and a bounce of a standard form may name where the mail was forwarded to.
    assert.deepEqual([await lastOf(sent), await lastOf(other)], ['sent', 'bounced']);
    assert.equal((await server.call('GET', '/suppressions/fay@example.com')).status, 404);
  });
});

describe('what a pipe brings', () => {
  it('is taken, kept where it matches nothing, and left with the mail server where it cannot be taken', async () => {
    const sent = await send('hal@example.com');
    const bounce = notice('exim-plain', sent, { 'ann@example.com': 'hal@example.com' });
    assert.deepEqual(await pipe(bounce), { code: 0, out: 'bounced: told\n' });
    assert.deepEqual(await pipe(bounce, sent.returnPath), { code: 0, out: 'bounced: nothing new\n' });
    assert.equal(await lastOf(sent), 'bounced');
    const stranger = await pipe(notice('vacation', { id: '', returnPath: `bounces@${domain}` }));
    assert.equal(stranger.code, 0);
    assert.match((await pipe('', 'list')).out, /pipe .*no MAC of ours .*Out of office: Your receipt/);
    assert.equal((await pipe(bounce, 'a', 'b')).code, 75);
    assert.equal((await pipe(bounce, '--database-url', 'sqlite:/nowhere/at/all.db')).code, 75);
  });
});
