/** The second lane under endpoints that hang: fairness, bounds, fencing, and what a stop leaves behind. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Resend } from 'resend';
import type { Database, Transaction } from '../../src/store/database.ts';
import { bendDatabase } from '../support/bent-database.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { assertSentOnce, serve } from '../support/served.ts';
import { message, testKey } from '../support/server.ts';
import { signal } from '../support/smtp-rig.ts';
import { send, told } from './stage.ts';

type Server = Awaited<ReturnType<typeof serve>>['server'];

async function subscribe(server: Server, receiver: Receiver): Promise<string> {
  const resend = new Resend(testKey, { baseUrl: server.url });
  const { data } = await resend.webhooks.create({ endpoint: receiver.url, events: ['email.sent'] });
  return data?.id ?? '';
}

describe('endpoints that never answer', () => {
  it('hold up neither mail nor an endpoint that does', async (t) => {
    const { server, sink } = await serve(t);
    const dead = await Promise.all(Array.from({ length: 9 }, () => startReceiver(t)));
    for (const one of dead) {
      one.behave = () => 'hang';
      await subscribe(server, one);
    }
    const alive = await startReceiver(t);
    await subscribe(server, alive);
    const batch = Array.from({ length: 50 }, (_, index) => message({ subject: `m${index}` }));
    const { json } = await server.call('POST', '/emails/batch', batch);
    await alive.waitFor(50);
    await assertSentOnce(
      server,
      sink,
      json.data.map(({ id }: { id: string }) => id),
    );
    assert.equal(new Set(alive.told.map((one) => one.headers['svix-id'])).size, 50);
    for (const one of dead) assert.equal(one.told.length, 1);
  });

  it('get one try at a time once they have failed', async (t) => {
    const { server } = await serve(t);
    const receiver = await startReceiver(t);
    await subscribe(server, receiver);
    receiver.behave = () => ({ status: 500 });
    await send(server);
    await receiver.waitFor(1);
    await server.until('it is failing', async () =>
      (await server.call('GET', '/metrics')).text.includes('sendonce_webhooks{state="failing"} 1'),
    );
    receiver.behave = () => 'hang';
    await server.call(
      'POST',
      '/emails/batch',
      Array.from({ length: 20 }, () => message()),
    );
    await receiver.waitFor(2);
    await server.until('all mail is sent', async () => {
      const { text } = await server.call('GET', '/metrics');
      return (
        /sendonce_open_deliveries\{state="queued"\} 0/.test(text) &&
        /sendonce_attempts_total\{outcome="sent"\} 21/.test(text)
      );
    });
    await server.tick();
    assert.equal(receiver.open, 1);
  });
});

describe('the settle of an attempt', () => {
  type Settle = { about: string | undefined; touchesEndpoint: boolean };

  /** What each settle said it is about, and whether it wrote what is known of the endpoint. */
  function watched(own: Database, settles: Settle[]): Database {
    return {
      ...bendDatabase(own, []),
      async write(work, terms) {
        let isSettle = false;
        let touchesEndpoint = false;
        const look = (sql: string) => {
          isSettle ||= sql.startsWith('insert into webhook_attempts');
          touchesEndpoint ||= sql.startsWith('update webhooks');
        };
        const value = await own.write((tx) => {
          const run: Transaction['run'] = (sql, ...params) => {
            look(sql);
            return tx.run(sql, ...params);
          };
          return work({
            skipLocked: tx.skipLocked,
            writer: tx.writer,
            add: tx.add,
            all: (sql, ...params) => tx.all(sql, ...params),
            run,
          });
        }, terms);
        if (isSettle) settles.push({ about: terms?.about, touchesEndpoint });
        return value;
      },
    };
  }

  async function watchedStage(t: TestContext) {
    const settles: Settle[] = [];
    const { server } = await serve(t, { outside: { database: (own) => watched(own, settles) } });
    const receiver = await startReceiver(t);
    await subscribe(server, receiver);
    const settled = (count: number) => server.until(`${count} are settled`, () => settles.length === count);
    const idOf = (index: number) => receiver.told[index]?.headers['svix-id'];
    return { server, receiver, settles, settled, idOf };
  }

  it('says what it is about, so that it shares a commit: a delivery, or the endpoint where that begins or ends to fail', async (t) => {
    const { server, receiver, settles, settled, idOf } = await watchedStage(t);
    for (const [index, status] of [200, 200, 500, 200].entries()) {
      receiver.behave = () => ({ status });
      if (index < 3) await send(server);
      // The one that failed is tried again.
      else server.clock.advance(10_000);
      await settled(index + 1);
    }
    await told(server);
    assert.deepEqual(settles, [
      { about: `webhook 1 ${idOf(0)} 0`, touchesEndpoint: false },
      { about: `webhook 1 ${idOf(1)} 0`, touchesEndpoint: false },
      { about: 'webhook 1', touchesEndpoint: true },
      { about: 'webhook 1', touchesEndpoint: true },
    ]);
  });

  it('that went well leaves the endpoint alone where another one under way beside it failed; the next one ends the failing', async (t) => {
    const { server, receiver, settles, settled, idOf } = await watchedStage(t);
    const failing = async () =>
      /sendonce_webhooks\{state="failing"\} (\d)/.exec((await server.call('GET', '/metrics')).text)?.[1];
    // One success earns the endpoint a second place.
    await send(server);
    await settled(1);
    const answers = [signal<number>(), signal<number>()];
    receiver.behave = async (_, count) => ({ status: (await answers[count - 2]?.promise) ?? 200 });
    for (let sends = 0; sends < 2; sends += 1) await send(server);
    await receiver.waitFor(3);
    answers[0]?.resolve(500);
    await settled(2);
    assert.equal(await failing(), '1');
    answers[1]?.resolve(200);
    await settled(3);
    assert.equal(await failing(), '1');
    server.clock.advance(10_000);
    await settled(4);
    assert.equal(await failing(), '0');
    assert.deepEqual(settles.slice(1), [
      { about: 'webhook 1', touchesEndpoint: true },
      { about: `webhook 1 ${idOf(2)} 0`, touchesEndpoint: false },
      { about: 'webhook 1', touchesEndpoint: true },
    ]);
  });
});

describe('a worker whose claim ran out', () => {
  /** Two attempts at one event: the first hangs past its lease, and is answered when the second has been. */
  async function answers(t: Parameters<typeof serve>[0], options: Parameters<typeof serve>[1] = {}) {
    const { server } = await serve(t, options);
    const receiver = await startReceiver(t);
    const webhookId = await subscribe(server, receiver);
    let answerFirst = () => {};
    const first = new Promise<void>((resolve) => {
      answerFirst = resolve;
    });
    // One success earns the endpoint a second place.
    await send(server);
    await told(server);
    receiver.behave = async (_, count) => {
      if (count > 2) return { status: 200 };
      await first;
      return { status: 500 };
    };
    await send(server);
    await receiver.waitFor(2);
    server.clock.advance(61_000);
    await server.tick();
    await receiver.waitFor(3);
    await told(server);
    answerFirst();
    await server.until('the first is over', async () =>
      (await server.call('GET', '/metrics')).text.includes('sendonce_webhook_attempts_total{outcome="bad_status"} 1'),
    );
    const resend = new Resend(testKey, { baseUrl: server.url });
    const eventId = String(receiver.told[1]?.headers['svix-id']);
    assert.equal(receiver.told[2]?.headers['svix-id'], eventId);
    await server.tick();
    const status = (await resend.webhooks.events.get({ webhookId, eventId })).data?.status;
    const attempts = (await resend.webhooks.events.attempts.list({ webhookId, eventId })).data?.data.length;
    return { status, attempts };
  }

  it('settles nothing any more: what the later attempt found out stands', async (t) => {
    assert.deepEqual(await answers(t), { status: 'success', attempts: 1 });
  });

  it('would undo the success, were it not fenced by its attempt', async (t) => {
    const unfenced = {
      when: 'update webhook_deliveries set state = ?, worker = null',
      find: "and attempt = ? and state = 'pending'",
      replace: 'and attempt >= 0 * ?',
    };
    const { status } = await answers(t, { outside: { database: (own) => bendDatabase(own, [unfenced]) } });
    assert.notEqual(status, 'success');
  });
});
