/** POST /v3/smtp/email: what each field does to the mail that leaves. */

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { addApiKey, serve } from '../support/served.ts';
import { startSlowFile } from '../support/slow-file.ts';
import { modes } from '../support/smtp-sink-modes.ts';
import { asBrevo, assertMailed, mail, messageIdsOf, readMail, send } from './brevo.ts';

async function sendOne(t: TestContext, change: Record<string, unknown>) {
  const { server, sink } = await serve(t);
  const reply = await send(server, mail(change));
  assert.equal(reply.status, 201, reply.text);
  const { messageId } = reply.json;
  await assertMailed(server, sink, [messageId]);
  return readMail(sink, messageId);
}

describe('a plain send', () => {
  test('is 201 with one messageId in angle brackets, which is the mail’s Message-ID', async (t) => {
    const { server, sink } = await serve(t);
    const reply = await send(server, mail());
    assert.equal(reply.status, 201);
    assert.match(reply.text, /^\{"messageId":"<[0-9a-f-]{36}@example\.com>"\}$/);
    await assertMailed(server, sink, [reply.json.messageId]);
    const { raw, html, text } = await readMail(sink, reply.json.messageId);
    assert.match(raw, /^From: Acme <hello@example\.com>\r\nTo: Ann <ann@example\.org>\r\nSubject: Hello\r\n/);
    assert.equal(html, '<p>Hi</p>');
    assert.equal(text, 'Hi');
  });

  test('has one messageId for all its recipients, and bcc is seen by nobody', async (t) => {
    const read = await sendOne(t, {
      to: [{ email: 'a@example.org' }, { email: 'b@example.org', name: 'Bob, "B" <Ö>' }],
      cc: [{ email: 'c@example.org', name: 'Cy' }],
      bcc: [{ email: 'd@example.org' }],
      replyTo: { email: 'r@example.org', name: 'Replies' },
    });
    assert.deepEqual(read.to, ['a@example.org', 'Bob, "B" <Ö> <b@example.org>']);
    assert.deepEqual(read.cc, ['Cy <c@example.org>']);
    assert.deepEqual(read.replyTo, ['Replies <r@example.org>']);
    assert.deepEqual(read.recipients, ['a@example.org', 'b@example.org', 'c@example.org', 'd@example.org']);
    assert(!read.raw.includes('d@example.org'));
  });

  test('may have a text alone, and a sender without a name', async (t) => {
    const read = await sendOne(t, {
      sender: { email: 'hello@example.com' },
      htmlContent: undefined,
      textContent: 'Only words',
    });
    assert.deepEqual(read.from, ['hello@example.com']);
    assert.deepEqual([read.text, read.html], ['Only words', undefined]);
  });

  test('a text beside the html is the text part, a made one otherwise', async (t) => {
    const read = await sendOne(t, { textContent: 'Said differently' });
    assert.deepEqual([read.text, read.html], ['Said differently', '<p>Hi</p>']);
  });
});

describe('headers', () => {
  test('are written in Title-Case, and what only speaks to Brevo stays out of the mail', async (t) => {
    const { raw } = await sendOne(t, {
      headers: {
        'x-order-ID': '7',
        'X-Mailin-custom': 'kept',
        'List-Unsubscribe': '<https://example.com/u>',
        'sender.ip': '1.2.3.4',
        idempotencyKey: 'secret-key-1',
        'Idempotency-Key': 'secret-key-2',
        'X-Sib-Sandbox': 'no',
        'sendonce-in-doubt': 'send-again',
        empty: null,
      },
    });
    assert.match(raw, /^X-Order-Id: 7\r$/m);
    assert.match(raw, /^X-Mailin-Custom: kept\r$/m);
    assert.match(raw, /^List-Unsubscribe: <https:\/\/example\.com\/u>\r$/m);
    assert.doesNotMatch(raw, /secret-key|1\.2\.3\.4|sandbox|in-doubt|^empty/im);
  });

  test('beyond ASCII are encoded, and X-Mailin-Tag names a tag', async (t) => {
    const { server, sink } = await serve(t);
    const headers = { 'X-Note': 'Grüße', 'X-Mailin-Tag': 'spring' };
    const [messageId = ''] = messageIdsOf(await send(server, mail({ headers, tags: ['own'] })));
    await assertMailed(server, sink, [messageId]);
    assert.match((await readMail(sink, messageId)).raw, /^X-Note: =\?UTF-8\?/m);
    const { json } = await server.call('GET', `/v3/smtp/emails?messageId=${encodeURIComponent(messageId)}`);
    assert.deepEqual(json.transactionalEmails[0].tags, ['own', 'spring']);
  });

  test('an empty list, as PHP writes an empty map, is none', async (t) => {
    await sendOne(t, { headers: [], params: [] });
  });
});

describe('replyTo', () => {
  test('may come as an array of one, as AdonisJS sends it, and an empty object, as Strapi sends it, is none', async (t) => {
    assert.deepEqual((await sendOne(t, { replyTo: [{ email: 'r@example.org' }] })).replyTo, ['r@example.org']);
    assert.deepEqual((await sendOne(t, { replyTo: {} })).replyTo, []);
  });
});

describe('attachments', () => {
  test('content goes out with its name and the type of its name', async (t) => {
    const content = Buffer.from('a,b\n1,2\n').toString('base64');
    const { files } = await sendOne(t, { attachment: [{ content, name: 'Bericht ö.csv' }] });
    assert.deepEqual(files, [['Bericht ö.csv', 'text/csv', 'a,b\n1,2\n']]);
  });

  test('a url is fetched once for all versions, before anything is accepted', async (t) => {
    const { server, sink } = await serve(t);
    const file = await startSlowFile(t);
    const versions = [{ to: [{ email: 'a@example.org' }] }, { to: [{ email: 'b@example.org' }] }];
    const sending = send(server, mail({ attachment: [{ url: file.url }], messageVersions: versions }));
    await file.asked;
    file.finish();
    const ids = messageIdsOf(await sending);
    await assertMailed(server, sink, ids);
    for (const id of ids) {
      const { files } = await readMail(sink, id);
      assert.deepEqual(files, [['report.pdf', 'application/pdf', 'a report']]);
    }
    assert.equal(file.requests(), 1);
  });

  test('a url that cannot be fetched refuses the request', async (t) => {
    const { server, sink } = await serve(t);
    const file = await startSlowFile(t);
    const sending = send(server, mail({ attachment: [{ url: file.url }] }));
    await file.asked;
    file.fail();
    const reply = await sending;
    assert.deepEqual([reply.status, reply.json.code], [400, 'invalid_parameter']);
    await assertMailed(server, sink, []);
  });

  test('urls may together hold no more than one of them alone', async (t) => {
    const { server, sink } = await serve(t, { limits: { remoteBytesMax: 'a report'.length * 2 - 1 } });
    const file = await startSlowFile(t);
    const sending = send(server, mail({ attachment: [{ url: file.url }, { url: file.url }] }));
    await file.asked;
    file.finish();
    const reply = await sending;
    assert.deepEqual([reply.status, reply.json.code], [400, 'invalid_parameter']);
    assert.match(reply.json.message, /with it there are more than 15 bytes/);
    await assertMailed(server, sink, []);
  });

  test('a url of a private address is never asked', async (t) => {
    const { server } = await serve(t, { environment: { EGRESS_ALLOW: '' } });
    const file = await startSlowFile(t);
    const reply = await send(server, mail({ attachment: [{ url: file.url }] }));
    assert.deepEqual([reply.status, reply.json.code], [400, 'invalid_parameter']);
    assert.equal(file.requests(), 0);
  });
});

describe('messageVersions', () => {
  test('are one email and one messageId each, in order, with what each says for itself', async (t) => {
    const { server, sink } = await serve(t);
    const reply = await send(
      server,
      mail({
        // Ignored beside versions.
        to: [{ email: 'ignored@example.org' }],
        cc: [{ email: 'copy@example.org' }],
        textContent: 'Common',
        headers: { 'X-Common': '1', 'X-Both': 'request' },
        messageVersions: [
          { to: [{ email: 'a@example.org' }] },
          {
            to: [{ email: 'b@example.org', name: 'B' }, { email: 'c@example.org' }],
            cc: [],
            subject: 'Own',
            htmlContent: '<b>own</b>',
            replyTo: { email: 'own@example.org' },
            headers: { 'X-Both': 'version' },
          },
        ],
      }),
    );
    assert.equal(reply.status, 201, reply.text);
    assert.deepEqual(Object.keys(reply.json), ['messageIds']);
    const [first = '', second = ''] = messageIdsOf(reply);
    await assertMailed(server, sink, [first, second]);
    const one = await readMail(sink, first);
    assert.deepEqual(one.recipients, ['a@example.org', 'copy@example.org']);
    assert.deepEqual([one.subject, one.html, one.text], ['Hello', '<p>Hi</p>', 'Common']);
    assert.equal(one.header('x-both'), 'request');
    const two = await readMail(sink, second);
    assert.deepEqual(two.recipients, ['b@example.org', 'c@example.org']);
    assert.deepEqual([two.subject, two.html, two.text], ['Own', '<b>own</b>', 'Common']);
    assert.deepEqual([two.header('x-both'), two.header('x-common')], ['version', '1']);
    assert.deepEqual(two.replyTo, ['own@example.org']);
  });

  test('a thousand of them are one request', async (t) => {
    const { server, sink } = await serve(t);
    const messageVersions = Array.from({ length: 1_000 }, (_, index) => ({ to: [{ email: `u${index}@example.org` }] }));
    const ids = messageIdsOf(await send(server, mail({ messageVersions })));
    assert.equal(ids.length, 1_000);
    await assertMailed(server, sink, ids);
  });
});

describe('X-Sib-Sandbox: drop', () => {
  test('checks, answers with an id, and sends and remembers nothing', async (t) => {
    const { server, sink } = await serve(t);
    const headers = { 'X-Sib-Sandbox': 'drop', idempotencyKey: 'k' };
    for (let time = 0; time < 2; time++) {
      const reply = await send(server, mail({ headers }));
      assert.equal(reply.status, 201);
      assert.match(reply.json.messageId, /^<[0-9a-f-]{36}@example\.com>$/);
    }
    assert.equal((await send(server, mail({ headers, subject: '' }))).status, 400);
    const versions = [{ to: [{ email: 'a@example.org' }] }, { to: [{ email: 'b@example.org' }] }];
    assert.equal(messageIdsOf(await send(server, mail({ headers, messageVersions: versions }))).length, 2);
    await assertMailed(server, sink, []);
  });
});

describe('the API key', () => {
  test('with sending_access may send, and nothing else', async (t) => {
    const { server, sink } = await serve(t);
    const key = await addApiKey(server, 'xkeysib-sending', 'acme', 'sending_access');
    const reply = await send(server, mail(), { 'api-key': key });
    await assertMailed(server, sink, messageIdsOf(reply));
    const refused = await server.call('GET', '/v3/account', undefined, asBrevo({ 'api-key': key }));
    assert.deepEqual([refused.status, refused.json.code], [403, 'permission_denied']);
  });
});

describe('params', () => {
  test('fill subject and bodies, escaped in html and as they are elsewhere, with each version’s own before the request’s', async (t) => {
    const { server, sink } = await serve(t);
    const reply = await send(
      server,
      mail({
        subject: 'For {{ params.name }}',
        htmlContent: '<p>{{params.greeting}}, {{ params.name }} {{contact.EMAIL}}</p>',
        textContent: '{{params.greeting}}, {{ params.name }}',
        params: { greeting: 'Hello', name: 'nobody' },
        messageVersions: [
          { to: [{ email: 'a@example.org' }], params: { name: 'A & <A>' } },
          { to: [{ email: 'b@example.org' }], params: { greeting: 'Bye' }, subject: 'Own, {{params.name|upper}}' },
        ],
      }),
    );
    const [first = '', second = ''] = messageIdsOf(reply);
    await assertMailed(server, sink, [first, second]);
    const one = await readMail(sink, first);
    assert.deepEqual(
      [one.subject, one.html, one.text],
      ['For A & <A>', '<p>Hello, A &amp; &lt;A&gt; a@example.org</p>', 'Hello, A & <A>'],
    );
    const two = await readMail(sink, second);
    assert.deepEqual(
      [two.subject, two.html, two.text],
      ['Own, NOBODY', '<p>Bye, nobody b@example.org</p>', 'Bye, nobody'],
    );
  });
});

describe('a mail that must arrive even twice', () => {
  const inDoubt = 'sendonce-in-doubt: send-again';
  const ways: [string, Record<string, unknown>][] = [
    ['a tag', { tags: ['reset', inDoubt] }],
    ['a header', { headers: { 'Sendonce-In-Doubt': 'send-again' } }],
  ];
  for (const [what, change] of ways) {
    test(`says so with ${what}: in doubt, it is sent again after ten minutes, under the same Message-ID`, async (t) => {
      const { server, sink } = await serve(t);
      sink.behave = () => modes.acceptThenDrop;
      const reply = await send(server, mail(change));
      assert.equal(reply.status, 201, reply.text);
      await sink.waitFor(1);
      sink.behave = () => modes.accept;
      await server.until('it is in doubt', async () => {
        const { text } = await server.call('GET', '/metrics');
        return /in_doubt"\} 1/.test(text);
      });
      server.clock.advance(10 * 60_000);
      await server.until('it was sent again', () => sink.count === 2);
      assert.equal(sink.copies(reply.json.messageId), 2);
      assert.doesNotMatch(sink.received[0]?.bytes.toString() ?? '', /in-doubt/i);
    });
  }
});
