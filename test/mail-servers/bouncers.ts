/**
 * `npm run bouncers [-- --only exim/pipe]`: Debian's Postfix, Exim and OpenSMTPD, as the relay, take mails for mailboxes that are unknown,
 * full, slow, forwarded and fine, and write back what became of them: to the listener, to `sendonce bounce` through a pipe, and to a
 * mailbox that Dovecot serves by IMAP. Needs root; what is missing is said.
 */

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Environment } from '../../src/config/settings.ts';
import { runCommand } from '../lab/program.ts';
import { startDovecot } from '../listen/dovecot-server.ts';
import { freePort, isInstalled } from '../listen/real-servers.ts';
import { serve } from '../support/served.ts';
import type { TestServer } from '../support/server.ts';
import { openFolder, writeProgram } from './debian.ts';
import { startExim } from './exim.ts';
import { startOpensmtpd } from './opensmtpd.ts';
import { startPostfix } from './postfix.ts';
import { type Back, backDomain, mailboxes, type StartMailServer } from './server.ts';

const servers: Record<string, StartMailServer> = {
  postfix: startPostfix,
  exim: startExim,
  opensmtpd: startOpensmtpd,
};
const intakes = ['listener', 'pipe', 'mailbox'] as const;
type Intake = (typeof intakes)[number];

const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } });

if (process.getuid?.() !== 0) console.log('This is not root: nothing was tried.');
else await main();

async function main(): Promise<void> {
  const wrong: string[] = [];
  for (const [name, start] of Object.entries(servers)) {
    for (const intake of intakes) {
      const what = `${name}/${intake}`;
      if (!what.includes(values.only)) continue;
      if (intake === 'mailbox' && !isInstalled('dovecot')) {
        console.log(`${what}: Dovecot is not installed, and this was not tried: \`apt-get install dovecot-imapd\`.`);
      } else wrong.push(...(await withCleanups((t) => tryOne(t, what, start, intake))));
    }
  }
  assert.deepEqual(wrong, [], 'mails that did not end as they should');
}

async function withCleanups<T>(work: (t: TestContext) => Promise<T>): Promise<T> {
  const cleanups: (() => unknown)[] = [];
  try {
    return await work({ after: (end: () => unknown) => cleanups.push(end) } as unknown as TestContext);
  } finally {
    for (const end of cleanups.reverse()) await end();
  }
}

/** @returns the mails that did not end as they should. */
async function tryOne(t: TestContext, what: string, start: StartMailServer, intake: Intake): Promise<string[]> {
  const [port, folder] = [await freePort(), openFolder()];
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const box = intake === 'mailbox' ? await startDovecot() : null;
  t.after(() => box?.end());
  const environment: Environment = {
    RELAY_URL: `smtp://127.0.0.1:${port}?starttls=never`,
    BOUNCE_DOMAIN: backDomain,
    BOUNCE_NOTIFY: 'failure,delay,success',
    ...(intake === 'listener' ? { LISTEN_SMTP: '127.0.0.1:0' } : {}),
    ...(box ? { BOUNCE_IMAP_URL: box.url } : {}),
  };
  const { server } = await serve(t, { environment });
  const take = async (to: string, mail: string) => {
    if (box) box.deliver(to === '' ? mail : `Delivered-To: ${to}\n${mail}`);
    else await bounce(server, environment, to, mail);
  };
  const listener = { kind: 'smtp', port: server.mailPorts[0] ?? 0 } as const;
  const back: Back = intake === 'listener' ? listener : openPipe(t, folder, take);
  const relay = await start({ folder, port, back, onward: null });
  if (!relay) return [];
  t.after(() => relay.end());
  const ended = await Promise.all(Object.entries(mailboxes).map(([name, event]) => follow(server, name, event)));
  for (const { name, events } of ended) console.log(`${what}, ${name}: ${events.join(' ')}`);
  return ended.filter(({ isRight }) => !isRight).map(({ name }) => `${what}, ${name}`);
}

async function follow(server: TestServer, name: string, event: string) {
  const mail = { from: 'a@acme.example', to: `${name}@test.example`, subject: name, text: 'x' };
  const { json } = await server.call('POST', '/emails', mail);
  const told = async (): Promise<string[]> => {
    const { json: log } = await server.call('GET', `/emails/${json.id}/events`);
    return log.data.map((one: { type: string }) => one.type);
  };
  const isRight = await server
    .until(`${name} comes back`, async () => (await told()).includes(event))
    .then(
      () => true,
      () => false,
    );
  return { name, isRight, events: await told() };
}

function bounce(server: TestServer, environment: Environment, to: string, mail: string): Promise<string> {
  const { databaseUrl, stateDir } = server;
  const { RELAY_URL: relayUrl = '', ...others } = environment;
  return runCommand(
    { databaseUrl, relayUrl, environment: { ...others, STATE_DIR: stateDir } },
    ['bounce', ...(to === '' ? [] : [to])],
    0,
    mail,
  );
}

/**
 * What a mail server runs, as a user of its own. The server of the test is root's: the program hands the mail over, and ends as the
 * command ends that takes it.
 */
function openPipe(t: TestContext, folder: string, take: (to: string, mail: string) => Promise<void>): Back {
  const program = `${folder}/back`;
  const spool = `${folder}/spool`;
  writeProgram(
    program,
    `#!/bin/sh
one=$(mktemp ${spool}/XXXXXXXX) || exit 75
{ printf '%s\\n' "$1"; cat; } >"$one"
mv "$one" "$one.ready"
tries=0
until [ -e "$one.status" ] || [ $tries = 300 ]; do sleep 0.1; tries=$((tries + 1)); done
exit "$(cat "$one.status" 2>/dev/null || echo 75)"
`,
  );
  mkdirSync(spool);
  chmodSync(spool, 0o1777);
  const stopping = new AbortController();
  const ended = serveSpool(spool, take, stopping.signal);
  t.after(async () => {
    stopping.abort();
    await ended;
  });
  return { kind: 'pipe', program };
}

async function serveSpool(
  spool: string,
  take: (to: string, mail: string) => Promise<void>,
  stopping: AbortSignal,
): Promise<void> {
  while (!stopping.aborted) {
    for (const name of readdirSync(spool).filter((one) => one.endsWith('.ready'))) {
      const [to = '', ...lines] = readFileSync(`${spool}/${name}`, 'latin1').split('\n');
      const status = await take(to, lines.join('\n')).then(
        () => 0,
        () => 75,
      );
      const path = `${spool}/${name.replace(/ready$/, 'status')}`;
      rmSync(`${spool}/${name}`);
      writeFileSync(`${path}.part`, `${status}\n`, { mode: 0o644 });
      renameSync(`${path}.part`, path);
    }
    await pause(50);
  }
}
