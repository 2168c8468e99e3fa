/** Mail that comes for domains marked as receiving: kept as it came, told once, and shown as Resend's API shows it. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Resend } from 'resend';
import { insertGrant } from '../../src/store/account-domains.ts';
import { disableAccount, enableAccount } from '../../src/store/account-rules.ts';
import { eraseRecipient } from '../../src/use-cases/erase-recipient.ts';
import { openDatabase } from '../support/engine.ts';
import { RawClient } from '../support/mail-client.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { addApiKey, drained, serve } from '../support/served.ts';
import { type TestServer, testKey } from '../support/server.ts';
import type { Sink } from '../support/smtp-sink.ts';

let server: TestServer;
let sink: Sink;
let receiver: Receiver;
let resend: Resend;
let port: number;
const cleanups: (() => unknown)[] = [];

before(async () => {
  const t = { after: (end: () => unknown) => cleanups.push(end) };
  const environment = {
    LISTEN_SMTP: '127.0.0.1:0',
    BOUNCE_DOMAIN: 'back.example.com',
    RECEIVING_DOMAINS: 'in.example.com, Other.example.com',
    RETENTION_DAYS: '2',
    PUBLIC_URL: 'http://mail.example.com',
  };
  ({ server, sink } = await serve(t as never, { environment }));
  receiver = await startReceiver(t as never);
  resend = new Resend(testKey, { baseUrl: server.url });
  port = server.mailPorts[0] ?? 0;
  const events = ['email.received'];
  const made = await server.call('POST', '/webhooks', { endpoint: receiver.url, events });
  assert.equal(made.status, 201, made.text);
});
after(async () => {
  for (const end of cleanups.reverse()) await end();
});

const picture = Buffer.from('not really a picture');

let mails = 0;

/** Written as another server hands it on. */
function mailTo(recipients: string, more: { subject?: string; id?: string; header?: string } = {}): string {
  const { subject = `mail ${++mails}`, id = `<${++mails}@mx.example.net>`, header = '' } = more;
  return [
    `${header}From: =?utf-8?q?Ann_=C3=84h?= <ann@example.net>`,
    `To: ${recipients}`,
    'Cc: Carl <carl@example.org>',
    'Reply-To: answers@example.net',
    `Subject: ${subject}`,
    ...(id === '' ? [] : [`Message-ID: ${id}`]),
    'Auto-Submitted: no',
    'MIME-Version: 1.0',
    'Content-Type: multipart/related; boundary=b',
    '',
    '--b',
    'Content-Type: multipart/alternative; boundary=a',
    '',
    '--a',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: quoted-printable',
    '',
    'Gr=C3=BC=C3=9Fe',
    '--a',
    'Content-Type: text/html',
    '',
    '<p>Hello <img src="cid:pic@mx"></p>',
    '--a--',
    '--b',
    'Content-Type: image/png',
    'Content-ID: <pic@mx>',
    'Content-Transfer-Encoding: base64',
    '',
    picture.toString('base64'),
    '--b',
    'Content-Type: application/pdf',
    'Content-Disposition: attachment; filename="Q3 report.pdf"',
    'Content-Transfer-Encoding: base64',
    '',
    Buffer.from('a report').toString('base64'),
    '--b--',
    '',
  ].join('\r\n');
}

async function bring(mail: string, to: string[], from = 'ann@example.net'): Promise<string> {
  const client = await RawClient.open(port);
  await client.ask('EHLO mx.example.net');
  const reply = await client.send(mail.replace(/\r\n$/, '').replaceAll(/^\./gm, '..'), to, from);
  client.cut();
  return reply;
}

function idsIn(reply: string): string[] {
  return (/^250 2\.0\.0 received as ([\da-f, -]+)$/.exec(reply)?.[1] ?? '').split(', ');
}

function dataOf<T>({ data, error }: { data: T | null; error: unknown }): T {
  assert.equal(error, null);
  assert(data);
  return data;
}

async function told(id: string): Promise<Receiver['told']> {
  const about = () => receiver.told.filter(({ json }) => json.data.email_id === id);
  await server.until(`${id} is told`, () => about().length > 0);
  return about();
}

describe('a mail that comes for a receiving domain', () => {
  it('is kept, told, and shown by the SDK as it was written', async () => {
    const mail = mailTo('Help <help@in.example.com>');
    const [id = ''] = idsIn(await bring(mail, ['help@in.example.com', 'hidden@IN.example.com']));
    const shown = dataOf(await resend.emails.receiving.get(id));
    assert.equal(shown.object, 'email');
    assert.deepEqual([shown.from, shown.to], ['Ann Äh <ann@example.net>', ['Help <help@in.example.com>']]);
    assert.deepEqual(
      [shown.cc, shown.bcc, shown.reply_to],
      [['Carl <carl@example.org>'], ['hidden@IN.example.com'], ['answers@example.net']],
    );
    assert.deepEqual(shown.received_for, ['help@in.example.com', 'hidden@IN.example.com']);
    assert.equal(shown.text, 'Grüße');
    assert.equal(shown.html, `<p>Hello <img src="data:image/png;base64,${picture.toString('base64')}"></p>`);
    assert.equal(shown.headers?.['auto-submitted'], 'no');
    assert.equal(shown.headers?.['return-path'], '<ann@example.net>');
    assert.deepEqual(
      shown.attachments.map(({ filename, content_type, content_disposition, content_id, size }) =>
        [filename, content_type, content_disposition, content_id, size].join(' '),
      ),
      ['attachment image/png inline pic@mx 20', 'Q3 report.pdf application/pdf attachment  8'],
    );
    const plain = dataOf(await resend.emails.receiving.get(id, { html_format: 'cid' }));
    assert.equal(plain.html, '<p>Hello <img src="cid:pic@mx"></p>');

    const raw = await (await fetch(here(shown.raw?.download_url))).text();
    assert.ok(raw.endsWith(mail), raw);
    assert.match(
      raw.slice(0, -mail.length),
      new RegExp(
        `^Return-Path: <ann@example\\.net>\\r\\nReceived: from mx\\.example\\.net \\(\\[127\\.0\\.0\\.1\\]\\)\\r\\n by mail\\.example\\.com with ESMTP id ${id};\\r\\n .*\\r\\n$`,
      ),
    );

    const [event] = await told(id);
    assert.equal(event?.json.type, 'email.received');
    const { email_id, message_id, attachments, ...data } = event?.json.data ?? {};
    assert.deepEqual([email_id, message_id], [id, shown.message_id]);
    assert.deepEqual(data.received_for, shown.received_for);
    assert.deepEqual(Object.keys(data).sort(), ['bcc', 'cc', 'created_at', 'from', 'received_for', 'subject', 'to']);
    assert.equal(attachments[1].filename, 'Q3 report.pdf');
  });

  it('has its files by their ids, through links that work without a key', async () => {
    const [id = ''] = idsIn(await bring(mailTo('help@in.example.com'), ['help@in.example.com']));
    const { data: files } = dataOf(await resend.emails.receiving.attachments.list({ emailId: id }));
    assert.deepEqual(
      files.map(({ filename }) => filename),
      ['attachment', 'Q3 report.pdf'],
    );
    const file = dataOf(await resend.emails.receiving.attachments.get({ emailId: id, id: files[1]?.id ?? '' }));
    const download = await fetch(here(file.download_url));
    assert.deepEqual([await download.text(), download.headers.get('content-type')], ['a report', 'application/pdf']);
    const forged = here(file.download_url).replace(files[1]?.id ?? '', 'raw');
    assert.equal((await fetch(forged)).status, 404);
    const nobody = await resend.emails.receiving.attachments.get({ emailId: id, id });
    assert.equal(nobody.error?.message, 'Attachment not found');
  });

  it('is listed, the newest first, page by page', async () => {
    const sent: string[] = [];
    for (const subject of ['one', 'two', 'three']) {
      sent.unshift(...idsIn(await bring(mailTo('list@in.example.com', { subject }), ['list@in.example.com'])));
    }
    const all = dataOf(await resend.emails.receiving.list());
    assert.deepEqual(
      all.data.slice(0, 3).map(({ id }) => id),
      sent,
    );
    assert.equal(all.has_more, false);
    const first = dataOf(await resend.emails.receiving.list({ limit: 2 }));
    assert.deepEqual([first.data.map(({ subject }) => subject), first.has_more], [['three', 'two'], true]);
    const next = dataOf(await resend.emails.receiving.list({ limit: 1, after: sent[1] ?? '' }));
    assert.deepEqual(
      next.data.map(({ subject }) => subject),
      ['one'],
    );
    const before = dataOf(await resend.emails.receiving.list({ limit: 5, before: sent[2] ?? '' }));
    assert.deepEqual(
      before.data.map(({ subject }) => subject),
      ['three', 'two'],
    );
  });

  it('is forwarded by the SDK, once under a key, both as it is and wrapped', async () => {
    const [id = ''] = idsIn(await bring(mailTo('x@in.example.com', { subject: 'pass on' }), ['x@in.example.com']));
    // The SDK fetches the whole mail at its link, which is under PUBLIC_URL.
    const real = globalThis.fetch;
    globalThis.fetch = (url, init) => real(typeof url === 'string' ? here(url) : url, init);
    try {
      const options = { emailId: id, to: 'dan@example.org', from: 'help@in.example.com' };
      const key = { idempotencyKey: `forward/${id}` };
      const one = dataOf(await resend.emails.receiving.forward(options, key));
      assert.equal(dataOf(await resend.emails.receiving.forward(options, key)).id, one.id);
      dataOf(await resend.emails.receiving.forward({ ...options, passthrough: false, text: 'see below', html: '' }));
    } finally {
      globalThis.fetch = real;
    }
    await drained(server);
    const left = sink.received.map(({ bytes }) => bytes.toString()).filter((text) => text.includes('pass on'));
    assert.equal(left.length, 2);
    assert.ok(left.some((text) => text.includes('Subject: pass on') && text.includes('Q3 report.pdf')));
    assert.ok(left.some((text) => text.includes('Subject: Fwd: pass on') && text.includes('forwarded_message.eml')));
  });

  it('is one mail where its server sends it again, and another where it has other recipients or no Message-ID', async () => {
    const mail = mailTo('again@in.example.com', { id: '<again@mx.example.net>' });
    const [first = ''] = idsIn(await bring(mail, ['again@in.example.com']));
    assert.deepEqual(idsIn(await bring(mail, ['again@in.example.com'])), [first]);
    const [other] = idsIn(await bring(mail, ['else@in.example.com']));
    assert.notEqual(other, first);
    const unnamed = mailTo('again@in.example.com', { id: '', subject: 'without a name' });
    const twice = [await bring(unnamed, ['again@in.example.com']), await bring(unnamed, ['again@in.example.com'])];
    assert.equal(new Set(twice.flatMap(idsIn)).size, 2);
    assert.equal((await told(first)).length, 1);
  });

  it('may have a sender that nobody can answer, and a header that says little', async () => {
    const [id = ''] = idsIn(await bring('not a field\r\nSubject: bare\r\n\r\nbody', ['b@in.example.com'], ''));
    const shown = dataOf(await resend.emails.receiving.get(id));
    assert.deepEqual([shown.from, shown.subject, shown.text, shown.to], ['', 'bare', 'body\n', []]);
  });
});

describe('whose it is', () => {
  it('is decided by the domain: each account sees its own, and of one mail for two each has a copy', async () => {
    const token = await addApiKey(server, 're_other_key', 'other');
    const database = await openDatabase(server.databaseUrl);
    await database.write((tx) => insertGrant(tx, { account: 'other', domain: 'other.example.com' }, 0));
    const to = ['a@in.example.com', 'b@other.example.com'];
    const ids = idsIn(await bring(mailTo(to.join(', ')), to));
    assert.equal(ids.length, 2);
    const theirs = new Resend(token, { baseUrl: server.url });
    const { data } = dataOf(await theirs.emails.receiving.list());
    assert.deepEqual(
      data.map(({ id, received_for }) => [id, ...received_for]),
      [[ids[1], 'b@other.example.com']],
    );
    const foreign = await theirs.emails.receiving.get(ids[0] ?? '');
    assert.deepEqual([foreign.error?.statusCode, foreign.error?.name], [404, 'not_found']);

    await database.write((tx) => disableAccount(tx, 'other', 1));
    assert.match(await rcpt('b@other.example.com'), /^450 4\.2\.1 /);
    await database.write((tx) => enableAccount(tx, 'other', 1));
    assert.match(await rcpt('b@other.example.com'), /^250 /);
    await database.close();
  });

  it('is nobody’s for any other domain: nothing is relayed for who has not signed in', async () => {
    for (const recipient of ['ann@example.org', 'x@sub.in.example.com', 'a%example.org@gmail.com']) {
      assert.match(await rcpt(recipient), /^530 5\.7\.0 /);
    }
    assert.match(await rcpt('help@in.example.com'), /^250 /);
  });

  it('is asked for by the API, once the domain is verified', async () => {
    const made = dataOf(
      await resend.domains.create({ name: 'api.example.com', capabilities: { receiving: 'enabled' } } as never),
    );
    assert.deepEqual(made.capabilities, { sending: 'enabled', receiving: 'enabled' });
    assert.deepEqual(
      made.records.filter(({ record }) => record === 'Receiving').map((one) => [one.type, one.name, one.value]),
      [['MX', 'api.example.com', 'mail.example.com']],
    );
    assert.match(await rcpt('x@api.example.com'), /^530 /);
    const database = await openDatabase(server.databaseUrl);
    await database.write((tx) => tx.run("update domains set status = 'verified' where id = ?", made.id));
    assert.match(await rcpt('x@api.example.com'), /^250 /);
    await resend.domains.update({ id: made.id, capabilities: { receiving: 'disabled' } } as never);
    assert.match(await rcpt('x@api.example.com'), /^530 /);
    await database.close();
  });
});

describe('what is not taken', () => {
  it('is what goes round in a loop, and a header that is too large', async () => {
    const hop = 'Received: from a by b; Mon, 30 Nov 2026 10:00:00 +0000\r\n';
    const to = ['loop@in.example.com'];
    assert.match(await bring(mailTo('loop@in.example.com', { header: hop.repeat(101) }), to), /^554 5\.6\.0 .*loop/);
    assert.match(await bring(mailTo('loop@in.example.com', { header: hop.repeat(100) }), to), /^250 /);
    const large = `X-Large: ${'x'.repeat(900)}\r\n`.repeat(150);
    assert.match(await bring(mailTo('loop@in.example.com', { header: large }), to), /^552 5\.3\.4 /);
  });

  it('is never answered: nothing leaves for it', async () => {
    await drained(server);
    assert.deepEqual(
      sink.received.filter(({ to }) => !to.includes('dan@example.org')),
      [],
    );
  });
});

describe('a person who is forgotten', () => {
  it('is named by no mail that came from them, and others stay', async () => {
    const to = ['del@in.example.com'];
    const ofThem = mailTo('del@in.example.com')
      .replaceAll('ann@example.net', 'eva@example.net')
      .replace('Ann_', 'Eva_');
    const [theirs = ''] = idsIn(await bring(ofThem, to, 'eva@example.net'));
    const [longer = ''] = idsIn(await bring(ofThem.replaceAll('eva@', 'my-eva@').replace(/<\d+@/, '<x@'), to));
    const database = await openDatabase(server.databaseUrl);
    await eraseRecipient(database, 'eva@example.net', server.clock.now());
    await database.close();
    const { text } = await server.call('GET', `/emails/receiving/${theirs}`);
    assert.doesNotMatch(text, /eva/i);
    assert.match(text, /erased-[0-9a-f]{16}@erased\.invalid/);
    assert.equal((await server.call('GET', `/emails/receiving/${theirs}`)).json.raw, null);
    assert.match((await server.call('GET', `/emails/receiving/${longer}`)).text, /my-eva@example\.net/);
  });
});

describe('retention', () => {
  it('forgets what a mail said, and keeps that it came', async () => {
    const [id = ''] = idsIn(await bring(mailTo('old@in.example.com', { subject: 'old' }), ['old@in.example.com']));
    const { raw } = dataOf(await resend.emails.receiving.get(id));
    server.clock.advance(3 * 24 * 60 * 60_000);
    await server.tick();
    const shown = dataOf(await resend.emails.receiving.get(id));
    assert.deepEqual(
      [shown.subject, shown.text, shown.html, shown.headers, shown.raw, shown.attachments],
      ['old', null, null, null, null, []],
    );
    assert.equal((await fetch(here(raw?.download_url))).status, 404);
  });
});

/** Where a link leads, whatever the server is called outside. */
function here(url = ''): string {
  return url.replace('http://mail.example.com', server.url);
}

async function rcpt(recipient: string): Promise<string> {
  const client = await RawClient.open(port);
  await client.ask('EHLO mx.example.net');
  await client.ask('MAIL FROM:<ann@example.net>');
  const reply = await client.ask(`RCPT TO:<${recipient}>`);
  client.cut();
  return reply;
}
