/**
 * `npm run clients:imap`: a real IMAP server (Debian's dovecot-imapd, run as root) has the mailbox that bounces come to. It is stopped and
 * started in the midst of it; each bounce counts once and is marked. Where Dovecot is missing, that is said.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { doctor } from '../../src/command/doctor.ts';
import { examineConfig } from '../../src/config/config.ts';
import { printed } from '../support/printed.ts';
import { serve } from '../support/served.ts';
import { testSecretKey } from '../support/server.ts';
import { startDovecot } from './dovecot-server.ts';
import { isInstalled } from './real-servers.ts';

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
    const { url } = box;
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
