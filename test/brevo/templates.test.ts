/** Templates: kept, shown, filled in, tested and sent, by Brevo's own SDK and by hand. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { BrevoClient, BrevoError } from '@getbrevo/brevo';
import { TransactionalEmailsApi, TransactionalEmailsApiApiKeys } from 'brevo-2';
import { addApiKey, drained, serve } from '../support/served.ts';
import { type TestServer, testKey } from '../support/server.ts';
import { asBrevo, assertMailed, mail, messageIdsOf, readMail, send } from './brevo.ts';

async function start(t: TestContext) {
  const { server, sink } = await serve(t);
  const client = new BrevoClient({ apiKey: testKey, baseUrl: `${server.url}/v3`, maxRetries: 0 });
  return { server, sink, templates: client.transactionalEmails };
}

const order = {
  sender: { name: 'Shop', email: 'shop@example.com' },
  subject: 'Order {{ params.number }}',
  templateName: 'Order Confirmation - EN',
  htmlContent:
    '<p>Hi {{ contact.NAME|default:"there" }}, you ordered {% for i in params.items %}{{ i }}{% endfor %}.</p>',
  isActive: true,
  replyTo: 'help@example.com',
  tag: 'order',
};

function call(server: TestServer, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  return server.call(method, `/v3/smtp/${path}`, body, asBrevo(headers));
}

async function create(server: TestServer, change: Record<string, unknown> = {}): Promise<number> {
  const reply = await call(server, 'POST', 'templates', { ...order, ...change });
  assert.equal(reply.status, 201, reply.text);
  return reply.json.id;
}

/** The same content at every path. */
async function servePage(t: TestContext, content: string): Promise<string> {
  const web = http.createServer((_request, response) => void response.end(content));
  await once(web.listen(0, '127.0.0.1'), 'listening');
  t.after(() => web.close());
  return `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
}

describe('the SDK', () => {
  test('creates, shows, lists, changes, previews and deletes a template', async (t) => {
    const { templates } = await start(t);
    const { id } = await templates.createSmtpTemplate(order);
    assert.equal(id, 2, 'the sample is 1');

    const shown = await templates.getSmtpTemplate({ templateId: id });
    const { createdAt, modifiedAt, ...rest } = shown;
    assert.deepEqual(rest, {
      id,
      name: order.templateName,
      subject: order.subject,
      isActive: true,
      testSent: false,
      sender: { name: 'Shop', email: 'shop@example.com' },
      replyTo: 'help@example.com',
      toField: '',
      tag: 'order',
      htmlContent: order.htmlContent,
      doiTemplate: false,
    });
    assert.match(createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.equal(modifiedAt, createdAt);

    const changed = await templates.updateSmtpTemplate({
      templateId: id,
      subject: 'New {{ params.number }}',
      isActive: false,
    });
    assert.equal(changed, undefined);
    const listed = await templates.getSmtpTemplates({ templateStatus: false });
    assert.deepEqual([listed.count, listed.templates?.map((one) => one.subject)], [1, ['New {{ params.number }}']]);

    const previewed = await templates.postPreviewSmtpEmailTemplates({
      templateId: id,
      params: { number: 7, items: ['<a>', 'b'] },
    });
    assert.deepEqual(previewed, {
      html: '<p>Hi there, you ordered &lt;a&gt;b.</p>',
      subject: 'New 7',
      previewText: '',
      fromEmail: 'shop@example.com',
      fromName: 'Shop',
      usedFeedNames: [],
    });

    await templates.deleteSmtpTemplate({ templateId: id });
    await assert.rejects(
      templates.getSmtpTemplate({ templateId: id }),
      (error) => error instanceof BrevoError && error.statusCode === 404,
    );
  });

  test('sends a test of a template, one mail for each address, and the template knows it', async (t) => {
    const { server, sink, templates } = await start(t);
    const { id } = await templates.createSmtpTemplate({ ...order, isActive: false });
    await templates.sendTestTemplate({ templateId: id, body: { emailTo: ['a@example.org', 'b@example.org'] } });
    await drained(server);
    assert.deepEqual(sink.received.map(({ to }) => to).sort(), [['a@example.org'], ['b@example.org']]);
    const read = await readMail(sink, sink.received[0]?.messageId ?? '');
    assert.deepEqual(
      [read.subject, read.html, read.from, read.replyTo],
      ['Order ', '<p>Hi there, you ordered .</p>', ['Shop <shop@example.com>'], ['help@example.com']],
    );
    assert.equal((await templates.getSmtpTemplate({ templateId: id })).testSent, true);
  });

  test('sends a template with params, in versions, each filled in for its own recipient', async (t) => {
    const { server, sink, templates } = await start(t);
    const { id } = await templates.createSmtpTemplate(order);
    const { messageIds = [] } = await templates.sendTransacEmail({
      templateId: id,
      params: { number: 1, items: ['x'] },
      messageVersions: [
        { to: [{ email: 'ann@example.org', name: 'Ann' }], params: { number: 2 } },
        {
          to: [{ email: 'bob@example.org' }],
          subject: 'Yours, {{ contact.EMAIL }}',
          replyTo: { email: 'r@example.org' },
        },
      ],
    });
    await assertMailed(server, sink, messageIds);
    const [first, second] = await Promise.all(messageIds.map((one) => readMail(sink, one)));
    assert.deepEqual(
      [first?.subject, first?.html, first?.from, first?.replyTo],
      ['Order 2', '<p>Hi Ann, you ordered x.</p>', ['Shop <shop@example.com>'], ['help@example.com']],
    );
    assert.deepEqual(
      [second?.subject, second?.html, second?.replyTo],
      ['Yours, bob@example.org', '<p>Hi there, you ordered x.</p>', ['r@example.org']],
    );
  });
});

describe('the SDK, version 2', () => {
  test('creates, lists, changes, tests and deletes a template', async (t) => {
    const { server, sink } = await serve(t);
    const api = new TransactionalEmailsApi(`${server.url}/v3`);
    api.setApiKey(TransactionalEmailsApiApiKeys.apiKey, testKey);
    const { body } = await api.createSmtpTemplate(order);
    assert.equal(body.id, 2);
    const { body: list } = await api.getSmtpTemplates(true, 10, 0, 'asc');
    assert.deepEqual([list.count, list.templates?.map(({ name }) => name)], [2, ['Sample', order.templateName]]);
    await api.updateSmtpTemplate(2, { isActive: false });
    await api.sendTestTemplate(2, { emailTo: ['a@example.org'] });
    await drained(server);
    assert.equal(sink.received.length, 1);
    const { response } = await api.deleteSmtpTemplate(2);
    assert.equal(response.statusCode, 204);
  });
});

describe('a template', () => {
  test('is there from the start as number 1, and can be sent', async (t) => {
    const { server, sink } = await serve(t);
    const reply = await send(
      server,
      mail({ templateId: 1, htmlContent: undefined, subject: undefined, params: { headline: 'A & B' } }),
    );
    const [id = ''] = messageIdsOf(reply);
    await assertMailed(server, sink, [id]);
    const read = await readMail(sink, id);
    assert.equal(read.subject, 'Hello Ann');
    assert.match(read.html ?? '', /<h1>A &amp; B<\/h1>[\s\S]*Hello Ann,/);
    // The sender of the request goes before the template's.
    assert.deepEqual(read.from, ['Acme <hello@example.com>']);
  });

  test('takes its html from a URL, its sender by number, and sends a file along', async (t) => {
    const { server, sink } = await serve(t);
    const page = await servePage(t, '<p>from {{ params.where }} &amp; back</p>');
    await server.call('POST', '/v3/senders', { name: 'Acme', email: 'acme@example.com' }, asBrevo());
    const id = await create(server, {
      htmlContent: undefined,
      htmlUrl: page,
      sender: { id: 1 },
      attachmentUrl: `${page}/terms.txt`,
    });
    const { json } = await call(server, 'GET', `templates/${id}`);
    assert.deepEqual(
      [json.htmlContent, json.sender],
      ['<p>from {{ params.where }} &amp; back</p>', { id: '1', name: 'Acme', email: 'acme@example.com' }],
    );
    const reply = await send(server, { templateId: id, to: [{ email: 'a@example.org' }], params: { where: 'here' } });
    const [messageId = ''] = messageIdsOf(reply);
    await assertMailed(server, sink, [messageId]);
    const read = await readMail(sink, messageId);
    assert.deepEqual(
      [read.html, read.from, read.files.map(([name]) => name)],
      ['<p>from here &amp; back</p>', ['Acme <acme@example.com>'], ['terms.txt']],
    );
  });

  test('must be active to be sent, and is not deleted while it is', async (t) => {
    const { server } = await serve(t);
    const id = await create(server);
    const remove = () => call(server, 'DELETE', `templates/${id}`);
    const kept = await remove();
    assert.deepEqual([kept.status, kept.json.code], [405, 'method_not_allowed']);
    assert.equal((await call(server, 'PUT', `templates/${id}`, { isActive: false })).status, 204);
    const refused = await send(server, mail({ templateId: id }));
    assert.deepEqual([refused.status, refused.json.code], [400, 'invalid_parameter']);
    assert.match(refused.json.message, /template \d+ is not active: set isActive/);
    const removed = await remove();
    assert.deepEqual([removed.status, removed.text, removed.headers.get('content-type')], [204, '', null]);
    assert.equal((await remove()).status, 404);
  });

  test('that was accepted is answered as before when its template has changed since', async (t) => {
    const { server } = await serve(t);
    const id = await create(server);
    const body = mail({ templateId: id, headers: { idempotencyKey: 'order-1' } });
    const first = await send(server, body);
    assert.equal(first.status, 201);
    assert.equal((await call(server, 'PUT', `templates/${id}`, { isActive: false })).status, 204);
    const again = await send(server, body);
    assert.deepEqual(
      [again.status, again.json.code, again.json.messageId],
      [400, 'duplicate_parameter', first.json.messageId],
    );
  });

  test('is listed in pages, newest first', async (t) => {
    const { server } = await serve(t);
    for (const isActive of [true, false, true]) await create(server, { isActive });
    const ids = async (query: string) => {
      const { json } = await call(server, 'GET', `templates${query}`);
      return [json.templates.map((one: { id: number }) => one.id), json.count];
    };
    assert.deepEqual(await ids(''), [[4, 3, 2, 1], 4]);
    assert.deepEqual(await ids('?sort=asc&limit=2&offset=1'), [[2, 3], 4]);
    assert.deepEqual(await ids('?templateStatus=false'), [[3], 1]);
    assert.deepEqual(await ids('?limit=0'), [[], 4]);
    assert.deepEqual(await ids('?offset=9'), [[], 4]);
  });

  test('is not listed with so many others that the answer would be too large', async (t) => {
    const { server } = await serve(t);
    for (let count = 0; count < 33; count++) await create(server, { htmlContent: 'x'.repeat(1_000_000) });
    const refused = await call(server, 'GET', 'templates?limit=1000');
    assert.deepEqual([refused.status, refused.json.code], [400, 'out_of_range']);
    const fewer = await call(server, 'GET', 'templates?limit=30');
    assert.deepEqual([fewer.status, fewer.json.templates.length, fewer.json.count], [200, 30, 34]);
  });

  test("is one account's own", async (t) => {
    const { server } = await serve(t);
    const id = await create(server);
    const theirs = { 'api-key': await addApiKey(server, 're_other', 'other') };
    assert.equal((await call(server, 'GET', 'templates', undefined, theirs)).json.count, 1);
    for (const [method, path, body] of [
      ['GET', `templates/${id}`, undefined],
      ['PUT', `templates/${id}`, { subject: 'theirs' }],
      ['DELETE', `templates/${id}`, undefined],
      ['POST', `templates/${id}/sendTest`, { emailTo: ['a@example.org'] }],
      ['POST', 'template/preview', { templateId: id, params: {} }],
    ] as const) {
      const reply = await call(server, method, path, body, theirs);
      assert.deepEqual([reply.status, reply.json?.code], [404, 'document_not_found'], `${method} ${path}`);
    }
    assert.equal((await send(server, mail({ templateId: id }), theirs)).status, 400);
    assert.equal((await call(server, 'GET', `templates/${id}`)).json.subject, order.subject);
  });

  test('is nothing for a key that may only send', async (t) => {
    const { server } = await serve(t);
    const sending = { 'api-key': await addApiKey(server, 're_sending', 'default', 'sending_access') };
    assert.equal((await call(server, 'GET', 'templates', undefined, sending)).status, 403);
    assert.equal((await send(server, mail({ templateId: 1 }), sending)).status, 201);
  });
});

describe('bad input', () => {
  const refused: [what: string, change: Record<string, unknown>, code: string, message: RegExp][] = [
    ['no sender', { sender: undefined }, 'missing_parameter', /^sender is missing$/],
    [
      'a sender without an address',
      { sender: { name: 'A' } },
      'missing_parameter',
      /^One of sender email or sender ID/,
    ],
    ['an unknown sender', { sender: { id: 99 } }, 'invalid_parameter', /no sender 99/],
    [
      'a sender that is no address',
      { sender: { email: 'nobody' } },
      'invalid_parameter',
      /valid sender email required/,
    ],
    ['no name', { templateName: '' }, 'missing_parameter', /^templateName is missing$/],
    ['a name of two lines', { templateName: 'a\nb' }, 'invalid_parameter', /^templateName is not valid/],
    ['a long name', { templateName: 'a'.repeat(256) }, 'invalid_parameter', /at most 255/],
    ['no subject', { subject: undefined }, 'missing_parameter', /^subject is missing$/],
    ['a subject that is no text', { subject: 7 }, 'invalid_parameter', /^subject is not valid/],
    ['a subject of two lines', { subject: 'a\r\nBcc: x@example.org' }, 'invalid_parameter', /line breaks/],
    ['no html', { htmlContent: undefined }, 'missing_parameter', /^htmlContent is missing$/],
    ['html of nine characters', { htmlContent: '<p>no</p>' }, 'invalid_parameter', /10 to 1048576 characters/],
    ['html that is no text', { htmlContent: {} }, 'invalid_parameter', /^htmlContent is not valid/],
    [
      'html beyond a megabyte',
      { htmlContent: 'x'.repeat(2 ** 20 + 1) },
      'invalid_parameter',
      /10 to 1048576 characters/,
    ],
    [
      'an htmlUrl that is none',
      { htmlContent: undefined, htmlUrl: 'file:///etc/passwd' },
      'invalid_parameter',
      /^htmlUrl/,
    ],
    [
      'an htmlUrl that is private',
      { htmlContent: undefined, htmlUrl: 'http://10.0.0.1/' },
      'invalid_parameter',
      /^htmlUrl/,
    ],
    [
      'an attachmentUrl that is none',
      { attachmentUrl: 'terms.pdf' },
      'invalid_parameter',
      /^attachmentUrl is not valid/,
    ],
    ['a replyTo that is none', { replyTo: 'nobody' }, 'invalid_parameter', /^email is not valid in replyTo$/],
    ['a replyTo with a name', { replyTo: 'A <a@example.com>' }, 'invalid_parameter', /^email is not valid in replyTo$/],
    ['isActive as a text', { isActive: 'yes' }, 'invalid_parameter', /^isActive is not valid/],
    ['a tag of two lines', { tag: 'a\r\nb' }, 'invalid_parameter', /^tag is not valid/],
    [
      'a filter nobody knows',
      { htmlContent: '<p>Hello</p>\n{{ params.x|shout }}' },
      'invalid_parameter',
      /^htmlContent cannot be rendered: line 2, column 1, near "\{\{ params\.x\|shout \}\}": there is no filter "shout"$/,
    ],
    ['a loop that never ends', { htmlContent: '{% for a in params.b %}' }, 'invalid_parameter', /"endfor" is missing/],
    ['a subject with a stray tag', { subject: '{% endif %}' }, 'invalid_parameter', /^subject cannot be rendered/],
  ];

  test('is refused when a template is created, and nothing is kept', async (t) => {
    const { server } = await serve(t);
    for (const [what, change, code, message] of refused) {
      const reply = await call(server, 'POST', 'templates', { ...order, ...change });
      assert.deepEqual([reply.status, reply.json.code], [400, code], `${what}: ${reply.text}`);
      assert.match(reply.json.message, message, what);
    }
    for (const body of ['[]', '"x"', 'null', '{']) {
      assert.equal((await call(server, 'POST', 'templates', body)).status, 400, body);
    }
    assert.equal((await call(server, 'GET', 'templates')).json.count, 1);
  });

  test('is refused when a template is changed, and nothing is changed', async (t) => {
    const { server } = await serve(t);
    const id = await create(server);
    const before = await call(server, 'GET', `templates/${id}`);
    for (const [what, change, code] of refused.filter(([, , code]) => code === 'invalid_parameter')) {
      const reply = await call(server, 'PUT', `templates/${id}`, { tag: 'changed', ...change });
      assert.deepEqual([reply.status, reply.json.code], [400, code], `${what}: ${reply.text}`);
    }
    assert.equal((await call(server, 'GET', `templates/${id}`)).text, before.text);
  });

  test('in the URL is refused, not guessed', async (t) => {
    const { server } = await serve(t);
    const replies: [path: string, status: number, code: string][] = [
      ['templates?limit=1001', 400, 'out_of_range'],
      ['templates?limit=-1', 400, 'invalid_parameter'],
      ['templates?limit=many', 400, 'invalid_parameter'],
      ['templates?offset=9999999999', 400, 'out_of_range'],
      ['templates?sort=up', 400, 'invalid_parameter'],
      ['templates?templateStatus=maybe', 400, 'invalid_parameter'],
      ['templates/0', 400, 'invalid_parameter'],
      ['templates/1.5', 400, 'invalid_parameter'],
      ['templates/99999999999999999999', 400, 'invalid_parameter'],
      ['templates/4711', 404, 'document_not_found'],
      ['templates/order-confirmation', 404, 'document_not_found'],
      ["templates/1'--", 400, 'invalid_parameter'],
    ];
    for (const [path, status, code] of replies) {
      const reply = await call(server, 'GET', path);
      assert.deepEqual([reply.status, reply.json.code], [status, code], path);
    }
    assert.equal((await call(server, 'PATCH', 'templates/1', {})).status, 405);
  });

  test('in a preview or a test is refused, and nothing is sent', async (t) => {
    const { server, sink } = await serve(t);
    const id = await create(server, { subject: '{{ params.s|default:"x" }}' });
    const replies: [path: string, body: unknown, code: string, message: RegExp][] = [
      ['template/preview', {}, 'missing_parameter', /^templateId is missing$/],
      ['template/preview', { templateId: id }, 'missing_parameter', /^email or params is missing$/],
      ['template/preview', { templateId: id, params: 'x' }, 'invalid_parameter', /^params is not valid/],
      ['template/preview', { templateId: id, email: 'nobody' }, 'invalid_parameter', /^email is not valid in email$/],
      ['template/preview', { templateId: -1, params: {} }, 'invalid_parameter', /^templateId is not valid/],
      ['template/preview', { templateId: id, params: { a: 'x'.repeat(101 * 1024) } }, 'invalid_parameter', /100 KB/],
      [`templates/${id}/sendTest`, {}, 'missing_parameter', /^emailTo is missing$/],
      [`templates/${id}/sendTest`, { emailTo: [] }, 'missing_parameter', /^emailTo is missing$/],
      [`templates/${id}/sendTest`, { emailTo: 'a@example.org' }, 'invalid_parameter', /^emailTo is not valid/],
      [
        `templates/${id}/sendTest`,
        { emailTo: ['a@example.org', 'b'] },
        'invalid_parameter',
        /^email is not valid in emailTo$/,
      ],
      [`templates/${id}/sendTest`, { emailTo: Array(51).fill('a@example.org') }, 'invalid_parameter', /at most 50/],
    ];
    for (const [path, body, code, message] of replies) {
      const reply = await call(server, 'POST', path, body);
      assert.deepEqual([reply.status, reply.json.code], [400, code], `${path} ${reply.text.slice(0, 200)}`);
      assert.match(reply.json.message, message);
    }
    const injected = await send(
      server,
      mail({ templateId: id, subject: undefined, params: { s: 'a\r\nBcc: x@example.org' } }),
    );
    assert.deepEqual([injected.status, injected.json.code], [400, 'invalid_parameter']);
    await drained(server);
    assert.equal(sink.received.length, 0);
    assert.equal((await call(server, 'GET', `templates/${id}`)).json.testSent, false);
  });
});
