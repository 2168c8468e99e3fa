/** Submission over SMTP: what a client has written is accepted once, and leaves as it was written. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { idIn, mailer, RawClient } from '../support/mail-client.ts';
import { drained, serve } from '../support/served.ts';
import { type TestServer, testKey } from '../support/server.ts';
import type { Received, Sink } from '../support/smtp-sink.ts';

let server: TestServer;
let sink: Sink;
let port: number;
const cleanups: (() => Promise<void>)[] = [];

before(async () => {
  const t = { after: (end: () => Promise<void>) => cleanups.push(end) };
  ({ server, sink } = await serve(t as never, { environment: { LISTEN_SMTP: '127.0.0.1:0' } }));
  port = server.mailPorts[0] ?? 0;
});
after(async () => {
  for (const end of cleanups) await end();
});

const hello = 'From: App <app@acme.example>\r\nTo: ann@example.org\r\nSubject: Hello\r\n';
let serial = 0;
const newKey = () => `key-${++serial}`;

async function leaving(subject: string): Promise<Received[]> {
  await drained(server);
  return sink.received.filter(({ bytes }) => bytes.includes(`Subject: ${subject}\r\n`));
}

describe('a mail that is submitted', () => {
  it('leaves in the bytes it came in, behind the trace and what its header lacked', async () => {
    const body = 'Zwölf\r\n.dot\r\n..dots\r\nfrom here  \r\n\r\n';
    const header = 'FROM : App <app@acme.example>\r\nTo: ann@example.org\r\nSubject: as\r\n\tit is\r\n';
    const client = await RawClient.signedIn(port);
    const id = idIn(await client.send(`${header}\r\n${body.replaceAll(/^\./gm, '..')}`.replace(/\r\n$/, '')));
    assert.notEqual(id, '');
    await drained(server);
    const [taken] = sink.received.filter(({ bytes }) => bytes.includes(id));
    const text = taken?.bytes.toString() ?? '';
    assert.ok(text.endsWith(`${header}\r\n${body}`), text);
    const added = text.slice(0, -`${header}\r\n${body}`.length);
    assert.match(
      added,
      new RegExp(
        `^Received: by \\S+ with ESMTPA id ${id};\\r\\n .*\\r\\nMessage-ID: <${id}@acme.example>\\r\\nDate: .*\\r\\n$`,
      ),
    );
    assert.deepEqual([taken?.from, taken?.to], ['app@acme.example', ['ann@example.org']]);
    client.cut();
  });

  it('is shown as the same mail over HTTP would be', async () => {
    const transport = mailer(port);
    const sent = await transport.sendMail({
      from: { name: 'Ann, Äh', address: 'app@acme.example' },
      to: 'Bob <bob@example.org>, carl@example.org',
      bcc: 'dan@example.org',
      replyTo: 'help@acme.example',
      subject: 'Grüße',
      text: 'plain',
      html: '<p>rich</p>',
      headers: { 'X-Mailin-Tag': 'welcome', 'X-Entity': '7', 'Resend-Tags': 'kind=first' },
      attachments: [{ filename: 'a.txt', content: 'inside' }],
    });
    transport.close();
    const id = idIn(sent.response);
    const { json } = await server.call('GET', `/emails/${id}`);
    assert.deepEqual(
      [json.from, json.to, json.bcc, json.reply_to, json.subject, json.text?.trim(), json.html?.trim()],
      [
        '"Ann, Äh" <app@acme.example>',
        ['Bob <bob@example.org>', 'carl@example.org'],
        ['dan@example.org'],
        ['help@acme.example'],
        'Grüße',
        'plain',
        '<p>rich</p>',
      ],
    );
    assert.deepEqual(json.tags, [
      { name: 'kind', value: 'first' },
      { name: 'welcome', value: '' },
    ]);
    assert.equal(json.message_id, sent.messageId);
    await drained(server);
    const copies = sink.received.filter(({ messageId }) => messageId === sent.messageId);
    assert.deepEqual(
      copies.map(({ to }) => to),
      [['bob@example.org', 'carl@example.org', 'dan@example.org']],
    );
    assert.doesNotMatch(copies[0]?.bytes.toString() ?? '', /^(?:bcc|x-mailin-|resend-)/im);
    assert.match(copies[0]?.bytes.toString() ?? '', /^X-Entity: 7\r$/m);
    const files = await server.call('GET', `/emails/${id}/attachments`);
    assert.deepEqual(
      files.json.data.map((file: Record<string, unknown>) => [file.filename, file.size]),
      [['a.txt', 6]],
    );
    const file = await fetch(files.json.data[0].download_url);
    assert.equal(await file.text(), 'inside');
  });
});

describe('a mail that names a template', () => {
  const brevo = { 'api-key': testKey };
  const made = async (more: Record<string, unknown> = {}) => {
    const sender = { name: 'App', email: 'app@acme.example' };
    const htmlContent = '<p>Hello {{ params.name }} at {{ contact.EMAIL }}</p>';
    const template = {
      sender,
      templateName: 'Hello',
      subject: 'For {{ params.name }}',
      htmlContent,
      isActive: true,
      tag: 'hi',
      ...more,
    };
    return (await server.call('POST', '/v3/smtp/templates', template, brevo)).json.id;
  };
  const send = async (fields: string, subject = '') => {
    const client = await RawClient.signedIn(port);
    const part =
      'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nnot this\r\n--b\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\ninside\r\n--b--\r\n';
    const reply = await client.send(
      `From: app@acme.example\r\nTo: Ann <ann@example.org>\r\nX-Own: 7\r\n${subject}${fields}${part}`,
    );
    client.cut();
    return reply;
  };

  it('leaves as the template makes it of its params, once under a key, with its files', async () => {
    const key = newKey();
    const fields = `X-Mailin-Template-Id: ${await made()}\r\nX-Mailin-Params: {"name":\r\n "<Zo\\u00e9>"}\r\nX-Mailin-custom: c\r\nResend-Idempotency-Key: ${key}\r\n`;
    const id = idIn(await send(fields));
    assert.equal(idIn(await send(fields)), id);
    const { json } = await server.call('GET', `/emails/${id}`);
    assert.deepEqual(
      [json.subject, json.html, json.tags],
      ['For <Zoé>', '<p>Hello &lt;Zoé&gt; at ann@example.org</p>', [{ name: 'hi', value: '' }]],
    );
    await drained(server);
    const [taken, ...others] = sink.received.filter(({ messageId }) => messageId.includes(id));
    const text = taken?.bytes.toString() ?? '';
    assert.deepEqual([others, /not this|X-Mailin-(?:T|P)|Resend-/.test(text)], [[], false]);
    assert.match(text, /^X-Own: 7\r$/m);
    const files = await server.call('GET', `/emails/${id}/attachments`);
    assert.equal(await (await fetch(files.json.data[0].download_url)).text(), 'inside');
    const again = await send(
      `X-Sib-Template: ${json.template_id ?? 1}\r\nX-Sib-Parameters: {"name":"Bo"}\r\n`,
      'Subject: Own {{ params.name }}\r\n',
    );
    assert.equal((await server.call('GET', `/emails/${idIn(again)}`)).json.subject, 'Own Bo');
  });

  it('is refused with a sentence where that cannot be', async () => {
    const idle = await made({ isActive: false });
    for (const [fields, words] of [
      ['X-Mailin-Template-Id: 999', /There is no template 999\./],
      ['X-Mailin-Template-Id: one', /takes the number of a template/],
      [`X-Mailin-Template-Id: ${idle}`, /is not active/],
      ['X-Mailin-Params: {}', /name one in X-Mailin-Template-Id/],
      ['X-Mailin-Template-Id: 1\r\nX-Mailin-Params: name=Ann', /takes a JSON object/],
      ['X-Mailin-Template-Id: 1\r\nX-Sib-Template: 2', /twice/],
    ] as const) {
      const reply = await send(`${fields}\r\n`);
      assert.match(reply, /^554 5\.6\.0 /);
      assert.match(reply, words);
    }
  });
});

describe('a client that asks for notices', () => {
  it('is offered DSN, and the relay is asked what the client asked', async () => {
    const client = await RawClient.signedIn(port);
    client.write('EHLO client.example\r\n');
    const offered = await client.wholeReply();
    for (const word of ['DSN', 'SMTPUTF8', '8BITMIME', 'PIPELINING', 'SIZE 41943040'])
      assert.match(offered, new RegExp(`^250[- ]${word}\r?$`, 'm'));
    for (const line of [
      'MAIL FROM:<app@acme.example> RET=FULL ENVID=mine+2B1',
      'RCPT TO:<ann@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;first+2Bann@example.org',
      'RCPT TO:<bob@example.org> NOTIFY=NEVER',
      'DATA',
    ])
      assert.match(await client.ask(line), /^(250|354) /);
    client.write(`${hello}\r\nasked`);
    assert.notEqual(idIn(await client.ask('\r\n.')), '');
    await drained(server);
    const said = sink.commands
      .filter((line) => /mine|first|NEVER/.test(line))
      .map((line) => line.replace(/ SIZE=\d+/, ''));
    assert.deepEqual(said, [
      'MAIL FROM:<app@acme.example> RET=FULL ENVID=mine+2B1',
      'RCPT TO:<ann@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;first+2Bann@example.org',
      'RCPT TO:<bob@example.org> NOTIFY=NEVER',
    ]);
    client.cut();
  });

  it('is told what is not printable, too long, or no word for it', async () => {
    const client = await RawClient.signedIn(port);
    for (const parameter of [`ENVID=${'x'.repeat(101)}`, 'ENVID=a+0Ab', 'ENVID=ä', 'RET=SOME', 'ENVID=a ENVID=b'])
      assert.match(await client.ask(`MAIL FROM:<app@acme.example> ${parameter}`), /^501 /, parameter);
    await client.ask('MAIL FROM:<app@acme.example>');
    for (const parameter of ['NOTIFY=NEVER,DELAY', 'NOTIFY=SOMETIMES', 'ORCPT=ann@example.org', 'ORCPT=rfc822;a+0Ab'])
      assert.match(await client.ask(`RCPT TO:<ann@example.org> ${parameter}`), /^501 /, parameter);
    client.cut();
  });
});

describe('a retry under a key', () => {
  it('is answered with the first id, whatever its client writes anew', async () => {
    const key = newKey();
    const send = async (text = 'text') => {
      const transport = mailer(port);
      try {
        return await transport.sendMail({
          from: 'app@acme.example',
          to: 'ann@example.org',
          subject: `retry ${key}`,
          text,
          html: '<p>html</p>',
          headers: { 'Resend-Idempotency-Key': key },
        });
      } finally {
        transport.close();
      }
    };
    const [first, again] = [await send(), await send()];
    assert.notEqual(first.messageId, again.messageId);
    assert.equal(idIn(first.response), idIn(again.response));
    await assert.rejects(
      send('other'),
      /550 5\.7\.1 This Resend-Idempotency-Key was used for another mail with other content, which was accepted as/,
    );
    assert.equal((await leaving(`retry ${key}`)).length, 1);
    const { json } = await server.call('GET', `/idempotency-keys/${key}`);
    assert.deepEqual(
      [json.endpoint, json.email_ids, json.replays, json.conflicts],
      ['DATA /smtp', [idIn(first.response)], 1, 1],
    );
  });

  it('is the same mail after the client dropped behind its dot', async () => {
    const key = newKey();
    const mail = `${hello.replace('Hello', `drop ${key}`)}Resend-Idempotency-Key: ${key}\r\n\r\ntext`;
    const gone = await RawClient.signedIn(port);
    await gone.begin();
    await new Promise<void>((resolve) => gone.socket.end(`${mail}\r\n.\r\n`, () => resolve()));
    const client = await RawClient.signedIn(port);
    const id = idIn(await client.send(mail));
    await server.until('the dropped one is through', () => gone.isClosed);
    const [taken, ...others] = await leaving(`drop ${key}`);
    assert.deepEqual([taken?.messageId.includes(id), others], [true, []]);
    client.cut();
  });

  it('is the first where the client dropped before its dot', async () => {
    const key = newKey();
    const mail = `${hello.replace('Hello', `early ${key}`)}Resend-Idempotency-Key: ${key}\r\n\r\ntext`;
    const gone = await RawClient.signedIn(port);
    await gone.begin();
    await new Promise<void>((resolve) => gone.socket.end(`${mail}\r\n`, () => resolve()));
    await server.until('it is gone', () => gone.isClosed);
    assert.deepEqual(await leaving(`early ${key}`), []);
    const client = await RawClient.signedIn(port);
    assert.notEqual(idIn(await client.send(mail)), '');
    assert.equal((await leaving(`early ${key}`)).length, 1);
    client.cut();
  });

  it('makes 20 mails of 200 that are sent at once under 20 keys', async () => {
    const transport = mailer(port, { pool: true, maxConnections: 20, maxMessages: 1_000 });
    const keys = Array.from({ length: 20 }, newKey);
    const sent = await Promise.all(
      Array.from({ length: 200 }, (_, index) => {
        const key = keys[index % keys.length] ?? '';
        return transport.sendMail({
          from: 'app@acme.example',
          to: 'ann@example.org',
          subject: `storm ${key}`,
          text: 'text',
          headers: { 'Resend-Idempotency-Key': key },
        });
      }),
    );
    transport.close();
    assert.equal(new Set(sent.map(({ response }) => idIn(response))).size, 20);
    await drained(server);
    assert.equal(sink.received.filter(({ bytes }) => bytes.includes('Subject: storm ')).length, 20);
  });
});
