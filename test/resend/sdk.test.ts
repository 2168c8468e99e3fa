/** The official Node SDK, told nothing but another base URL. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import PostalMime from 'postal-mime';
import { Resend } from 'resend';
import { assertSentOnce, drained, type Served, serve, subjects } from '../support/served.ts';
import { testKey } from '../support/server.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** docs/resend.md. */
const postgresTime = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{0,5}[1-9])?\+00$/;

const someMail = { from: 'Acme <onboarding@resend.dev>', to: ['foo@gmail.com'], subject: 'hello', html: '<h1>Hi</h1>' };

type Started = Served & { resend: Resend };

/** Without the response headers, which the SDK hands on beside `data` and `error`. */
type Answer<T> = { data: T | null; error: { statusCode: number | null; name: string; message: string } | null };

async function start(...[t, options]: Parameters<typeof serve>): Promise<Started> {
  const served = await serve(t, options);
  return { ...served, resend: new Resend(testKey, { baseUrl: served.server.url }) };
}

function dataOf<T>({ data, error }: Answer<T>): T {
  assert.equal(error, null);
  assert(data);
  return data;
}

function errorOf({ data, error }: Answer<unknown>) {
  assert.equal(data, null);
  assert(error);
  return error;
}

describe('sending with the Node SDK', () => {
  test('an email is accepted with its id and nothing else, and leaves once', async (t) => {
    const { resend, server, sink } = await start(t);
    const sent = dataOf(await resend.emails.send(someMail));
    assert.deepEqual(Object.keys(sent), ['id']);
    assert.match(sent.id, uuid);
    await assertSentOnce(server, sink, [sent.id]);
  });

  test('RESEND_BASE_URL is enough', async (t) => {
    const { server, sink } = await start(t);
    process.env.RESEND_BASE_URL = server.url;
    t.after(() => delete process.env.RESEND_BASE_URL);
    const { id } = dataOf(await new Resend(testKey).emails.send(someMail));
    await assertSentOnce(server, sink, [id]);
  });

  test('the same idempotencyKey answers with the same id and sends nothing more', async (t) => {
    const { resend, server, sink } = await start(t);
    const first = await resend.emails.send(someMail, { idempotencyKey: 'welcome-user/123456789' });
    const second = await resend.emails.send(someMail, { idempotencyKey: 'welcome-user/123456789' });
    assert.deepEqual(second.data, first.data);
    assert.equal(first.headers?.['idempotent-replayed'], undefined);
    assert.equal(second.headers?.['idempotent-replayed'], 'true');
    await assertSentOnce(server, sink, [dataOf(first).id]);
  });

  test('another email under the same idempotencyKey is an error the SDK understands', async (t) => {
    const { resend, sink, server } = await start(t);
    const { id } = dataOf(await resend.emails.send(someMail, { idempotencyKey: 'k' }));
    const error = errorOf(
      await resend.emails.send({ ...someMail, subject: 'other', bcc: 'x@y.org' }, { idempotencyKey: 'k' }),
    );
    assert.deepEqual(error, {
      statusCode: 409,
      name: 'invalid_idempotent_request',
      message:
        "This idempotency key has been used with this HTTP method and endpoint within the last 24 hours, but the request body was modified and doesn't match the original request.",
      different_fields: ['subject', 'bcc'],
      email_ids: [id],
    });
    await assertSentOnce(server, sink, [id]);
  });

  test('every field of the SDK reaches the mail', async (t) => {
    const { resend, server, sink } = await start(t);
    dataOf(
      await resend.emails.send({
        ...someMail,
        cc: 'cc@gmail.com',
        bcc: ['bcc@gmail.com'],
        replyTo: ['reply@acme.example', 'more@acme.example'],
        text: 'Hi',
        headers: { 'X-Entity-Ref-ID': '42' },
        tags: [{ name: 'category', value: 'confirm_email' }],
        attachments: [
          { filename: 'buffer.bin', content: Buffer.from([0, 255, 10]) },
          { filename: 'text.txt', content: Buffer.from('base64').toString('base64') },
          { filename: 'logo.png', content: Buffer.from('png'), contentId: 'logo', contentType: 'image/png' },
        ],
      }),
    );
    await drained(server);
    assert.deepEqual(sink.received[0]?.to.sort(), ['bcc@gmail.com', 'cc@gmail.com', 'foo@gmail.com']);
    const mail = await PostalMime.parse(sink.received[0]?.bytes ?? '');
    assert.deepEqual(mail.from, { name: 'Acme', address: 'onboarding@resend.dev' });
    assert.deepEqual(
      mail.replyTo?.map(({ address }) => address),
      ['reply@acme.example', 'more@acme.example'],
    );
    assert.equal(mail.bcc, undefined);
    assert.equal(mail.text?.trim(), 'Hi');
    assert.equal(mail.headers.find(({ key }) => key === 'x-entity-ref-id')?.value, '42');
    const files = mail.attachments.map(({ filename, content, mimeType }) => {
      return [filename, Buffer.from(content as ArrayBuffer).toString('latin1'), mimeType];
    });
    assert.deepEqual(files.sort(), [
      ['buffer.bin', '\0\xff\n', 'application/octet-stream'],
      ['logo.png', 'png', 'image/png'],
      ['text.txt', 'base64', 'text/plain'],
    ]);
  });
});

describe('batches with the Node SDK', () => {
  const batch = [someMail, { ...someMail, to: ['bar@outlook.com'], subject: 'world hello' }];

  test('a batch answers with the ids in order, and the same ones under the same key', async (t) => {
    const { resend, server, sink } = await start(t);
    const first = dataOf(await resend.batch.send(batch, { idempotencyKey: 'team-quota/123456789' }));
    const second = dataOf(await resend.batch.send(batch, { idempotencyKey: 'team-quota/123456789' }));
    assert.deepEqual(second, first);
    assert.deepEqual(Object.keys(first), ['data']);
    const ids = first.data.map(({ id }) => id);
    assert.deepEqual(dataOf(await resend.emails.get(ids[1] ?? '')).subject, 'world hello');
    await assertSentOnce(server, sink, ids);
    assert.deepEqual(subjects(sink).sort(), ['hello', 'world hello']);
  });

  test('one bad email refuses a strict batch whole, and says which', async (t) => {
    const { resend, server, sink } = await start(t);
    const error = errorOf(await resend.batch.send([...batch, { ...someMail, to: 'nobody' }]));
    assert.deepEqual(error, {
      statusCode: 422,
      name: 'validation_error',
      message:
        'Invalid `to` field. The email address needs to follow the `email@example.com` or `Name <email@example.com>` format.',
      index: 2,
    });
    await assertSentOnce(server, sink, []);
  });

  test('a permissive batch sends the good ones and lists the bad ones', async (t) => {
    const { resend, server, sink } = await start(t);
    const missing = { ...someMail, to: [] };
    const sent = dataOf(await resend.batch.send([missing, someMail, missing], { batchValidation: 'permissive' }));
    assert.deepEqual(sent.errors, [
      { index: 0, message: 'Missing `to` field.' },
      { index: 2, message: 'Missing `to` field.' },
    ]);
    assert.equal(sent.data.length, 1);
    await assertSentOnce(server, sink, [sent.data[0]?.id ?? '']);
  });
});

describe('looking at emails with the Node SDK', () => {
  test('an email is shown whole', async (t) => {
    const { resend, server } = await start(t);
    const tags = [{ name: 'category', value: 'confirm_email' }];
    const { id } = dataOf(await resend.emails.send({ ...someMail, tags, cc: 'cc@gmail.com' }));
    await drained(server);
    const email = dataOf(await resend.emails.get(id));
    assert.match(email.created_at, postgresTime);
    assert.deepEqual(email, {
      object: 'email',
      id,
      message_id: `<${id}@resend.dev>`,
      to: ['foo@gmail.com'],
      from: someMail.from,
      created_at: email.created_at,
      subject: 'hello',
      html: someMail.html,
      text: null,
      bcc: [],
      cc: ['cc@gmail.com'],
      reply_to: [],
      last_event: 'sent',
      scheduled_at: null,
      tags,
      topic_id: null,
    });
  });

  test('emails are listed newest first, in pages that meet', async (t) => {
    const { resend } = await start(t);
    const sent: string[] = [];
    for (const subject of ['one', 'two', 'three', 'four', 'five']) {
      sent.unshift(dataOf(await resend.emails.send({ ...someMail, subject })).id);
    }
    const page = dataOf(await resend.emails.list({ limit: 2 }));
    const { created_at, last_event, ...rest } = page.data[0] ?? assert.fail('a first email');
    assert.match(created_at, postgresTime);
    assert(['queued', 'sent'].includes(last_event));
    assert.deepEqual(rest, {
      id: sent[0],
      message_id: `<${sent[0]}@resend.dev>`,
      to: ['foo@gmail.com'],
      from: someMail.from,
      subject: 'five',
      bcc: null,
      cc: null,
      reply_to: null,
      scheduled_at: null,
    });
    const ids = (list: { data: { id: string }[] }) => list.data.map(({ id }) => id);
    assert.deepEqual([page.object, page.has_more, ids(page)], ['list', true, sent.slice(0, 2)]);
    const next = dataOf(await resend.emails.list({ limit: 2, after: sent[1] ?? '' }));
    assert.deepEqual([next.has_more, ids(next)], [true, sent.slice(2, 4)]);
    const last = dataOf(await resend.emails.list({ limit: 2, after: sent[3] ?? '' }));
    assert.deepEqual([last.has_more, ids(last)], [false, sent.slice(4)]);
    const back = dataOf(await resend.emails.list({ limit: 2, before: sent[3] ?? '' }));
    assert.deepEqual([back.has_more, ids(back)], [true, sent.slice(1, 3)]);
    assert.equal(dataOf(await resend.emails.list()).data.length, 5);
  });

  test('a bad page size is refused in the words of the real API', async (t) => {
    const { resend } = await start(t);
    assert.deepEqual(errorOf(await resend.emails.list({ limit: 101 })), {
      statusCode: 422,
      name: 'validation_error',
      message:
        'The pagination limit must be a number between 1 and 100. See https://resend.com/docs/pagination for more information.',
    });
  });

  test('an unknown email is not found', async (t) => {
    const { resend } = await start(t);
    const error = errorOf(await resend.emails.get('49a3999c-0ce1-4ea6-ab68-afcd6dc2e794'));
    assert.deepEqual(error, { statusCode: 404, name: 'not_found', message: 'Email not found' });
  });

  test('attachments are listed, retrieved, and downloaded from their link without a key', async (t) => {
    const { resend, server } = await start(t);
    const attachments = [
      { filename: 'grüße.txt', content: Buffer.from('hello') },
      { filename: 'logo.png', content: Buffer.from([137, 80]), contentId: 'logo' },
    ];
    const { id } = dataOf(await resend.emails.send({ ...someMail, attachments }));
    const list = dataOf(await resend.emails.attachments.list({ emailId: id }));
    assert.deepEqual([list.object, list.has_more, list.data.length], ['list', false, 2]);
    const [text, logo] = list.data;
    assert(text && logo);
    const { download_url, expires_at, ...known } = text;
    assert.match(text.id, /^[0-9a-f-]{36}$/);
    assert.match(expires_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(known, {
      id: text.id,
      filename: 'grüße.txt',
      content_type: 'text/plain',
      content_disposition: 'attachment',
      size: 5,
    });
    assert.deepEqual([logo.content_disposition, logo.content_id], ['inline', 'logo']);
    const one = dataOf(await resend.emails.attachments.get({ emailId: id, id: text.id }));
    assert.deepEqual({ ...one, download_url, expires_at }, { object: 'attachment', ...text });
    const file = await fetch(one.download_url);
    assert.equal(await file.text(), 'hello');
    assert.equal(file.headers.get('content-type'), 'text/plain');
    assert.match(file.headers.get('content-disposition') ?? '', /^attachment; filename\*=UTF-8''gr%C3%BC%C3%9Fe\.txt$/);
    const changed = [...'AB']
      .map((end) => one.download_url.replace(/.$/, end))
      .filter((url) => url !== one.download_url);
    for (const url of changed) assert.equal((await fetch(url)).status, 404);
    server.clock.advance(24 * 60 * 60_000);
    assert.equal((await fetch(one.download_url)).status, 404);
  });
});

describe('Resend’s test addresses', () => {
  for (const outcome of ['delivered', 'bounced', 'complained', 'suppressed'] as const) {
    test(`${outcome}@resend.dev ends as ${outcome}, and nothing leaves`, async (t) => {
      const { resend, server, sink } = await start(t);
      const label = outcome === 'suppressed' ? '' : '+user1';
      const { id } = dataOf(await resend.emails.send({ ...someMail, to: `${outcome}${label}@resend.dev` }));
      await assertSentOnce(server, sink, []);
      assert.equal(dataOf(await resend.emails.get(id)).last_event, outcome);
    });
  }
});

describe('scheduling with the Node SDK', () => {
  test('natural English waits for its time, can be moved, and leaves at the new one', async (t) => {
    const { resend, server, sink } = await start(t);
    const { id } = dataOf(await resend.emails.send({ ...someMail, scheduledAt: 'in 1 hour' }));
    const before = dataOf(await resend.emails.get(id));
    assert.equal(before.last_event, 'scheduled');
    assert.match(before.scheduled_at ?? '', postgresTime);
    const later = new Date(server.clock.now() + 2 * 60 * 60_000).toISOString();
    assert.deepEqual(dataOf(await resend.emails.update({ id, scheduledAt: later })), { object: 'email', id });
    server.clock.advance(90 * 60_000);
    await server.tick();
    assert.equal(dataOf(await resend.emails.get(id)).last_event, 'scheduled');
    server.clock.advance(31 * 60_000);
    await assertSentOnce(server, sink, [id]);
    assert.equal(dataOf(await resend.emails.get(id)).last_event, 'sent');
  });

  test('a canceled email never leaves and cannot be moved', async (t) => {
    const { resend, server, sink } = await start(t);
    const { id } = dataOf(await resend.emails.send({ ...someMail, scheduledAt: 'tomorrow at 9am' }));
    assert.deepEqual(dataOf(await resend.emails.cancel(id)), { object: 'email', id });
    assert.equal(dataOf(await resend.emails.get(id)).last_event, 'canceled');
    assert.deepEqual(dataOf(await resend.emails.cancel(id)), { object: 'email', id });
    const error = errorOf(await resend.emails.update({ id, scheduledAt: 'in 1 hour' }));
    assert.deepEqual(error, {
      statusCode: 422,
      name: 'validation_error',
      message: 'The email cannot be rescheduled: it has been canceled.',
      last_event: 'canceled',
    });
    server.clock.advance(3 * 24 * 60 * 60_000);
    await assertSentOnce(server, sink, []);
  });

  test('a sent email can be neither moved nor canceled', async (t) => {
    const { resend, server } = await start(t);
    const { id } = dataOf(await resend.emails.send(someMail));
    await drained(server);
    const tooLate = { statusCode: 422, name: 'validation_error', last_event: 'sent' };
    assert.deepEqual(errorOf(await resend.emails.cancel(id)), {
      ...tooLate,
      message: 'The email cannot be canceled: it has already been sent.',
    });
    assert.deepEqual(errorOf(await resend.emails.update({ id, scheduledAt: 'in 1 hour' })), {
      ...tooLate,
      message: 'The email cannot be rescheduled: it has already been sent.',
    });
  });
});
