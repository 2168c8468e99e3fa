/** Suppressed addresses: how they come to be, that they get no mail, and /suppressions driven by the official Node SDK. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Resend } from 'resend';
import { bendDatabase } from '../support/bent-database.ts';
import { addApiKey, drained, type Served, serve } from '../support/served.ts';
import { message, type TestServer, testKey } from '../support/server.ts';
import { modes } from '../support/smtp-sink-modes.ts';

const gone = '550 5.1.1 nobody here';

async function start(...[t, options]: Parameters<typeof serve>): Promise<Served & { resend: Resend }> {
  const served = await serve(t, options);
  return { ...served, resend: new Resend(testKey, { baseUrl: served.server.url }) };
}

async function send(server: TestServer, to: string | string[], change: Record<string, unknown> = {}): Promise<string> {
  const { status, json, text } = await server.call('POST', '/emails', message({ to, ...change }));
  assert.equal(status, 200, text);
  await drained(server);
  return json.id;
}

async function lastEvent(server: TestServer, id: string): Promise<string> {
  return (await server.call('GET', `/emails/${id}`)).json.last_event;
}

async function suppressed(server: TestServer): Promise<[email: string, origin: string, source: string | null][]> {
  const { json } = await server.call('GET', '/suppressions?limit=100');
  return json.data.map((one: Record<string, string>) => [one.email, one.origin, one.source_id]);
}

function recipients({ sink }: Served): string[] {
  return sink.received.flatMap(({ to }) => to).sort();
}

describe('an address', () => {
  it('whose mailbox is gone is not mailed again, and the relay does not even hear of it', async (t) => {
    const { server, sink } = await start(t);
    sink.behave = () => ({ rcpt: () => gone });
    const id = await send(server, 'Gone@Example.com');
    assert.deepEqual(await suppressed(server), [['gone@example.com', 'bounce', id]]);
    sink.behave = () => modes.accept;
    const { length } = sink.commands;
    assert.equal(await lastEvent(server, await send(server, 'gone@example.com')), 'suppressed');
    assert.deepEqual(sink.commands.slice(length), []);
  });

  it('that is suppressed already is no email that waits for its time: it says so, and cannot be canceled or moved', async (t) => {
    const { server } = await start(t);
    await server.call('POST', '/suppressions', { email: 'ann@example.com' });
    const at = new Date(server.clock.now() + 60 * 60_000).toISOString();
    const { json } = await server.call('POST', '/emails', message({ to: 'ann@example.com', scheduled_at: at }));
    assert.equal(await lastEvent(server, json.id), 'suppressed');
    const canceled = await server.call('POST', `/emails/${json.id}/cancel`);
    const moved = await server.call('PATCH', `/emails/${json.id}`, { scheduled_at: at });
    for (const { status, json: told } of [canceled, moved]) {
      assert.equal(status, 422);
      assert.match(told.message, /it was not sent; its status is `suppressed`/);
    }
    assert.equal(await lastEvent(server, json.id), 'suppressed');
  });

  it('refused at the dot is suppressed where it was alone in the envelope, and only there', async (t) => {
    const { server, sink } = await start(t);
    sink.behave = () => ({ dot: { say: `${gone}\r\n` } });
    const id = await send(server, 'alone@example.com');
    await send(server, ['one@example.com', 'other@example.com']);
    assert.deepEqual(await suppressed(server), [['alone@example.com', 'bounce', id]]);
  });

  it('refused with others at RCPT is suppressed by its own answer', async (t) => {
    const served = await start(t);
    const { server, sink } = served;
    const replies: Record<string, string> = { 'gone@x.test': gone, 'policy@x.test': '550 5.7.1 not from you' };
    sink.behave = () => ({ rcpt: (address) => replies[address] });
    const id = await send(server, ['policy@x.test', 'gone@x.test', 'ok@x.test']);
    assert.deepEqual(await suppressed(server), [['gone@x.test', 'bounce', id]]);
    await send(server, ['gone@x.test', 'policy@x.test']);
    assert.deepEqual(recipients(served), ['ok@x.test']);
  });

  for (const reply of ['550 5.7.1 policy', '550 no such user', '552 5.2.2 full', '450 4.1.1 later']) {
    it(`refused with "${reply}" is not suppressed`, async (t) => {
      const { server, sink } = await start(t);
      sink.behave = ({ transaction }) => (transaction === 1 ? { rcpt: () => reply } : modes.accept);
      await server.call('POST', '/emails', message({ to: 'a@example.com' }));
      await sink.until(() => sink.commands.some((line) => line.startsWith('RCPT')));
      server.clock.advance(2_000);
      await drained(server);
      assert.deepEqual(await suppressed(server), []);
    });
  }

  it('of the test kind never becomes suppressed, so that the next test ends as the first', async (t) => {
    const { server } = await start(t);
    for (const [to, event] of [
      ['bounced@resend.dev', 'bounced'],
      ['complained@resend.dev', 'complained'],
      ['suppressed@resend.dev', 'suppressed'],
    ] as const) {
      for (let again = 0; again < 2; again += 1) assert.equal(await lastEvent(server, await send(server, to)), event);
    }
    assert.deepEqual(await suppressed(server), []);
  });
});

describe('a suppressed recipient', () => {
  async function suppressedBy(t: TestContext): Promise<Served & { resend: Resend }> {
    const served = await start(t);
    assert.equal((await served.resend.suppressions.add({ email: 'no@x.test' })).error, null);
    return served;
  }

  it('is left out in to, cc and bcc, and the others get their mail', async (t) => {
    const served = await suppressedBy(t);
    const id = await send(served.server, ['a@x.test', 'NO@x.test'], { cc: 'b@x.test', bcc: 'c@x.test' });
    assert.deepEqual(recipients(served), ['a@x.test', 'b@x.test', 'c@x.test']);
    assert.equal(await lastEvent(served.server, id), 'sent');
    assert.equal(await lastEvent(served.server, await send(served.server, 'a@x.test', { bcc: 'no@x.test' })), 'sent');
    assert.equal(await lastEvent(served.server, await send(served.server, 'no@x.test')), 'suppressed');
  });

  it('of a batch is left out of each of its emails', async (t) => {
    const served = await suppressedBy(t);
    const batch = [
      message({ to: 'no@x.test' }),
      message({ to: ['no@x.test', 'a@x.test'] }),
      message({ to: 'b@x.test' }),
    ];
    const { status, json } = await served.server.call('POST', '/emails/batch', batch);
    assert.equal(status, 200);
    await drained(served.server);
    assert.deepEqual(recipients(served), ['a@x.test', 'b@x.test']);
    assert.equal(await lastEvent(served.server, json.data[0].id), 'suppressed');
  });

  it('does not keep the others from being rescheduled, and still gets nothing', async (t) => {
    const served = await suppressedBy(t);
    const { server } = served;
    const to = ['no@x.test', 'a@x.test'];
    const { json } = await server.call('POST', '/emails', message({ to, scheduled_at: 'in 2 hours' }));
    const moved = await server.call('PATCH', `/emails/${json.id}`, { scheduled_at: 'in 1 hour' });
    assert.equal(moved.status, 200, moved.text);
    server.clock.advance(3_700_000);
    await drained(server);
    assert.deepEqual(recipients(served), ['a@x.test']);
    const alone = await server.call('POST', '/emails', message({ to: 'no@x.test', scheduled_at: 'in 2 hours' }));
    assert.equal((await server.call('PATCH', `/emails/${alone.json.id}`, { scheduled_at: 'in 1 hour' })).status, 422);
  });

  it('gets mail again once the suppression is removed', async (t) => {
    const served = await suppressedBy(t);
    await send(served.server, 'no@x.test');
    assert.equal((await served.resend.suppressions.remove('no@x.test')).error, null);
    assert.equal(await lastEvent(served.server, await send(served.server, 'no@x.test')), 'sent');
    assert.deepEqual(recipients(served), ['no@x.test']);
  });

  it("of one account is another's to mail", async (t) => {
    const served = await suppressedBy(t);
    const other = await addApiKey(served.server, 're_other', 'other');
    const authorization = `Bearer ${other}`;
    const { status } = await served.server.call('POST', '/emails', message({ to: 'no@x.test' }), { authorization });
    assert.equal(status, 200);
    await drained(served.server);
    assert.deepEqual(recipients(served), ['no@x.test']);
  });

  it('keeps its key: the retry of a request made before the suppression is answered as the first was', async (t) => {
    const { server, resend } = await start(t);
    const first = await server.call('POST', '/emails', message({ to: 'x@x.test' }), { 'idempotency-key': 'k' });
    await resend.suppressions.add({ email: 'x@x.test' });
    const second = await server.call('POST', '/emails', message({ to: 'x@x.test' }), { 'idempotency-key': 'k' });
    assert.equal(second.text, first.text);
  });
});

describe('an address suppressed between accept and the gate', () => {
  /** Two recipients and one alone, scheduled; one is suppressed before they are due. */
  async function mailed(t: TestContext, options: Parameters<typeof serve>[1] = {}) {
    const served = await start(t, options);
    const { server, resend } = served;
    const scheduled_at = new Date(server.clock.now() + 3_600_000).toISOString();
    const both = await server.call('POST', '/emails', message({ to: ['late@x.test', 'ok@x.test'], scheduled_at }));
    const alone = await server.call('POST', '/emails', message({ to: 'late@x.test', scheduled_at }));
    await resend.suppressions.add({ email: 'late@x.test' });
    server.clock.advance(3_700_000);
    await drained(server);
    return { ...served, both: both.json.id as string, alone: alone.json.id as string };
  }

  it('gets no mail, and the other recipient does', async (t) => {
    const served = await mailed(t);
    assert.deepEqual(recipients(served), ['ok@x.test']);
    assert.equal(await lastEvent(served.server, served.alone), 'suppressed');
    assert.equal(await lastEvent(served.server, served.both), 'sent');
    const { text } = await served.server.call('GET', '/metrics');
    assert.match(text, /sendonce_attempts_total\{outcome="suppressed"\} 2/);
  });

  it('would get mail if nobody looked again before the gate', async (t) => {
    const blind = {
      when: 'select address, origin from suppressions where',
      replace: 'select address, origin from suppressions where 1 = 0 and',
    };
    const served = await mailed(t, { outside: { database: (own) => bendDatabase(own, [blind]) } });
    assert.deepEqual(recipients(served), ['late@x.test', 'late@x.test', 'ok@x.test']);
  });
});

describe('/suppressions with the Node SDK', () => {
  it('adds, gets, lists and removes, by id and by address', async (t) => {
    const { resend } = await start(t);
    const added = await resend.suppressions.add({ email: 'Steve.Wozniak@gmail.com' });
    assert.deepEqual(Object.keys(added.data ?? {}), ['object', 'id']);
    const id = added.data?.id ?? '';
    const again = await resend.suppressions.add({ email: 'steve.wozniak@GMAIL.com' });
    assert.equal(again.data?.id, id);
    for (const name of [id, 'STEVE.wozniak@gmail.com']) {
      const { data } = await resend.suppressions.get(name);
      const { created_at, ...rest } = data ?? { created_at: '' };
      assert.match(created_at, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00$/);
      assert.deepEqual(rest, {
        object: 'suppression',
        id,
        email: 'steve.wozniak@gmail.com',
        origin: 'manual',
        source_id: null,
      });
    }
    const { data: list } = await resend.suppressions.list({ origin: 'manual', limit: 10 });
    assert.deepEqual(
      [list?.object, list?.has_more, list?.data.map((one) => Object.keys(one).join())],
      ['list', false, ['id,email,origin,source_id,created_at']],
    );
    assert.deepEqual((await resend.suppressions.list({ origin: 'bounce' })).data?.data, []);
    assert.deepEqual((await resend.suppressions.remove(id)).data, { object: 'suppression', id, deleted: true });
    for (const { error } of [await resend.suppressions.remove(id), await resend.suppressions.get(id)]) {
      assert.deepEqual([error?.statusCode, error?.name, error?.message], [404, 'not_found', 'Suppression not found']);
    }
  });

  it('adds and removes up to a hundred at once', async (t) => {
    const { resend } = await start(t);
    const emails = Array.from({ length: 100 }, (_, index) => `a${index}@x.test`);
    const added = await resend.suppressions.batch.add({ emails });
    const ids = added.data?.data.map(({ id }) => id) ?? [];
    assert.equal(new Set(ids).size, 100);
    const byEmail = await resend.suppressions.batch.remove({ emails: ['A0@x.test', 'unknown@x.test'] });
    assert.deepEqual(byEmail.data?.data, [{ object: 'suppression', id: ids[0], deleted: true }]);
    const byId = await resend.suppressions.batch.remove({ ids: ids.slice(0, 2) });
    assert.deepEqual(
      byId.data?.data.map((one) => one.deleted),
      [false, true],
    );
    const first = await resend.suppressions.list({ limit: 97 });
    assert.deepEqual([first.data?.data.length, first.data?.has_more], [97, true]);
    const rest = await resend.suppressions.list({ limit: 97, after: first.data?.data.at(-1)?.id ?? '' });
    assert.deepEqual([rest.data?.data.length, rest.data?.has_more], [1, false]);
  });

  it("hides another account's, and takes no sending key", async (t) => {
    const { resend, server } = await start(t);
    const { data } = await resend.suppressions.add({ email: 'a@x.test' });
    const other = new Resend(await addApiKey(server, 're_other', 'other'), { baseUrl: server.url });
    assert.deepEqual((await other.suppressions.list()).data?.data, []);
    assert.equal((await other.suppressions.get(data?.id ?? '')).error?.statusCode, 404);
    assert.equal((await other.suppressions.remove('a@x.test')).error?.statusCode, 404);
    const sending = new Resend(await addApiKey(server, 're_sending', 'default', 'sending_access'), {
      baseUrl: server.url,
    });
    assert.equal((await sending.suppressions.list()).error?.name, 'restricted_api_key');
    assert.equal((await resend.suppressions.get('a@x.test')).error, null);
  });

  const bad: [path: string, body: unknown, name: string][] = [
    ['', {}, 'missing_required_field'],
    ['', { email: 'nobody' }, 'validation_error'],
    ['', { email: 'a@x.test\r\nBcc: b@x.test' }, 'validation_error'],
    ['', { email: ['a@x.test'] }, 'validation_error'],
    ['', { email: 'a@x.test', origin: 'whim' }, 'validation_error'],
    ['', [], 'validation_error'],
    ['/batch/add', {}, 'missing_required_field'],
    ['/batch/add', { emails: [] }, 'validation_error'],
    ['/batch/add', { emails: Array(101).fill('a@x.test') }, 'validation_error'],
    ['/batch/add', { emails: ['a@x.test', 'nobody'] }, 'validation_error'],
    ['/batch/remove', {}, 'validation_error'],
    ['/batch/remove', { emails: ['a@x.test'], ids: ['1'] }, 'validation_error'],
    ['/batch/remove', { ids: [1] }, 'validation_error'],
  ];
  it('refuses what is malformed, and adds nothing', async (t) => {
    const { server } = await start(t);
    for (const [path, body, name] of bad) {
      const { status, json } = await server.call('POST', `/suppressions${path}`, body);
      assert.deepEqual([status, json.name], [422, name], `${path} ${JSON.stringify(body).slice(0, 60)}`);
    }
    assert.equal((await server.call('GET', '/suppressions?origin=whim')).status, 422);
    assert.equal((await server.call('PUT', '/suppressions')).status, 405);
    assert.deepEqual(await suppressed(server), []);
  });

  it('records what an operator learned elsewhere as what it is', async (t) => {
    const { server } = await start(t);
    assert.equal((await server.call('POST', '/suppressions', { email: 'a@x.test', origin: 'complaint' })).status, 201);
    assert.deepEqual(await suppressed(server), [['a@x.test', 'complaint', null]]);
  });
});
