/** Broadcasts by Resend's SDK: each contact once, whatever stops the server half-way and however often it is asked for. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Resend } from 'resend';
import { type Bend, bendDatabase } from '../support/bent-database.ts';
import { chosenEngine } from '../support/engine.ts';
import { drained, subjects } from '../support/served.ts';
import { startTestServer, type TestServer, testKey } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

let server: TestServer;
let sink: Sink;
let resend: Resend;
/** Added to and taken out by tests, while the server runs. */
const bends: Bend[] = [];

before(async () => {
  sink = await startSink();
  server = await startTestServer({
    environment: { RELAY_URL: `smtp://127.0.0.1:${sink.port}` },
    outside: { database: (own) => bendDatabase(own, bends) },
  });
  resend = new Resend(testKey, { baseUrl: server.url });
});
after(async () => {
  await server.stop();
  await sink.close();
});

async function segmentOf(people: number, domain: string): Promise<string> {
  const { data } = await resend.segments.create({ name: domain });
  assert(data);
  for (let made = 0; made < people; made += 50) {
    const some = Array.from({ length: Math.min(50, people - made) }, (_, index) => made + index);
    await Promise.all(
      some.map((one) =>
        server.call('POST', '/contacts', {
          ...{ email: `p${one}@${domain}`, first_name: `P${one}`, segments: [data.id] },
        }),
      ),
    );
  }
  return data.id;
}

const content = (segmentId: string, more = {}) => ({
  ...{ segmentId, name: 'News', from: 'Acme <news@acme.test>', subject: 'News for {{{FIRST_NAME|you}}}' },
  ...{
    html: '<body><p>Hi {{{contact.first_name|there}}}</p><a href="{{{RESEND_UNSUBSCRIBE_URL}}}">x</a></body>',
    ...more,
  },
});

async function make(segmentId: string, more = {}): Promise<string> {
  const { data, error } = await resend.broadcasts.create(content(segmentId, more) as never);
  assert(data, error?.message);
  return data.id;
}

const statusOf = async (id: string) => (await resend.broadcasts.get(id)).data?.status;

/** How often each address of a domain got something. */
function takenBy(domain: string): Map<string, number> {
  const taken = new Map<string, number>();
  for (const address of sink.received.flatMap(({ to }) => to)) {
    if (address.endsWith(`@${domain}`)) taken.set(address, (taken.get(address) ?? 0) + 1);
  }
  return taken;
}

async function sentTo(domain: string, people: number): Promise<void> {
  await drained(server);
  const taken = takenBy(domain);
  assert.equal(taken.size, people);
  assert.deepEqual(
    [...taken].filter(([, times]) => times !== 1),
    [],
  );
}

describe('a broadcast', () => {
  it('is written, sent once to each contact who wants it, and shown', async () => {
    const segment = await segmentOf(3, 'first.test');
    await resend.contacts.update({ email: 'p1@first.test', unsubscribed: true });
    const id = await make(segment, { previewText: 'In <short>' });
    assert.equal(await statusOf(id), 'draft');
    await resend.broadcasts.update(id, { subject: 'Changed for {{{FIRST_NAME}}}' });
    const { data: sent } = await resend.broadcasts.send(id);
    assert.deepEqual(sent, { id });
    assert.equal(await statusOf(id), 'queued');
    await server.until('it is sent', async () => (await statusOf(id)) === 'sent');
    assert.deepEqual((await resend.broadcasts.send(id)).data, { id }, 'sending again answers the same');
    await server.tick();
    await sentTo('first.test', 2);
    const ours = sink.received.filter(({ to }) => to[0]?.endsWith('@first.test'));
    assert.deepEqual(subjects({ received: ours } as Sink).sort(), ['Changed for P0', 'Changed for P2']);
    const text = ours[0]?.bytes.toString('latin1') ?? '';
    assert.match(text, /^List-Unsubscribe-Post: List-Unsubscribe=One-Click\r$/m);
    assert.match(text, /In &#60;short&#62;/);
    assert.match(text, /\/unsubscribe\?account=/);
    const { data: listed } = await resend.broadcasts.list();
    assert.deepEqual([listed?.data[0]?.id, listed?.data[0]?.status], [id, 'sent']);
    const { error } = await resend.broadcasts.cancel(id);
    assert.deepEqual(
      [error?.statusCode, error?.name, error?.message],
      [403, 'validation_error', 'Only queued or scheduled broadcasts can be canceled'],
    );
    assert.equal((await resend.broadcasts.update(id, { subject: 'late' })).error?.statusCode, 403);
    assert.equal((await resend.broadcasts.remove(id)).data?.deleted, true);
    assert.equal((await resend.broadcasts.get(id)).error?.message, 'Broadcast not found');
  });

  it('goes on after a crash where it was, and writes to nobody twice', async () => {
    const segment = await segmentOf(220, 'crash.test');
    const id = await make(segment);
    // The second step does not get through its commit.
    let steps = 0;
    const params: Bend = {
      when: 'update broadcasts set cursor',
      params(given) {
        steps += 1;
        if (steps > 1) throw new Error('the power went');
        return given;
      },
    };
    bends.push(params);
    await resend.broadcasts.send(id);
    await server.until('a step failed', () => steps > 1);
    const claimedAt = server.clock.now();
    await drained(server);
    assert.equal(takenBy('crash.test').size, 100, 'what the failed step had accepted is undone');
    await server.restart(() => {
      bends.length = 0;
    });
    resend = new Resend(testKey, { baseUrl: server.url });
    // A contact who is made anew meanwhile is the same address.
    await resend.contacts.remove('p0@crash.test');
    await resend.contacts.create({ email: 'P0@crash.test', segments: [{ id: segment }] });
    // Where other processes may be alive the dead one's claim is waited for; a file has only one, which goes on at once.
    if (chosenEngine() === 'postgres') server.clock.advance(61_000);
    await server.until('it is sent', async () => (await statusOf(id)) === 'sent');
    if (chosenEngine() === 'sqlite') assert(server.clock.now() < claimedAt + 30_000, 'long before the claim was over');
    await sentTo('crash.test', 220);
  });

  it('would be sent twice to those of a step whose cursor did not hold it (control)', async () => {
    const segment = await segmentOf(3, 'control.test');
    const id = await make(segment);
    bends.push(
      { when: 'update broadcasts set cursor = ?', replace: 'update broadcasts set cursor = substr(?, 1, 0)' },
      {
        when: 'insert into broadcast_recipients',
        params: ([account = '', broadcast = '', address = '']) => [account, broadcast, `${address} ${bends.length}`],
      },
    );
    await resend.broadcasts.send(id);
    await server.until('it went out', () => takenBy('control.test').size === 3);
    // Another address to the table, so that only the cursor would keep the step from being made again.
    bends.push({ when: 'nothing', replace: '' });
    server.clock.advance(61_000);
    await server.until('somebody got it twice', () => [...takenBy('control.test').values()].some((times) => times > 1));
    bends.length = 0;
    await resend.broadcasts.cancel(id);
    await drained(server);
  });

  it('is called off before its time, and is a draft again', async () => {
    const segment = await segmentOf(1, 'later.test');
    const id = await make(segment, { send: true, scheduledAt: 'in 1 hour' });
    assert.equal(await statusOf(id), 'queued');
    assert.deepEqual((await resend.broadcasts.cancel(id)).data, { id, object: 'broadcast' });
    assert.equal(await statusOf(id), 'draft');
    server.clock.advance(3_700_000);
    await server.tick();
    await drained(server);
    assert.equal(takenBy('later.test').size, 0);
    await resend.broadcasts.send(id, { scheduledAt: 'in 1 hour' });
    server.clock.advance(3_700_000);
    await server.until('it is sent', async () => (await statusOf(id)) === 'sent');
    await sentTo('later.test', 1);
  });

  it('is refused with what it lacks', async () => {
    const segment = await segmentOf(0, 'none.test');
    for (const [body, said] of [
      [{}, /`segment_id`/],
      [{ segment_id: 'x', from: 'a@acme.test', subject: 's' }, /There is no such segment/],
      [{ segment_id: segment, subject: 's' }, /`from`/],
      [{ segment_id: segment, from: 'a@acme.test', subject: 's', send: true }, /`html` or `text`/],
      [{ segment_id: segment, from: 'a@acme.test', subject: 's', topic_id: 'x' }, /There is no such topic/],
    ] as const) {
      const { status, json } = await server.call('POST', '/broadcasts', body);
      assert.equal(status, 422);
      assert.match(json.message, said);
    }
  });
});
