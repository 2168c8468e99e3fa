/** Debian's Postfix, as it is installed, with settings of its own. */

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isInstalled } from '../listen/real-servers.ts';
import { answers } from './debian.ts';
import { type Asked, backDomain } from './server.ts';

const transports = {
  unknown: 'error:5.1.1 There is no such user',
  full: 'error:5.2.2 The mailbox is full',
  slow: 'retry:4.4.1 No answer from the host',
  fine: 'discard:',
};

export async function startPostfix(asked: Asked): Promise<{ end(): Promise<void> } | null> {
  if (!isInstalled('postfix')) {
    console.log('Postfix is not installed, and was not tried: `apt-get install postfix` brings it.');
    return null;
  }
  const { folder, port } = asked;
  for (const name of ['/queue', '/data']) mkdirSync(folder + name, { mode: 0o755 });
  execFileSync('chown', ['postfix', `${folder}/data`]);
  writeFileSync(`${folder}/main.cf`, settingsOf(asked).join('\n'));
  writeFileSync(`${folder}/master.cf`, servicesOf(asked));
  const daemon = spawn('postfix', ['-c', folder, 'start-fg'], { stdio: 'ignore' });
  for (let tries = 0; !(await answers(port)) && tries < 300; tries++) await new Promise((go) => setTimeout(go, 100));
  return {
    async end() {
      daemon.kill();
      spawnSync('postfix', ['-c', folder, 'abort'], { stdio: 'ignore', timeout: 10_000 });
    },
  };
}

function settingsOf({ folder, back, onward }: Asked): string[] {
  const rows = Object.entries(transports).map(([name, transport]) => `{ ${name}@test.example = ${transport} }`);
  const backBy = back.kind === 'smtp' ? `smtp:[127.0.0.1]:${back.port}` : 'back:';
  return [
    `queue_directory = ${folder}/queue`,
    `data_directory = ${folder}/data`,
    'compatibility_level = 3.6',
    'inet_interfaces = loopback-only',
    'inet_protocols = ipv4',
    'mydestination =',
    'myhostname = relay.example',
    'smtpd_reject_unlisted_recipient = no',
    'message_size_limit = 50000000',
    `transport_maps = inline:{ { ${backDomain} = ${backBy} }, ${rows.join(', ')} }`,
    'virtual_alias_maps = inline:{ { forwarded@test.example = unknown@test.example } }',
    'virtual_alias_domains =',
    ...(onward === null ? [] : [`relayhost = [127.0.0.1]:${onward}`]),
    'recipient_delimiter =',
    'delay_warning_time = 1s',
    'minimal_backoff_time = 2s',
    'queue_run_delay = 2s',
    `maillog_file = ${folder}/log`,
    'maillog_file_prefixes = /tmp',
  ];
}

function servicesOf({ folder, port, back }: Asked): string {
  const master = readFileSync('/etc/postfix/master.cf', 'utf8')
    .replace(/^smtp(\s+inet)/m, `127.0.0.1:${port}$1`)
    .replaceAll(/^(\w\S*\s+\S+\s+\S+\s+\S+\s+)y(\s)/gm, '$1n$2')
    .replace(/^(127\S*\s+inet\s+\S+\s+\S+\s+)y/m, '$1n');
  if (back.kind === 'smtp') return master;
  const pipe = `back unix - n n - 4 pipe\n  flags=R user=nobody directory=${folder} argv=${back.program} \${recipient}`;
  return `${master}\n${pipe}\n`;
}
