/** What relays with an API tell over HTTP: it counts where it is proven, once, and only about mails that the relay took. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createWebhookSecret, signWebhook } from '../../src/core/webhook-secret.ts';
import { openDatabase } from '../support/engine.ts';
import { allEmails } from '../support/served.ts';
import type { TestServer } from '../support/server.ts';
import { serveUpstream, type UpstreamRig } from '../support/upstream-rig.ts';
import { send, untilEvent } from './sending.ts';

const secret = createWebhookSecret((size) => Buffer.alloc(size, 7));
const token = 'a-token-of-brevo-s-webhook';
const cleanups: (() => unknown)[] = [];
const t = { after: (end: () => unknown) => cleanups.push(end) };

let resend: UpstreamRig;
let brevo: UpstreamRig;

before(async () => {
  resend = await serveUpstream(t as never, 'resend', { relayMore: `webhook_secret = "${secret}"\n` });
  brevo = await serveUpstream(t as never, 'brevo', { relayMore: `webhook_secret = "${token}"\n` });
});
after(async () => {
  for (const end of cleanups.reverse()) await end();
});

type Told = { status: number; json: { taken?: number; name?: string } };

async function post(server: TestServer, body: string, headers: Record<string, string>, relay = 'up'): Promise<Told> {
  const response = await fetch(`${server.url}/notices/${relay}`, { method: 'POST', body, headers });
  return { status: response.status, json: (await response.json()) as Told['json'] };
}

function asResend(type: string, data: Record<string, unknown>, at: number, key = secret): Promise<Told> {
  const body = JSON.stringify({ type, created_at: new Date(at).toISOString(), data });
  const timestamp = Math.floor(resend.server.clock.now() / 1000);
  const signature = `v1,another ${signWebhook([key], 'msg_1', timestamp, body)}`;
  const headers = { 'svix-id': 'msg_1', 'svix-timestamp': String(timestamp), 'svix-signature': signature };
  return post(resend.server, body, headers);
}

async function sentBy({ server, upstream }: UpstreamRig, to: string[]): Promise<{ id: string; theirs: string }> {
  const id = await send(server, { to });
  await untilEvent(server, id, 'sent');
  const { data } = (await server.call('GET', `/emails/${id}/events`)).json;
  const { upstream_id: theirs } = data.find(({ type }: { type: string }) => type === 'sent');
  assert.ok((await allEmails(upstream)).length > 0);
  return { id, theirs };
}

async function factsOf({ server }: UpstreamRig, id: string): Promise<string[]> {
  const { json } = await server.call('GET', `/emails/${id}/events`);
  return json.data.map(({ type }: { type: string }) => type);
}

const anHour = 3_600_000;

describe('Resend as the relay', () => {
  const longAgo = () => resend.server.clock.now() - anHour;

  it('tells of a bounce, once however often, and the address is suppressed', async () => {
    const { id, theirs } = await sentBy(resend, ['gone@example.org']);
    const bounce = { type: 'Permanent', message: 'x', diagnosticCode: ['smtp; 550 5.1.1 user unknown'] };
    const data = { email_id: theirs, to: ['gone@example.org'], bounce };
    for (const taken of [1, 1]) assert.deepEqual((await asResend('email.bounced', data, longAgo())).json.taken, taken);
    assert.deepEqual((await factsOf(resend, id)).slice(-2), ['sent', 'bounced']);
    const { json } = await resend.server.call('GET', '/suppressions/gone@example.org');
    assert.equal(json.source_id, id);
  });

  it('tells of each recipient by itself: delivered, delayed, complained', async () => {
    const { id, theirs } = await sentBy(resend, ['a@example.org', 'b@example.org']);
    const tell = (type: string, to: string) => asResend(type, { email_id: theirs, to: [to] }, longAgo());
    await tell('email.delivery_delayed', 'b@example.org');
    await tell('email.delivered', 'a@example.org');
    await tell('email.complained', 'a@example.org');
    assert.equal((await tell('email.opened', 'a@example.org')).json.taken, 0);
    assert.deepEqual((await factsOf(resend, id)).slice(-3), ['delivery_delayed', 'delivered', 'complained']);
  });

  it('is not believed under another secret, without a signature, or an hour later', async () => {
    const { id, theirs } = await sentBy(resend, ['safe@example.org']);
    const data = { email_id: theirs, to: ['safe@example.org'] };
    const other = createWebhookSecret((size) => Buffer.alloc(size, 8));
    assert.equal((await asResend('email.bounced', data, longAgo(), other)).status, 401);
    assert.equal((await post(resend.server, JSON.stringify({ type: 'email.bounced', data }), {})).status, 401);
    const timestamp = Math.floor(longAgo() / 1000);
    const body = JSON.stringify({ type: 'email.bounced', data });
    const signature = signWebhook([secret], 'msg_2', timestamp, body);
    const recorded = { 'svix-id': 'msg_2', 'svix-timestamp': String(timestamp), 'svix-signature': signature };
    assert.equal((await post(resend.server, body, recorded)).status, 401);
    assert.equal((await factsOf(resend, id)).at(-1), 'sent');
  });

  it('is asked to come again where the mail may not be written down yet, and keeps what is nobody’s', async () => {
    const data = { email_id: '019a0000-0000-7000-8000-000000000000', to: ['x@example.org'] };
    assert.equal((await asResend('email.bounced', data, resend.server.clock.now())).status, 503);
    assert.equal((await asResend('email.bounced', data, longAgo())).status, 200);
    const database = await openDatabase(resend.server.databaseUrl);
    const strays = await database.all('select came_by, why from stray_notices');
    await database.close();
    assert.deepEqual(strays, [{ came_by: 'http', why: 'not_ours' }]);
  });

  it('is the only one that may tell of its mails, and a relay without a secret tells nothing', async () => {
    assert.equal((await post(resend.server, '{}', {}, 'backup')).status, 404);
    assert.equal((await post(resend.server, '{}', {}, 'nobody')).status, 404);
  });
});

describe('Brevo as the relay', () => {
  const event = (theirs: string, name: string, email: string) => ({
    event: name,
    email,
    'message-id': theirs,
    reason: '550 5.1.1 no such user',
    ts_epoch: brevo.server.clock.now() - anHour,
  });

  it('tells one event or several under its token, as bearer or as a password', async () => {
    const { id, theirs } = await sentBy(brevo, ['c@example.org', 'd@example.org']);
    const bearer = { authorization: `Bearer ${token}` };
    const basic = { authorization: `Basic ${Buffer.from(`brevo:${token}`).toString('base64')}` };
    const one = JSON.stringify(event(theirs, 'hard_bounce', 'c@example.org'));
    assert.deepEqual((await post(brevo.server, one, bearer)).json, { object: 'notices', taken: 1 });
    const both = [event(theirs, 'hard_bounce', 'c@example.org'), event(theirs, 'delivered', 'd@example.org')];
    assert.equal((await post(brevo.server, JSON.stringify(both), basic)).json.taken, 2);
    assert.deepEqual((await factsOf(brevo, id)).slice(-3), ['sent', 'bounced', 'delivered']);
  });

  it('is not believed under another token', async () => {
    const { id, theirs } = await sentBy(brevo, ['e@example.org']);
    const body = JSON.stringify(event(theirs, 'hard_bounce', 'e@example.org'));
    for (const authorization of ['', 'Bearer wrong', `Basic ${Buffer.from('a:b').toString('base64')}`]) {
      assert.equal((await post(brevo.server, body, authorization === '' ? {} : { authorization })).status, 401);
    }
    assert.equal((await factsOf(brevo, id)).at(-1), 'sent');
  });
});
