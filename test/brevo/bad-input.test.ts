/** What POST /v3/smtp/email refuses, in Brevo's shape and words; nothing of a refused request is accepted. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startTestServer, type TestServer } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { assertMailed, assertRefused, mail, messageIdsOf, send } from './brevo.ts';

const missing = 'missing_parameter';
const person = { email: 'ann@example.org' };
const people = (count: number, at = 'x') =>
  Array.from({ length: count }, (_, index) => ({ email: `u${index}@${at}.org` }));

type Case = [what: string, change: Record<string, unknown>, message: string | RegExp, code?: string];

const cases: Record<string, Case[]> = {
  sender: [
    ['none', { sender: undefined }, 'sender is missing', missing],
    ['no object', { sender: 'a@b.org' }, /^sender is not valid/],
    ['neither email nor id', { sender: { name: 'A' } }, 'One of sender email or sender ID is mandatory', missing],
    ['an empty name', { sender: { name: '', email: 'a@b.org' } }, 'sender name is missing', missing],
    ['no address', { sender: { email: 'nobody' } }, 'valid sender email required'],
    ['a name inside the address', { sender: { email: 'A <a@b.org>' } }, 'valid sender email required'],
    ['a list', { sender: { email: ['a@b.org'] } }, 'valid sender email required'],
    ['a name over 70', { sender: { email: 'a@b.org', name: 'x'.repeat(71) } }, /^name in sender .*70/],
    ['a name that is a number', { sender: { email: 'a@b.org', name: 7 } }, /^name in sender/],
    ['an unknown id', { sender: { id: 4711 } }, /there is no sender 4711/],
    ['an id that is a text', { sender: { id: 'one' } }, /^sender id is not valid/],
  ],
  recipients: [
    ['none', { to: undefined }, 'to is missing', missing],
    ['an empty list', { to: [] }, 'to is missing', missing],
    ['a text', { to: 'ann@example.org' }, /^to is not valid/],
    ['an object', { to: person }, /^to is not valid/],
    ['texts', { to: ['ann@example.org'] }, /^to is not valid/],
    ['no email', { to: [{ name: 'Ann' }] }, 'email in to is missing', missing],
    ['no address', { to: [person, { email: 'ann@' }] }, 'email is not valid in to'],
    ['a second address', { to: [{ email: 'a@b.org, c@d.org' }] }, 'email is not valid in to'],
    ['a name in the address', { to: [{ email: 'Ann <a@b.org>' }] }, 'email is not valid in to'],
    ['a name over 70', { to: [{ ...person, name: 'x'.repeat(71) }] }, /^name in to .*70/],
    ['consent as a text', { to: [{ ...person, contactPixelTrackingConsent: 'yes' }] }, /boolean/],
    ['cc that is a text', { cc: 'a@b.org' }, /^cc is not valid/],
    ['bcc without address', { bcc: [{ email: '@' }] }, 'email is not valid in bcc'],
    ['2,001', { to: people(1_000, 'a'), cc: people(1_000, 'b'), bcc: [person] }, /2000 recipients/],
    ['several replyTo', { replyTo: [person, person] }, /^replyTo is not valid/],
    ['replyTo without address', { replyTo: { email: 'x' } }, 'email is not valid in replyTo'],
  ],
  contents: [
    ['no subject', { subject: undefined }, 'subject is missing', missing],
    ['an empty subject', { subject: '' }, 'subject is missing', missing],
    ['a subject that is a number', { subject: 7 }, /^subject is not valid/],
    ['a subject over 2,000', { subject: 'x'.repeat(2_001) }, /2000/],
    ['no body', { htmlContent: undefined }, 'htmlContent or textContent is missing', missing],
    ['an empty text', { textContent: '' }, 'textContent is missing', missing],
    ['html that is an object', { htmlContent: {} }, /^htmlContent is not valid/],
    ['params that are a text', { params: 'x' }, /^params is not valid/],
    ['params over 100 KB', { params: { text: 'x'.repeat(100 * 1024) } }, /^params is not valid: .*100 KB/],
    ['a templateId that is a text', { templateId: '1' }, /^templateId is not valid/],
    ['a templateId of half a template', { templateId: 1.5 }, /^templateId is not valid/],
    ['an unknown template', { templateId: 4711 }, /there is no template 4711/],
    [
      'a template that cannot be read',
      { htmlContent: '<p>{% for x in %}</p>' },
      /^htmlContent cannot be rendered: line 1/,
    ],
    ['a subject that cannot be read', { subject: '{{ params.x|nothing }}' }, /^subject cannot be rendered/],
    ['tags that are a text', { tags: 'a' }, /^tags is not valid/],
    ['tags that are numbers', { tags: [1] }, /^tags is not valid/],
    ['76 tags', { tags: Array(76).fill('a') }, /75/],
  ],
  headers: [
    ['a text', { headers: 'X-A: 1' }, /^headers is not valid/],
    ['a number', { headers: { 'X-A': 1 } }, 'headers is not valid: the value of X-A must be a string'],
    ['a boolean', { headers: { 'X-A': true } }, /must be a string/],
    ['an object', { headers: { 'X-A': {} } }, /must be a string/],
    ['a name with a space', { headers: { 'X A': '1' } }, /a name must be/],
    ['101', { headers: Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`X-${index}`, ''])) }, /100/],
  ],
  injection: [
    [
      'a line break in the sender’s name',
      { sender: { email: 'a@b.org', name: 'A\r\nBcc: x@y.org' } },
      /name in sender/,
    ],
    [
      'a line break in the sender’s address',
      { sender: { email: 'a@b.org\r\nBcc: x@y.org' } },
      'valid sender email required',
    ],
    ['a line break at the end of an address', { to: [{ email: 'a@b.org\n' }] }, 'email is not valid in to'],
    ['a line break in a name', { to: [{ ...person, name: 'A\nB' }] }, /name in to/],
    ['a NUL in a name', { cc: [{ ...person, name: 'A\0B' }] }, /name in cc/],
    ['a line break in the subject', { subject: 'Hi\r\nBcc: x@y.org' }, /line breaks/],
    ['a line break in a header', { headers: { 'X-A': '1\r\nBcc: x@y.org' } }, /line breaks/],
    [
      'a line break in params for the subject',
      { subject: 'Hi {{params.name}}', params: { name: 'A\r\nBcc: x@y.org' } },
      /line breaks/,
    ],
    ['a line break in a header’s name', { headers: { 'X-A\r\nBcc': '1' } }, /a name must be/],
    ['a line break in a tag', { tags: ['a\nb'] }, /line breaks/],
  ],
  attachments: [
    ['no list', { attachment: {} }, /^attachment is not valid/],
    ['a text', { attachment: ['x'] }, /^attachment is not valid/],
    ['neither url nor content', { attachment: [{ name: 'a.txt' }] }, /One of url or content/, missing],
    ['content without a name', { attachment: [{ content: 'YQ==' }] }, 'name is missing in attachment', missing],
    ['content that is no Base64', { attachment: [{ content: 'no base64!', name: 'a.txt' }] }, /Base64/],
    ['content that is a number', { attachment: [{ content: 7, name: 'a.txt' }] }, /Base64/],
    ['an unknown extension', { attachment: [{ content: 'YQ==', name: 'a.exe' }] }, /\.exe files are not supported/],
    ['no extension', { attachment: [{ content: 'YQ==', name: 'README' }] }, /no extension/],
    ['an extension hidden behind a dot', { attachment: [{ content: 'YQ==', name: 'a.exe.' }] }, /\.exe/],
    ['a local path', { attachment: [{ url: '/etc/passwd' }] }, /absolute http or https URL/],
    ['another scheme', { attachment: [{ url: 'file:///etc/passwd' }] }, /absolute http or https URL/],
    ['201 of them', { attachment: Array(201).fill({ content: 'YQ==', name: 'a.txt' }) }, /200/],
  ],
  scheduling: [
    ['no date', { scheduledAt: 'tomorrow' }, /^scheduledAt is not valid/],
    ['no such date', { scheduledAt: '2026-02-30T10:00:00Z' }, /^scheduledAt is not valid/],
    ['a number', { scheduledAt: 1_800_000_000 }, /^scheduledAt is not valid/],
    ['over 72 hours', { scheduledAt: new Date(Date.now() + 73 * 3_600_000).toISOString() }, /72 hours/],
    ['the past', { scheduledAt: '2020-01-01T00:00:00Z' }, /past/],
    ['a batchId that is no UUID', { batchId: 'monday' }, /^batchId is not valid/],
  ],
  messageVersions: [
    ['no list', { messageVersions: {} }, /1 to 1000/],
    ['an empty list', { messageVersions: [] }, /1 to 1000/],
    ['1,001', { messageVersions: Array(1_001).fill({ to: [person] }) }, /1 to 1000/],
    ['a text', { messageVersions: ['x'] }, /each version must be an object/],
    ['one without to', { messageVersions: [{ to: [person] }, {}] }, 'to is not valid in messageVersions'],
    ['one with nobody in to', { messageVersions: [{ to: [] }] }, 'to is not valid in messageVersions'],
    ['one whose to is a text', { messageVersions: [{ to: 'a@b.org' }] }, 'to is not valid in messageVersions'],
    [
      'one with a bad address',
      { messageVersions: [{ to: [person] }, { to: [{ email: 'x' }] }] },
      'email is not valid in to',
    ],
    ['one with 100 recipients', { messageVersions: [{ to: people(100) }] }, /99/],
    ['2,001 recipients', { messageVersions: Array.from({ length: 21 }, () => ({ to: people(96) })) }, /2000/],
    ['one with a subject of two lines', { messageVersions: [{ to: [person], subject: 'a\nb' }] }, /line breaks/],
    [
      'params over 1,000 KB together',
      {
        messageVersions: Array.from({ length: 11 }, () => ({ to: [person], params: { text: 'x'.repeat(95 * 1024) } })),
      },
      /1000 KB/,
    ],
    [
      'a sandbox of its own',
      { messageVersions: [{ to: [person], headers: { 'X-Sib-Sandbox': 'drop' } }] },
      /all versions/,
    ],
  ],
};

describe('POST /v3/smtp/email refuses', () => {
  let server: TestServer;
  let sink: Sink;
  before(async () => {
    sink = await startSink();
    server = await startTestServer({ environment: { RELAY_URL: `smtp://127.0.0.1:${sink.port}` } });
  });
  after(async () => {
    await server.stop();
    await sink.close();
  });

  for (const [area, list] of Object.entries(cases)) {
    describe(area, () => {
      for (const [what, change, message, code] of list) {
        test(
          what,
          async () => void (await assertRefused(server, mail(change), { message, ...(code ? { code } : {}) })),
        );
      }
    });
  }

  test('a version by its number', async () => {
    const messageVersions = [{ to: [person] }, { to: [person] }, { to: [{ email: 'x' }] }];
    const reply = await assertRefused(server, mail({ messageVersions }), {});
    assert.equal(reply.json.messageVersion, 2);
  });

  test('what is no JSON, no object, nothing, or too deep', async () => {
    await assertRefused(server, '{"sender":', { code: 'bad_request' });
    for (const body of ['[]', '"text"', '7', 'null']) await assertRefused(server, body, {});
    await assertRefused(server, undefined, { code: missing });
    const deep = `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`;
    await assertRefused(server, JSON.stringify(mail()).replace('{', `{"params":${deep},`), {
      message: /nested too deeply/,
    });
  });

  test('more bytes than the server reads', async (t) => {
    const small = await startTestServer({ limits: { bodyBytesMax: 1_000 } });
    t.after(() => small.stop());
    await assertRefused(small, mail({ htmlContent: 'x'.repeat(1_000) }), { status: 413, code: 'bad_request' });
  });

  test('attachments whose copies in all versions are too much, before anything is stored', async () => {
    const content = Buffer.alloc(20 * 1024 * 1024).toString('base64');
    const messageVersions = Array.from({ length: 5 }, (_, index) => ({ to: [{ email: `u${index}@example.org` }] }));
    await assertRefused(server, mail({ attachment: [{ content, name: 'a.pdf' }], messageVersions }), {
      message: /all versions together.*128 MB/,
    });
  });

  test('and accepts what stands on the right side of each limit', async () => {
    const reply = await send(
      server,
      mail({
        sender: { email: 'a@b.org', name: 'x'.repeat(70) },
        subject: 'x'.repeat(2_000),
        params: { text: 'x'.repeat(99 * 1024) },
        tags: Array(75).fill('a'),
        unknown: { ignored: true },
        messageVersions: [{ to: people(99) }],
      }),
    );
    await assertMailed(server, sink, messageIdsOf(reply));
  });
});
