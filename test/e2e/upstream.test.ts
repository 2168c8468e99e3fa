/** Another Sendonce as the upstream, by either of its APIs: what it is told, and doubt that settles itself under its key. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import type { Shipment } from '../../src/deliver/relay.ts';
import { type Ask, ask } from '../../src/deliver/upstream/exchange.ts';
import { createUpstream } from '../../src/deliver/upstream/upstream.ts';
import type { Trick } from '../lab/proxy.ts';
import { chosenEngine } from '../support/engine.ts';
import { createRandom } from '../support/random.ts';
import { allEmails } from '../support/served.ts';
import { message, type TestServer, testKey } from '../support/server.ts';
import { type Service, serveUpstream, type UpstreamRig } from '../support/upstream-rig.ts';
import { lastEvent, send, untilEvent } from './sending.ts';

const hourMs = 60 * 60_000;
/** What each is told is the same on any engine: one of them there shows that its id is kept. */
const services: Service[] = chosenEngine() === 'sqlite' ? ['resend', 'brevo', 'sendonce'] : ['resend'];

// biome-ignore lint/suspicious/noExplicitAny: replies are looked into, member by member, by the assertions of the tests.
async function lastOf(server: TestServer, id: string): Promise<any> {
  return (await server.call('GET', `/emails/${id}/events`)).json.data.at(-1);
}

async function isInDoubt(server: TestServer, id: string): Promise<boolean> {
  return (await server.call('GET', `/emails/${id}`)).json.in_doubt === true;
}

/** Or has come to its end since: on a busy machine its next try may come before anybody looks. */
function untilPutOff(server: TestServer, id: string): Promise<void> {
  return server.until('it is put off', async () => (await lastEvent(server, id)) !== 'queued');
}

/** Until it is so, without a move of the clock. */
async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
  const giveUpAt = performance.now() + 120_000;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('an upstream', () => {
  for (const service of services) {
    it(`by ${service} is told everything the author wrote, and its id is kept`, async (t) => {
      const { server, upstream } = await serveUpstream(t, service);
      const id = await send(server, {
        cc: 'Cee <c@example.com>',
        bcc: ['b@example.com'],
        text: 'plain',
        reply_to: 'r@acme.test',
        headers: { 'X-Own': 'yes' },
        tags: [{ name: 'kind', value: 'greeting' }],
        attachments: [{ filename: 'a.txt', content: Buffer.from('bytes').toString('base64') }],
      });
      await untilEvent(server, id, 'sent');
      const [{ id: theirs, message_id }] = await allEmails(upstream);
      const there = (await upstream.call('GET', `/emails/${theirs}`)).json;
      assert.deepEqual(there.to, ['foo@gmail.com']);
      assert.deepEqual([there.cc.length, there.bcc, there.reply_to], [1, ['b@example.com'], ['r@acme.test']]);
      assert.match(there.cc[0], /Cee.*c@example\.com/);
      assert.deepEqual([there.subject, there.html, there.text], ['hello world', '<h1>it works!</h1>', 'plain']);
      const files = (await upstream.call('GET', `/emails/${theirs}/attachments`)).json.data;
      assert.deepEqual(
        files.map(({ filename, size }: { filename: string; size: number }) => [filename, size]),
        [['a.txt', 5]],
      );
      const { relay, reply, upstream_id } = await lastOf(server, id);
      assert.deepEqual([relay, upstream_id], ['up', service === 'brevo' ? message_id : theirs]);
      assert.ok(reply.includes(service === 'brevo' ? message_id : theirs), reply);
    });
  }

  it('that refuses a mail bounces it with its words', async (t) => {
    const { server, upstream } = await serveUpstream(t, 'resend');
    // Brevo's API takes more recipients than Resend's.
    const { json } = await server.call('POST', '/v3/smtp/email', {
      sender: { email: 'onboarding@resend.dev' },
      to: Array.from({ length: 60 }, (_, index) => ({ email: `to${index}@example.com` })),
      subject: 'to many',
      textContent: 'hello',
    });
    const id = json.messageId.slice(1, json.messageId.indexOf('@'));
    await untilEvent(server, id, 'bounced');
    assert.match((await lastOf(server, id)).reply, /^422 .*50/);
    assert.deepEqual(await allEmails(upstream), []);
  });

  it('that refuses our key rests, and another relay takes the mail', async (t) => {
    const { server, upstream, backup } = await serveUpstream(t, 'resend', { key: 're_wrong', hasBackup: true });
    const id = await send(server);
    await untilEvent(server, id, 'delivery_delayed');
    server.clock.advance(2_000);
    await untilEvent(server, id, 'sent');
    assert.deepEqual([(await lastOf(server, id)).relay, backup.count], ['backup', 1]);
    assert.deepEqual(await allEmails(upstream), []);
    assert.equal((await server.call('GET', '/relays/up')).json.state, 'resting');
  });

  it('that takes nothing from a sender leaves the mail to another relay; where there is none it bounces', async (t) => {
    const upstreamEnvironment = { REQUIRE_DOMAINS: 'true' };
    const both = await serveUpstream(t, 'resend', { hasBackup: true, upstreamEnvironment });
    const id = await send(both.server);
    await untilPutOff(both.server, id);
    both.server.clock.advance(2_000);
    await untilEvent(both.server, id, 'sent');
    assert.equal(both.backup.count, 1);
    assert.equal((await both.server.call('GET', '/relays/up')).json.state, 'up');
    const alone = await serveUpstream(t, 'resend', { upstreamEnvironment });
    const bounced = await send(alone.server);
    await untilEvent(alone.server, bounced, 'bounced');
    assert.match((await lastOf(alone.server, bounced)).reply, /^403 /);
  });

  it('that refuses the sender, as the next one does, too, is not asked again: it bounces', async (t) => {
    const rig = await serveUpstream(t, 'resend', {
      upstreamEnvironment: { REQUIRE_DOMAINS: 'true' },
      hasTwin: true,
    });
    const id = await send(rig.server);
    await untilPutOff(rig.server, id);
    rig.server.clock.advance(2_000);
    await untilEvent(rig.server, id, 'bounced');
    assert.equal(rig.requests, 2);
    const last = await lastOf(rig.server, id);
    assert.deepEqual([last.relay, last.passed_over.map(({ relay }: { relay: string }) => relay)], ['twin', ['up']]);
  });

  it('that has no words for a mail does not get it: the next relay does, and where there is none it bounces', async (t) => {
    const picture = {
      html: '<img src="cid:logo">',
      attachments: [{ filename: 'a.png', content: 'AAAA', content_id: 'logo' }],
    };
    const alone = await serveUpstream(t, 'brevo');
    const bounced = await send(alone.server, picture);
    await untilEvent(alone.server, bounced, 'bounced');
    assert.match((await lastOf(alone.server, bounced)).reply, /no words for/);
    const both = await serveUpstream(t, 'brevo', { hasBackup: true });
    const id = await send(both.server, picture);
    await untilEvent(both.server, id, 'sent');
    assert.deepEqual([both.backup.count, both.requests], [1, 0]);
  });
});

const words = {
  ...{
    account: 'default',
    id: 'id',
    messageId: '<id@example.com>',
    createdAt: 0,
    scheduledAt: null,
    scheduledText: null,
  },
  ...{ from: 'onboarding@resend.dev', to: ['a@example.com'], cc: [], bcc: [], replyTo: [], subject: 'words' },
  ...{ headers: [], tags: [], topicId: null, attachments: [], html: null, text: Buffer.from('text'), madeText: null },
};

function shipment(envelopeId: string): Shipment {
  return { envelope: { from: words.from, to: words.to }, pieces: [], envelopeId, readMail: async () => words };
}

const losses: Trick[] = [
  { kind: 'lose answer' },
  { kind: 'answer 502' },
  { kind: 'cut answer', bytes: 20 },
  { kind: 'repeat request' },
  { kind: 'cut request', bytes: 700 },
];

describe('doubt at an upstream', () => {
  for (const service of ['resend', 'brevo'] as const) {
    it(`by ${service} settles itself: one copy each, nothing held`, async (t) => {
      const rig = await serveUpstream(t, service);
      const { server, upstream } = rig;
      const random = createRandom(7);
      rig.trick = () =>
        random() < 0.6 ? (losses[Math.floor(random() * losses.length)] ?? { kind: 'pass' }) : { kind: 'pass' };
      const batch = Array.from({ length: 12 }, (_, index) => message({ subject: `mail ${index}` }));
      const { json } = await server.call('POST', '/emails/batch', batch);
      const ids: string[] = json.data.map(({ id }: { id: string }) => id);
      await settled(server, ids);
      const subjects = (await allEmails(upstream)).map(({ subject }) => subject);
      assert.deepEqual(subjects.sort(), batch.map(({ subject }) => String(subject)).sort());
      assert.ok(rig.requests > 12, 'something was asked again');
    });
  }

  it('is no doubt under the key it was asked by; under another one it would be a second copy', async (t) => {
    const rig = await serveUpstream(t, 'resend');
    const { hostname: host, port } = new URL(rig.upstream.url);
    const relay = createUpstream({
      service: 'resend',
      host,
      port: Number(port),
      isSecure: false,
      apiKey: testKey,
      concurrency: 1,
    });
    t.after(() => relay.close());
    const mail = shipment('one');
    assert.equal((await relay.ship(mail, async () => true)).phase, 'verdict');
    assert.equal((await relay.repeat?.(mail))?.phase, 'verdict');
    assert.equal((await allEmails(rig.upstream)).length, 1);
    await relay.repeat?.({ ...mail, envelopeId: 'another' });
    assert.equal((await allEmails(rig.upstream)).length, 2);
    // What is not the same mail is not asked to be: our own key says so, and it is held.
    const other = await relay.repeat?.({ ...mail, readMail: async () => ({ ...words, subject: 'changed' }) });
    assert.equal(other?.phase, 'in_doubt');
    assert.equal((await allEmails(rig.upstream)).length, 2);
  });

  it('is settled by whoever serves next, where its process ends meanwhile', async (t) => {
    const rig = await serveUpstream(t, 'sendonce');
    rig.trick = () => ({ kind: 'lose answer' });
    const id = await send(rig.server);
    await rig.server.until('it is in doubt', () => isInDoubt(rig.server, id));
    await rig.server.restart(() => {
      rig.trick = () => ({ kind: 'pass' });
    });
    await settled(rig.server, [id]);
    assert.equal((await allEmails(rig.upstream)).length, 1);
  });

  it('is held once the key has ended, and asked no more', async (t) => {
    const rig = await serveUpstream(t, 'resend');
    rig.trick = () => ({ kind: 'lose answer' });
    const id = await send(rig.server);
    await rig.server.until('it is in doubt', () => isInDoubt(rig.server, id));
    await until('it was asked again', () => rig.requests >= 2);
    rig.server.clock.advance(23.6 * hourMs);
    const asked = await quietAt(rig);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    assert.equal(rig.requests, asked);
    assert.equal(await isInDoubt(rig.server, id), true);
    assert.equal((await rig.server.call('GET', '/in-doubt')).json.data[0].email_id, id);
  });
});

async function settled(server: TestServer, ids: string[]): Promise<void> {
  for (const id of ids) {
    await server.until(`${id} is sent`, async () => {
      const { json } = await server.call('GET', `/emails/${id}`);
      return json.last_event === 'sent' && json.in_doubt !== true;
    });
  }
}

/** The number of requests once one under way has ended. */
async function quietAt({ requests }: UpstreamRig): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  return requests;
}

describe('the last byte of a request', () => {
  /** A server that tells what it has read of a body, and when it was whole. */
  async function listen(t: TestContext) {
    const seen = { bytes: 0, whole: 0 };
    const server = http.createServer((incoming, outgoing) => {
      incoming.on('data', (chunk: Buffer) => {
        seen.bytes += chunk.length;
      });
      incoming.on('end', () => {
        seen.whole += 1;
        outgoing.end('{}');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return { seen, port: (server.address() as AddressInfo).port };
  }

  const asked = (port: number, gate: Ask['gate']) =>
    ask({
      options: { host: '127.0.0.1', port, path: '/', method: 'POST', agent: false },
      isSecure: false,
      body: Buffer.from('{"a":1}'),
      gate,
      connectMs: 5_000,
      answerMs: 5_000,
    });

  it('leaves once the gate is open', async (t) => {
    const { seen, port } = await listen(t);
    const answered = await asked(port, async () => {
      await until('all but one byte is there', () => seen.bytes === 6);
      assert.equal(seen.whole, 0);
      return true;
    });
    assert.deepEqual([answered.kind, seen.bytes, seen.whole], ['answered', 7, 1]);
  });

  it('never leaves where the gate stays shut or fails', async (t) => {
    const { seen, port } = await listen(t);
    assert.equal((await asked(port, async () => false)).kind, 'shut');
    assert.equal((await asked(port, () => Promise.reject(new Error('the disk is full')))).kind, 'unasked');
    assert.equal(seen.whole, 0);
  });
});
