/**
 * `npm run clients:imap`: a real IMAP server (Debian's dovecot-imapd, run as root) has the mailbox that bounces come to. It is stopped and
 * started in the midst of it; each bounce counts once and is marked. Where Dovecot is missing, that is said.
 */

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { doctor } from '../../src/command/doctor.ts';
import { examineConfig } from '../../src/config/config.ts';
import { printed } from '../support/printed.ts';
import { serve } from '../support/served.ts';
import { testSecretKey } from '../support/server.ts';
import { freePort, isInstalled } from './real-servers.ts';

const corpus = fileURLToPath(new URL('../../../test/evidence/corpus/', import.meta.url));
const kinds = ['postfix-unknown', 'exim-unknown', 'qmail-unknown', 'gmail-unknown', 'postfix-full', 'sendmail-unknown'];

if (process.getuid?.() !== 0 || !isInstalled('dovecot')) {
  console.log(
    'Dovecot is not installed, or this is not root: nothing was tried. `apt-get install dovecot-imapd` brings it.',
  );
} else await main();

async function main(): Promise<void> {
  const cleanups: (() => unknown)[] = [];
  const t = { after: (end: () => unknown) => cleanups.push(end) } as unknown as TestContext;
  try {
    const box = await startDovecot();
    cleanups.push(() => box.end());
    const url = `imap://bounces:p%40ss@127.0.0.1:${box.port}/INBOX?starttls=never`;
    const { server, sink } = await serve(t, {
      environment: { BOUNCE_DOMAIN: 'back.example.com', BOUNCE_IMAP_URL: url },
    });
    const settings = { DATABASE_URL: server.databaseUrl, STATE_DIR: server.stateDir, SECRET_KEY: testSecretKey };
    const said = await printed(() =>
      doctor(examineConfig({ ...settings, BOUNCE_DOMAIN: 'back.example.com', BOUNCE_IMAP_URL: url })),
    );
    console.log(/^.*mailbox 127.*$/m.exec(said)?.[0]);
    process.exitCode = 0;
    const ids: string[] = [];
    for (const [index, kind] of kinds.entries()) {
      const to = `ann${index}@example.com`;
      const { json } = await server.call('POST', '/emails', { from: 'a@acme.example', to, subject: kind, text: 'x' });
      ids.push(json.id);
      await server.until('it left', () => sink.received.some((one) => one.to.includes(to)));
      const returnPath = sink.received.find((one) => one.to.includes(to))?.from ?? '';
      // Half of them come while nobody serves the mailbox, and one twice.
      if (index === 2) await box.stop();
      for (let copy = 0; copy <= Number(index === 1); copy++) box.deliver(noticeOf(kind, to, returnPath));
      if (index === 4) await box.start();
    }
    for (const id of ids)
      await server.until(
        `${id} bounced`,
        async () => (await server.call('GET', `/emails/${id}`)).json.last_event === 'bounced',
      );
    await server.until('all are marked', () => box.unmarked() === 0);
    let counted = 0;
    for (const id of ids) {
      const { json } = await server.call('GET', `/emails/${id}/events`);
      counted += json.data.filter((one: { type: string }) => one.type === 'bounced').length;
    }
    assert.equal(counted, ids.length);
    console.log(`${box.delivered} mails came to Dovecot, ${counted} bounces were counted, none is left unmarked`);
  } finally {
    for (const end of cleanups.reverse()) await end();
  }
}

function noticeOf(kind: string, to: string, returnPath: string): string {
  const mail = readFileSync(`${corpus}${kind}.eml`, 'utf8')
    .replaceAll(/bounces\+019a[0-9a-z.-]+@bounce\.sendonce\.test/g, returnPath)
    .replaceAll('ann@example.com', to);
  return `Delivered-To: ${returnPath}\n${mail}`;
}

async function startDovecot() {
  const folder = mkdtempSync('/tmp/sendonce-dovecot-');
  chmodSync(folder, 0o755);
  const [port, maildir] = [await freePort(), `${folder}/box/Maildir`];
  for (const name of ['cur', 'new', 'tmp']) mkdirSync(`${maildir}/${name}`, { recursive: true });
  const chown = () => execFileSync('chown', ['-R', 'nobody:nogroup', `${folder}/box`]);
  chown();
  writeFileSync(`${folder}/users`, 'bounces:{PLAIN}p@ss\n');
  writeFileSync(`${folder}/dovecot.conf`, settingsOf({ folder, port }));
  let running: ReturnType<typeof spawn> | null = null;
  let delivered = 0;
  const box = {
    port,
    get delivered() {
      return delivered;
    },
    async start() {
      running = spawn('dovecot', ['-F', '-c', `${folder}/dovecot.conf`], { stdio: 'ignore' });
      for (let tries = 0; !(await answers(port)); tries++) {
        assert(tries < 200, `Dovecot does not start: ${readLog(folder)}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    async stop() {
      const child = running;
      running = null;
      if (!child) return;
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
    /** As mail servers do: written beside, and moved in. */
    deliver(mail: string) {
      const name = `${Date.now()}.M${++delivered}.host`;
      writeFileSync(`${maildir}/tmp/${name}`, mail);
      chown();
      renameSync(`${maildir}/tmp/${name}`, `${maildir}/new/${name}`);
    },
    /** Without \\Seen, or without a keyword, which Dovecot writes as a small letter. */
    unmarked: () =>
      [...readdirSync(`${maildir}/new`), ...readdirSync(`${maildir}/cur`)].filter((one) => !/:2,S[a-z]$/.test(one))
        .length,
    async end() {
      await box.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await box.start();
  return box;
}

function settingsOf({ folder, port }: { folder: string; port: number }): string {
  return `
    protocols = imap
    base_dir = ${folder}/run
    state_dir = ${folder}/state
    log_path = ${folder}/log
    ssl = no
    disable_plaintext_auth = no
    listen = 127.0.0.1
    mail_location = maildir:~/Maildir
    first_valid_uid = 1
    passdb {
      driver = passwd-file
      args = ${folder}/users
    }
    userdb {
      driver = static
      args = uid=nobody gid=nogroup home=${folder}/box
    }
    service imap-login {
      inet_listener imap {
        port = ${port}
      }
      inet_listener imaps {
        port = 0
      }
    }
  `;
}

function readLog(folder: string): string {
  try {
    return readFileSync(`${folder}/log`, 'utf8');
  } catch {
    return 'it wrote no log';
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    const end = (does: boolean) => {
      socket.destroy();
      resolve(does);
    };
    socket
      .on('error', () => end(false))
      .on('close', () => end(false))
      .on('data', () => end(true));
  });
}
