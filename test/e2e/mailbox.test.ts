/** Bounces that come to a mailbox: each is taken once and marked, through cut connections, restarts and mailboxes that count anew. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { doctor } from '../../src/command/doctor.ts';
import { examineConfig } from '../../src/config/config.ts';
import { findFailing } from '../../src/store/mailboxes.ts';
import { createMailboxTurns } from '../../src/use-cases/read-mailbox.ts';
import { openDatabase } from '../support/engine.ts';
import { ImapServer } from '../support/imap-server.ts';
import { printed } from '../support/printed.ts';
import { serve } from '../support/served.ts';
import { type TestServer, testSecretKey } from '../support/server.ts';
import type { Sink } from '../support/smtp-sink.ts';

const corpus = fileURLToPath(new URL('../../../test/evidence/corpus/', import.meta.url));
const cleanups: (() => unknown)[] = [];

let imap: ImapServer;
let server: TestServer;
let sink: Sink;

before(async () => {
  const t = { after: (end: () => unknown) => cleanups.push(end) };
  imap = await new ImapServer({ folder: 'Bounces/in' }).start();
  cleanups.push(() => imap.stop());
  const environment = { BOUNCE_DOMAIN: 'back.example.com', BOUNCE_IMAP_URL: imap.url };
  ({ server, sink } = await serve(t as never, { environment }));
});
after(async () => {
  for (const end of cleanups.reverse()) await end();
});

type Sent = { id: string; to: string; returnPath: string };

let mails = 0;

async function send(): Promise<Sent> {
  const to = `ann${++mails}@example.com`;
  const { json } = await server.call('POST', '/emails', {
    from: 'a@acme.example',
    to,
    subject: `mail ${mails}`,
    text: 'x',
  });
  await server.until('it left', () => sink.received.some((one) => one.to.includes(to)));
  const [mail] = sink.received.filter((one) => one.to.includes(to));
  await server.until('it is sent', async () => (await lastOf(json.id)) === 'sent');
  return { id: json.id, to, returnPath: mail?.from ?? '' };
}

/** As a mail server delivers it: with the address it came to. */
function notice(name: string, { to, returnPath }: Pick<Sent, 'to' | 'returnPath'>): string {
  const mail = readFileSync(`${corpus}${name}.eml`, 'utf8')
    .replaceAll(/bounces\+019a[0-9a-z.-]+@bounce\.sendonce\.test/g, returnPath)
    .replaceAll('ann@example.com', to);
  return `Delivered-To: ${returnPath}\n${mail}`.replaceAll('\n', '\r\n');
}

async function lastOf(id: string): Promise<string> {
  return (await server.call('GET', `/emails/${id}`)).json.last_event;
}

async function until(sent: Sent, last: string): Promise<void> {
  await server.until(`${sent.to} is ${last}`, async () => (await lastOf(sent.id)) === last);
}

async function timesOf({ id }: Sent, type: string): Promise<number> {
  const { json } = await server.call('GET', `/emails/${id}/events`);
  return json.data.filter((one: { type: string }) => one.type === type).length;
}

const allMarked = () => imap.mails.every(({ flags }) => flags.has('$Sendonce') && flags.has('\\Seen'));

describe('a mailbox that bounces come to', () => {
  it('is read as soon as something comes, and what was taken is marked', async () => {
    const [bounced, delivered] = [await send(), await send()];
    await server.until('it waits to be told', () => imap.commands.includes('IDLE'));
    imap.deliver(notice('postfix-unknown', bounced));
    imap.deliver(notice('postfix-success', delivered));
    await until(bounced, 'bounced');
    await until(delivered, 'delivered');
    await server.until('all are marked', allMarked);
    assert.equal(imap.logins, 1);
  });

  it('counts nothing twice when its connection is cut, the server starts again, or the mailbox counts anew', async () => {
    const all = [await send(), await send(), await send()];
    // In the midst of the second of three.
    imap.cutAfterMails = 1;
    for (const one of all) imap.deliver(notice('exim-unknown', one));
    for (const one of all) await until(one, 'bounced');
    await server.until('all are marked', allMarked);
    assert.equal(imap.cutAfterMails, null, 'it was cut');
    const fetched = () => imap.commands.filter((line) => line.startsWith('UID FETCH')).length;
    const before = fetched();
    const late = await send();
    await server.restart(() => {
      imap.deliver(notice('qmail-unknown', late));
    });
    await until(late, 'bounced');
    assert.equal(fetched(), before + 1, 'only what is new was read');
    const last = await send();
    imap.renumber();
    imap.cutAll();
    // One that lost its mark is taken again, and changes nothing.
    imap.mails[0]?.flags.clear();
    imap.deliver(notice('gmail-unknown', last));
    await until(last, 'bounced');
    await server.until('all are marked', allMarked);
    for (const one of [...all, late, last]) assert.equal(await timesOf(one, 'bounced'), 1);
    assert.ok(fetched() - before <= 3, 'what is marked is not read again');
  });

  it('calls an operator where it cannot be read for five minutes, and again once it is', async () => {
    const troubled = async () => {
      await server.tick();
      return (await server.call('GET', '/metrics')).text.includes('sendonce_trouble{name="mailbox_unread"} 1');
    };
    const { password } = imap.options;
    Object.assign(imap.options, { password: 'another' });
    imap.cutAll();
    const database = await openDatabase(server.databaseUrl);
    try {
      const isNoted = async () => (await findFailing(database, 0)) !== null;
      await server.until('it is noted', isNoted);
      assert.equal(await troubled(), false, 'it may be a restart');
      server.clock.advance(5 * 60_000);
      assert.equal(await troubled(), true);
      assert.equal(await findFailing(database, server.clock.now() + 1), null, 'nobody has tried since');
      Object.assign(imap.options, { password });
      await server.restart(() => {});
      await server.until('it is read again', async () => !(await isNoted()));
      assert.equal(await troubled(), false);
    } finally {
      Object.assign(imap.options, { password });
      await database.close();
    }
  });

  it('keeps what matches nothing for a person, and believes no address that nobody made', async () => {
    const sent = await send();
    const forged = sent.returnPath.replace(/.@/, sent.returnPath.includes('0@') ? '1@' : '0@');
    imap.deliver(notice('postfix-unknown', { to: sent.to, returnPath: forged }));
    imap.deliver('not a mail at all');
    await server.until('both are marked', allMarked);
    assert.equal(await lastOf(sent.id), 'sent');
    const { text } = await server.call('GET', '/metrics');
    assert.match(text, /sendonce_notices_total\{kind="none",outcome="[a-z_]+"\} \d/);
  });
});

describe('the processes of one database', () => {
  it('read a mailbox one at a time, and another goes on when one has left or is dead', async (t) => {
    const database = await openDatabase(server.databaseUrl);
    t.after(() => database.close());
    const clock = { now: () => at };
    let at = server.clock.now();
    const turnsOf = (worker: string) => createMailboxTurns({ database, clock, id: 'box', worker });
    const [one, other] = [turnsOf('one'), turnsOf('other')];
    // One process serves a file, and whoever had it before is dead.
    const isShared = database.engine === 'postgres';
    assert.deepEqual([await one.hold(), await other.hold(), await one.hold()], [true, !isShared, true]);
    await one.advance('7', 12);
    assert.deepEqual([await other.lastUid('7'), await other.lastUid('8')], [12, 0]);
    at += 29_000;
    assert.equal(await other.hold(), !isShared);
    at += 1_000;
    assert.deepEqual([await other.hold(), await one.hold()], [true, !isShared]);
    // A process that stood still meanwhile writes nothing down over the one that goes on.
    assert.equal(await one.advance('7', 9), !isShared);
    await other.leave();
    assert.deepEqual([await one.hold(), await one.lastUid('7')], [true, isShared ? 12 : 9]);
  });
});

describe('doctor and the mailbox', () => {
  async function lineOf(url: string): Promise<string> {
    const status = process.exitCode;
    const settings = {
      DATABASE_URL: server.databaseUrl,
      STATE_DIR: server.stateDir,
      SECRET_KEY: testSecretKey,
      BOUNCE_DOMAIN: 'back.example.com',
      BOUNCE_IMAP_URL: url,
    };
    const said = await printed(() => doctor(examineConfig(settings)));
    process.exitCode = status;
    return /^.*mailbox 127.*$/m.exec(said)?.[0] ?? said;
  }

  it('agree where it can be read, and otherwise say what to do, without the password', async () => {
    assert.match(
      await lineOf(imap.url),
      /^ok +mailbox \S+: bounces is logged in, no TLS, \d+ mails, it tells of new mail \(IDLE\)$/,
    );
    const wrong = await lineOf(imap.url.replace('p%40ss%3Aw%2Frd', 'wrong-one'));
    assert.match(wrong, /^FAIL +mailbox \S+: it refuses the login \(.*\)\. Check user and password in BOUNCE_IMAP_URL/);
    // The server repeats what it was sent, once more in Base64.
    assert.match(wrong, /who sent/);
    assert.doesNotMatch(wrong, /wrong-one|d3Jvbmctb25l|dyb25nLW9u|3cm9uZy1vb/);
    const folder = await lineOf(imap.url.replace('Bounces%2Fin', 'Elsewhere'));
    assert.match(folder, /^FAIL .*: it does not open the folder \(no such folder.*\)\. Check the folder/);
    assert.match(await lineOf(imap.url.replace('?starttls=never', '')), /^FAIL .*: there is no TLS with it/);
    const { url } = imap;
    await imap.stop();
    assert.match(await lineOf(url), /^FAIL .*: it cannot be reached \(.*\)\. Check host and port/);
  });
});
