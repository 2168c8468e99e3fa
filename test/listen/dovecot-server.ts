/** Debian's Dovecot over one mailbox, run as root: stopped and started as a test wants, with mail delivered as mail servers do. */

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
import { answers } from '../mail-servers/debian.ts';
import { freePort } from './real-servers.ts';

export async function startDovecot() {
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
    url: `imap://bounces:p%40ss@127.0.0.1:${port}/INBOX?starttls=never`,
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
