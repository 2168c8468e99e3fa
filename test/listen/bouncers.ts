/**
 * `npm run bouncers`: Debian's Postfix, as the relay, takes mails for mailboxes that are unknown, full, slow, forwarded and fine, and writes back
 * what became of them to the bounce domain. Needs root; where Postfix is missing, that is said.
 */

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { serve } from '../support/served.ts';
import { freePort, isInstalled } from './real-servers.ts';

/** What Postfix does with a mailbox, and what its mail comes to. */
const mailboxes = {
  unknown: { transport: 'error:5.1.1 There is no such user', event: 'bounced' },
  full: { transport: 'error:5.2.2 The mailbox is full', event: 'bounced' },
  slow: { transport: 'retry:4.4.1 No answer from the host', event: 'delivery_delayed' },
  forwarded: { transport: null, event: 'bounced' },
  fine: { transport: 'discard:', event: 'delivered' },
} as const;

if (process.getuid?.() !== 0 || !isInstalled('postfix')) {
  console.log('Postfix is not installed, or this is not root: nothing was tried. `apt-get install postfix` brings it.');
} else await main();

async function main(): Promise<void> {
  const cleanups: (() => unknown)[] = [];
  const t = { after: (end: () => unknown) => cleanups.push(end) } as unknown as TestContext;
  try {
    const port = await freePort();
    const environment = {
      RELAY_URL: `smtp://127.0.0.1:${port}?starttls=never`,
      LISTEN_SMTP: '127.0.0.1:0',
      BOUNCE_DOMAIN: 'back.example.com',
      BOUNCE_NOTIFY: 'failure,delay,success',
    };
    const { server } = await serve(t, { environment });
    cleanups.push(startPostfix(port, server.mailPorts[0] ?? 0));
    const wrong: string[] = [];
    for (const [name, { event }] of Object.entries(mailboxes)) {
      const mail = { from: 'a@acme.example', to: `${name}@test.example`, subject: name, text: 'x' };
      const { json } = await server.call('POST', '/emails', mail);
      const told = async () => {
        const { json: log } = await server.call('GET', `/emails/${json.id}/events`);
        return log.data.map((one: { type: string }) => one.type) as string[];
      };
      const came = await server
        .until(`${name} comes back`, async () => (await told()).includes(event))
        .then(
          () => true,
          () => false,
        );
      console.log(`postfix, ${name}: ${(await told()).join(' ')}`);
      if (!came) wrong.push(name);
    }
    assert.deepEqual(wrong, []);
  } finally {
    for (const end of cleanups.reverse()) await end();
  }
}

/** @returns what ends it. */
function startPostfix(port: number, back: number): () => void {
  const folder = mkdtempSync('/tmp/sendonce-bouncer-');
  chmodSync(folder, 0o755);
  for (const name of ['/queue', '/data']) mkdirSync(folder + name, { mode: 0o755 });
  execFileSync('chown', ['postfix', `${folder}/data`]);
  const rows = Object.entries(mailboxes).flatMap(([name, { transport }]) =>
    transport === null ? [] : [`{ ${name}@test.example = ${transport} }`],
  );
  const settings = [
    `queue_directory = ${folder}/queue`,
    `data_directory = ${folder}/data`,
    'compatibility_level = 3.6',
    'inet_interfaces = loopback-only',
    'inet_protocols = ipv4',
    'mydestination =',
    'myhostname = relay.example',
    'smtpd_reject_unlisted_recipient = no',
    `transport_maps = inline:{ { back.example.com = smtp:[127.0.0.1]:${back} }, ${rows.join(', ')} }`,
    'virtual_alias_maps = inline:{ { forwarded@test.example = unknown@test.example } }',
    'virtual_alias_domains =',
    'delay_warning_time = 1s',
    'minimal_backoff_time = 2s',
    'queue_run_delay = 2s',
    `maillog_file = ${folder}/log`,
    'maillog_file_prefixes = /tmp',
  ];
  writeFileSync(`${folder}/main.cf`, settings.join('\n'));
  const master = readFileSync('/etc/postfix/master.cf', 'utf8')
    .replace(/^smtp(\s+inet)/m, `127.0.0.1:${port}$1`)
    .replaceAll(/^(\w\S*\s+\S+\s+\S+\s+\S+\s+)y(\s)/gm, '$1n$2')
    .replace(/^(127\S*\s+inet\s+\S+\s+\S+\s+)y/m, '$1n');
  writeFileSync(`${folder}/master.cf`, master);
  const daemon = spawn('postfix', ['-c', folder, 'start-fg'], { stdio: 'ignore' });
  return () => {
    daemon.kill();
    spawnSync('postfix', ['-c', folder, 'abort'], { stdio: 'ignore', timeout: 10_000 });
    rmSync(folder, { recursive: true, force: true });
  };
}
