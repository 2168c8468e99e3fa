/** /templates by Resend's SDK: drafts, what is published, and what is sent of it. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Resend } from 'resend';
import { fillPlaceholders, namesIn } from '../../src/render/template/placeholders.ts';
import { startTestServer, type TestServer, testKey } from '../support/server.ts';

let server: TestServer;
let resend: Resend;

before(async () => {
  server = await startTestServer();
  resend = new Resend(testKey, { baseUrl: server.url });
});
after(() => server.stop());

const welcome = {
  name: 'welcome',
  from: 'Acme <hello@acme.test>',
  subject: 'Welcome, {{{NAME}}}',
  html: '<p>{{{NAME}}} has {{{COUNT}}} of {{{WHAT}}}</p>',
  variables: [
    { key: 'NAME', type: 'string' as const },
    { key: 'COUNT', type: 'number' as const, fallbackValue: 3 },
    { key: 'WHAT', type: 'string' as const, fallbackValue: 'tea' },
  ],
};

async function published(change: Record<string, unknown> = {}): Promise<string> {
  const { data, error } = await resend.templates.create({ ...welcome, ...change }).publish();
  assert(data, error?.message);
  return data.id;
}

/** Sends by the SDK, and what was stored of it. */
async function sent(template: { id: string; variables?: Record<string, string | number> }, more = {}) {
  const { data, error } = await resend.emails.send({ to: 'a@b.test', template, ...more } as never);
  assert(data, error?.message);
  const { data: email } = await resend.emails.get(data.id);
  assert(email);
  return email;
}

async function refused(body: Record<string, unknown>) {
  const { status, json } = await server.call('POST', '/emails', { to: 'a@b.test', ...body });
  assert.equal(status, 422, JSON.stringify(json));
  assert.equal(json.name, 'validation_error');
  return json.message as string;
}

describe('/templates', () => {
  it('keeps a draft and what was published of it apart', async () => {
    const id = await published({ alias: 'apart', replyTo: 'desk@acme.test', text: 'Hi {{{NAME}}}' });
    const { data: before } = await resend.templates.get(id);
    assert(before);
    assert.equal(before.status, 'published');
    assert.equal(before.has_unpublished_versions, false);
    assert.deepEqual(before.reply_to, ['desk@acme.test']);
    assert.deepEqual(
      before.variables?.map(({ key, type, fallback_value }) => [key, type, fallback_value]),
      [
        ['NAME', 'string', null],
        ['COUNT', 'number', 3],
        ['WHAT', 'string', 'tea'],
      ],
    );
    await resend.templates.update(id, { subject: 'Changed' });
    const { data: after } = await resend.templates.get('apart');
    assert(after);
    assert.equal(after.subject, 'Changed');
    assert.equal(after.has_unpublished_versions, true);
    assert.notEqual(after.current_version_id, before.current_version_id);
    assert.equal((await sent({ id: 'apart', variables: { NAME: 'Ann' } })).subject, 'Welcome, Ann');
    await resend.templates.publish('apart');
    assert.equal((await sent({ id, variables: { NAME: 'Ann' } })).subject, 'Changed');
  });

  it('lists, duplicates and deletes', async () => {
    const { data: made } = await resend.templates.create({ ...welcome, alias: 'one of many' });
    assert(made);
    const { data: copy } = await resend.templates.duplicate(made.id);
    assert(copy);
    const { data: page } = await resend.templates.list({ limit: 2 });
    assert.deepEqual(
      page?.data.map(({ id, name, status, alias }) => [id, name, status, alias]),
      [
        [copy.id, 'welcome (Copy)', 'draft', null],
        [made.id, 'welcome', 'draft', 'one of many'],
      ],
    );
    const { data: older } = await resend.templates.list({ limit: 1, after: copy.id });
    assert.deepEqual(older?.data[0]?.id, made.id);
    assert.deepEqual((await resend.templates.remove(made.id)).data, { object: 'template', id: made.id, deleted: true });
    const { error } = await resend.templates.get(made.id);
    assert.deepEqual([error?.statusCode, error?.name, error?.message], [404, 'not_found', 'Template not found']);
  });

  it('answers as the contract says, and refuses what is none', async () => {
    const made = await server.call('POST', '/templates', { name: 'x', html: 'y', alias: 'taken' });
    assert.equal(made.status, 201);
    assert.deepEqual(Object.keys(made.json), ['id', 'object']);
    for (const [body, name, said] of [
      [{}, 'missing_required_field', /Missing `name` field/],
      [{ name: 'x' }, 'missing_required_field', /Missing `html` field/],
      [{ name: 'x', html: 'y', alias: 'taken' }, 'validation_error', /alias `taken` exists/],
      [{ name: 'x', html: 'y', alias: made.json.id }, 'validation_error', /`alias`/],
      [{ name: 'x', html: 'y', from: 'nobody' }, 'validation_error', /`from`/],
      [{ name: 'x', html: 'y', variables: [{ key: 'EMAIL', type: 'string' }] }, 'validation_error', /EMAIL/],
      [{ name: 'x', html: 'y', variables: [{ key: 'A', type: 'list' }] }, 'validation_error', /`A`/],
      [
        { name: 'x', html: 'y', variables: [{ key: 'A', type: 'number', fallback_value: 'n' }] },
        'validation_error',
        /fallback value of `A`/,
      ],
    ] as const) {
      const { status, json } = await server.call('POST', '/templates', body);
      assert.equal(status, 422, JSON.stringify(body));
      assert.equal(json.name, name);
      assert.match(json.message, said);
    }
    for (const [method, path] of [
      ['PATCH', '/templates/nobody'],
      ['DELETE', '/templates/nobody'],
      ['POST', '/templates/nobody/publish'],
      ['POST', '/templates/nobody/duplicate'],
    ] as const) {
      assert.equal((await server.call(method, path, {})).json.message, 'Template not found');
    }
  });
});

describe('a template in a send', () => {
  it('gives sender, subject and bodies, and yields to what the request says', async () => {
    const id = await published();
    const plain = await sent({ id, variables: { NAME: '<b>Ann</b>', COUNT: 0 } });
    assert.equal(plain.from, 'Acme <hello@acme.test>');
    assert.equal(plain.subject, 'Welcome, <b>Ann</b>');
    assert.equal(plain.html, '<p><b>Ann</b> has 0 of tea</p>');
    const own = await sent({ id, variables: { NAME: 'Ann' } }, { from: 'me@acme.test', subject: 'Mine {{{NAME}}}' });
    assert.equal(own.from, 'me@acme.test');
    assert.equal(own.subject, 'Mine {{{NAME}}}');
  });

  it('is refused with the name of the variable that is missing or of another type', async () => {
    const id = await published({ html: '<p>{{{NAME}}} {{{UNDECLARED}}}</p>' });
    const template = (variables: unknown) => ({ template: { id, variables } });
    assert.match(await refused(template(undefined)), /`NAME` is missing/);
    assert.match(await refused(template({ NAME: 'Ann' })), /`UNDECLARED` is missing/);
    assert.match(await refused(template({ NAME: 7 })), /`NAME` must be a string/);
    assert.match(await refused(template({ NAME: 'Ann', COUNT: 'many' })), /`COUNT` must be a number/);
    assert.match(await refused(template({ NAME: 'x\ny', UNDECLARED: 1 })), /`subject`/);
  });

  it('is refused beside html or text, and where nothing of that name was published', async () => {
    const { data: draft } = await resend.templates.create(welcome);
    const id = await published();
    assert.match(await refused({ template: { id }, html: 'x' }), /`html`/);
    assert.match(await refused({ template: { id }, text: 'x' }), /`text`/);
    assert.match(await refused({ template: { id: draft?.id } }), /no published template/);
    assert.match(await refused({ template: 'x' }), /`template`/);
  });

  it('is read once for a key: a retry after it was changed or deleted is answered as before', async () => {
    const { data } = await resend.templates.create({ ...welcome, alias: 'once' }).publish();
    assert(data);
    const mail = { to: 'a@b.test', template: { id: 'once', variables: { NAME: 'Ann' } } };
    const first = await server.call('POST', '/emails', mail, { 'idempotency-key': 'once' });
    assert.equal(first.status, 200);
    await resend.templates.remove(data.id);
    const again = await server.call('POST', '/emails', mail, { 'idempotency-key': 'once' });
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
    assert.equal(again.text, first.text);
    const other = { to: 'c@b.test', template: mail.template };
    const changed = await server.call('POST', '/emails', other, { 'idempotency-key': 'once' });
    assert.equal(changed.status, 409);
    assert.match(changed.json.hint, /template/);
    assert.equal((await server.call('POST', '/emails', mail, { 'idempotency-key': 'another' })).status, 422);
  });

  it('works in a batch, and its faults are those of its email', async () => {
    const id = await published();
    const good = { to: 'a@b.test', template: { id, variables: { NAME: 'Ann' } } };
    const bad = { to: 'a@b.test', template: { id } };
    const plain = { from: 'me@acme.test', to: 'a@b.test', subject: 'plain', html: 'plain' };
    const { data } = await resend.batch.send([good, plain] as never);
    assert.equal(data?.data.length, 2);
    const strict = await server.call('POST', '/emails/batch', [good, bad]);
    assert.deepEqual([strict.status, strict.json.index], [422, 1]);
    const permissive = { 'x-batch-validation': 'permissive' };
    const { json } = await server.call('POST', '/emails/batch', [bad, plain, good], permissive);
    assert.equal(json.data.length, 2);
    assert.deepEqual(
      json.errors.map(({ index, message }: { index: number; message: string }) => [index, /`NAME`/.test(message)]),
      [[0, true]],
    );
  });
});

describe('placeholders', () => {
  const fill = (text: string, values: Record<string, string> = {}) =>
    fillPlaceholders({ texts: { text }, values }).text;

  it('are put in as they are, with the fallback that stands beside them', () => {
    assert.equal(fill('{{{A}}} {{{ A }}} {{A}} {{{B|you}}} {{{C}}}.', { A: '$&' }), '$& $& {{A}} you .');
    assert.equal(fill('{{{contact.first_name|there}}}', { 'contact.first_name': 'Ann' }), 'Ann');
    assert.equal(fill('{{{constructor}}}'), '');
    assert.deepEqual([...namesIn('{{{A}}} {{{B|b}}} {{{A}}} {{{c d}}}')], ['A']);
  });

  it('stop at a text of four million characters', () => {
    assert.throws(() => fill('{{{A}}}'.repeat(3_000), { A: 'x'.repeat(2_000) }), /longer than/);
  });
});
