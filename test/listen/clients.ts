/**
 * `npm run clients:smtp`: ordinary SMTP clients hand in a mail whose connection is cut on the way, try again under the same key, and one mail
 * leaves; then `storm`, 2,000 sends at once under 100 keys, and `relay`, 200 attempts without a key. `-- swaks storm` runs these alone. What is
 * not installed is left out, and said so.
 */

import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { promisify } from 'node:util';
import { mailer, RawClient } from '../support/mail-client.ts';
import { drained, serve } from '../support/served.ts';
import { type TestServer, testKey } from '../support/server.ts';
import type { Sink } from '../support/smtp-sink.ts';
import { createTemp } from '../support/temp.ts';

const run = promisify(execFile);
const temp = createTemp();
const cleanups: (() => Promise<void>)[] = [];

/** Where the connection ends: before the dot is passed on, right behind it, or in place of the server's 250. */
type Cut = 'nowhere' | 'before the dot' | 'behind the dot' | 'before the 250';
const cuts: Cut[] = ['nowhere', 'before the dot', 'behind the dot', 'before the 250'];

/** Passes connections on; the first is cut. */
async function startCutter(port: number, cut: Cut): Promise<{ port: number; close(): void }> {
  let isFirst = true;
  const server = net.createServer((client) => {
    const mode = isFirst ? cut : 'nowhere';
    isFirst = false;
    const upstream = net.connect(port, '127.0.0.1');
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    let isData = false;
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
    client.on('data', (chunk) => {
      const hasDot = isData && chunk.toString('latin1').endsWith('\r\n.\r\n');
      if (hasDot && mode === 'before the dot') return end();
      upstream.write(chunk, () => {
        // The server has it, and nobody hears what it says.
        if (hasDot && mode === 'behind the dot') client.destroy();
      });
    });
    upstream.on('data', (chunk) => {
      const said = chunk.toString('latin1');
      if (said.includes('354 ')) isData = true;
      if (mode === 'before the 250' && said.includes('queued as')) return end();
      client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as net.AddressInfo).port, close: () => server.close() };
}

type Mail = { port: number; key: string; subject: string };
type Client = { name: string; program: string | null; send(mail: Mail): Promise<unknown> };

const python = `
import smtplib, sys
from email.message import EmailMessage
port, key, subject, password = sys.argv[1:]
mail = EmailMessage()
mail['From'], mail['To'], mail['Subject'], mail['Resend-Idempotency-Key'] = 'app@acme.example', 'ann@example.org', subject, key
mail.set_content('text'); mail.add_alternative('<p>html</p>', subtype='html')
with smtplib.SMTP('127.0.0.1', int(port)) as smtp:
    smtp.login('any', password); smtp.send_message(mail)
`;

const written = ({ key, subject }: Mail) =>
  `From: app@acme.example\nTo: ann@example.org\nSubject: ${subject}\nResend-Idempotency-Key: ${key}\n\ntext\n`;

const clients: Client[] = [
  {
    name: 'nodemailer',
    program: null,
    async send({ port, key, subject }) {
      const transport = mailer(port);
      const headers = { 'Resend-Idempotency-Key': key };
      const mail = {
        from: 'app@acme.example',
        to: 'ann@example.org',
        subject,
        text: 'text',
        html: '<p>html</p>',
        headers,
      };
      await transport.sendMail(mail).finally(() => transport.close());
    },
  },
  {
    name: 'smtplib',
    program: 'python3',
    send: ({ port, key, subject }) => run('python3', ['-c', python, String(port), key, subject, testKey]),
  },
  {
    name: 'swaks',
    program: 'swaks',
    send: ({ port, key, subject }) =>
      run('swaks', [
        ...['--server', '127.0.0.1', '--port', String(port), '--auth-user', 'any', '--auth-password', testKey],
        ...['--from', 'app@acme.example', '--to', 'ann@example.org', '--h-Subject', subject, '--body', 'text'],
        ...['--add-header', `Resend-Idempotency-Key: ${key}`],
      ]),
  },
  {
    name: 'msmtp',
    program: 'msmtp',
    send: (mail) => {
      const child = run('msmtp', [
        ...['--host=127.0.0.1', `--port=${mail.port}`, '--auth=plain', '--user=any', `--passwordeval=echo ${testKey}`],
        ...['--from=app@acme.example', '--tls=off', 'ann@example.org'],
      ]);
      child.child.stdin?.end(written(mail));
      return child;
    },
  },
  {
    name: 'curl',
    program: 'curl',
    send: (mail) => {
      writeFileSync(temp.path('mail.eml'), written(mail).replaceAll('\n', '\r\n'));
      return run('curl', [
        ...[
          '-sS',
          '--url',
          `smtp://127.0.0.1:${mail.port}`,
          '--user',
          `any:${testKey}`,
          '--login-options',
          'AUTH=PLAIN',
        ],
        ...['--mail-from', 'app@acme.example', '--mail-rcpt', 'ann@example.org', '-T', temp.path('mail.eml')],
      ]);
    },
  },
];

function isInstalled(program: string | null): boolean {
  try {
    if (program) execFileSync('which', [program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

let server: TestServer;
let sink: Sink;
let serial = 0;

async function copiesOf(subject: string): Promise<number> {
  await drained(server);
  return sink.received.filter(({ bytes }) => bytes.includes(`Subject: ${subject}\r\n`)).length;
}

/** A client that fails tries again, as whoever runs it would. */
async function tryClient(client: Client, cut: Cut, target: number): Promise<string> {
  serial += 1;
  const cutter = await startCutter(target, cut);
  const mail = { port: cutter.port, key: `key-${serial}`, subject: `mail ${serial}` };
  const isCut = await client.send(mail).then(
    () => false,
    () => true,
  );
  if (isCut) await client.send(mail);
  cutter.close();
  const copies = await copiesOf(mail.subject);
  return `${copies}${isCut ? ' (tried twice)' : ''}`;
}

/** Postfix as a client relay: it has the mail in its queue, and tries again by itself. */
async function tryPostfix(cut: Cut, target: number): Promise<string> {
  serial += 1;
  const [subject, key] = [`mail ${serial}`, `key-${serial}`];
  const cutter = await startCutter(target, cut);
  // Its own user has to come through.
  const folder = mkdtempSync('/tmp/sendonce-postfix-');
  chmodSync(folder, 0o755);
  for (const name of ['/queue', '/data']) mkdirSync(folder + name, { mode: 0o755 });
  execFileSync('chown', ['postfix', `${folder}/data`]);
  writeFileSync(
    `${folder}/main.cf`,
    [
      `queue_directory = ${folder}/queue`,
      `data_directory = ${folder}/data`,
      'compatibility_level = 3.6',
      `relayhost = [127.0.0.1]:${cutter.port}`,
      'smtp_sasl_auth_enable = yes',
      `smtp_sasl_password_maps = inline:{[127.0.0.1]:${cutter.port}=any:${testKey}}`,
      'smtp_sasl_security_options =',
      'inet_interfaces = loopback-only',
      'minimal_backoff_time = 2s',
      'queue_run_delay = 2s',
      `maillog_file = ${folder}/log`,
      'maillog_file_prefixes = /tmp',
      'mydestination =',
      'myhostname = client.example',
    ].join('\n'),
  );
  const master = execFileSync('cat', ['/etc/postfix/master.cf'])
    .toString()
    .replace(/^smtp\s+inet.*$/m, '')
    .replaceAll(/^(\w\S*\s+\S+\s+\S+\s+\S+\s+)y(\s)/gm, '$1n$2');
  writeFileSync(`${folder}/master.cf`, master);
  const daemon = spawn('postfix', ['-c', folder, 'start-fg'], { stdio: 'ignore' });
  try {
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const sending = run('sendmail', ['-C', folder, '-f', 'app@acme.example', 'ann@example.org']);
    sending.child.stdin?.end(written({ port: 0, key, subject }));
    await sending;
    const until = Date.now() + 40_000;
    while (Date.now() < until && (await run('postqueue', ['-c', folder, '-p'])).stdout.includes('@')) {
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  } finally {
    daemon.kill();
    spawnSync('postfix', ['-c', folder, 'abort'], { stdio: 'ignore', timeout: 10_000 });
    rmSync(folder, { recursive: true, force: true });
    cutter.close();
  }
  return String(await copiesOf(subject));
}

async function tryStorm(port: number): Promise<string> {
  const transport = mailer(port, { pool: true, maxConnections: 100, maxMessages: 1_000 });
  const sends = Array.from({ length: 2_000 }, (_, index) =>
    transport.sendMail({
      ...{ from: 'app@acme.example', to: 'ann@example.org', subject: 'storm', text: 'text' },
      headers: { 'Resend-Idempotency-Key': `storm-${index % 100}` },
    }),
  );
  const ids = new Set((await Promise.all(sends)).map(({ response }) => response));
  transport.close();
  return `${ids.size} ids, ${await copiesOf('storm')} mails`;
}

async function tryOpenRelay(port: number): Promise<string> {
  const before = sink.received.length;
  for (let attempt = 0; attempt < 200; attempt++) {
    const client = await RawClient.open(port);
    const from = ['app@acme.example', '', 'postmaster@localhost', `ann@[127.0.0.1]`][attempt % 4];
    const to = [
      'ann@example.org',
      'ann%example.org@localhost',
      '@localhost:ann@example.org',
      '"ann@example.org"@localhost',
    ][attempt % 3];
    client.write(
      `EHLO x\r\nMAIL FROM:<${from}>\r\nRCPT TO:<${to}>\r\nDATA\r\nSubject: spam\r\n\r\nspam\r\n.\r\nQUIT\r\n`,
    );
    while (!client.isClosed) if ((await client.reply()).startsWith('421')) break;
    client.cut();
  }
  await drained(server);
  return `${sink.received.length - before} of 200 left`;
}

try {
  const t = { after: (end: () => Promise<void>) => cleanups.push(end) };
  ({ server, sink } = await serve(t as never, { environment: { LISTEN_SMTP: '127.0.0.1:0' } }));
  const [port = 0] = server.mailPorts;
  const only = process.argv.slice(2);
  const isWanted = (name: string) => only.length === 0 || only.includes(name);
  for (const client of clients.filter(({ name }) => isWanted(name))) {
    if (!isInstalled(client.program)) console.log(`${client.name}: not installed, left out`);
    else for (const cut of cuts) console.log(`${client.name}, cut ${cut}: ${await tryClient(client, cut, port)}`);
  }
  if (!isWanted('postfix')) console.log('');
  else if (!isInstalled('postfix') || process.getuid?.() !== 0)
    console.log('postfix: not installed or not root, left out');
  else for (const cut of cuts) console.log(`postfix, cut ${cut}: ${await tryPostfix(cut, port)}`);
  if (isWanted('storm')) console.log(`2,000 sends at once under 100 keys: ${await tryStorm(port)}`);
  if (isWanted('relay')) console.log(`open relay: ${await tryOpenRelay(port)}`);
  assert.deepEqual(sink.duplicates(), []);
} finally {
  for (const end of cleanups) await end();
  temp.remove();
}
