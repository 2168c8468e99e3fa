/** Rates of relays, from POST to the sink: they hold, hold up nobody else, use up no try, and are shown. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { relay } from '../../src/command/relay.ts';
import { readConfig } from '../../src/config/config.ts';
import { printed } from '../support/printed.ts';
import { serveRouted } from '../support/routed.ts';
import { drained, subjects } from '../support/served.ts';
import { message, type TestServer } from '../support/server.ts';
import { send, untilEvent } from './sending.ts';

const dayMs = 24 * 60 * 60_000;

async function sendBatch(server: TestServer, mails: number, change: Record<string, unknown>): Promise<void> {
  const batch = Array.from({ length: mails }, () => message(change));
  assert.equal((await server.call('POST', '/emails/batch', batch)).status, 200);
}

describe('a relay with a rate', () => {
  it('gets no more than that in any second, and gets everything', async (t) => {
    const { server, sinks } = await serveRouted(t, ['only'], { more: 'per_second = 5' });
    const arrived: number[] = [];
    const begun = performance.now();
    sinks.only.behave = () => {
      arrived.push(performance.now());
      return {};
    };
    await sendBatch(server, 14, { subject: 'bulk' });
    await sinks.only.waitFor(14);
    // Any of them may arrive late, and none early: the sixth after a second, the eleventh after two.
    for (const [index, at] of arrived.entries())
      assert.ok(at - begun >= Math.floor(index / 5) * 1_000, `mail ${index + 1} after ${at - begun} ms`);
    assert.match((await server.call('GET', '/metrics')).text, /relay_rate_ceiling\{relay="only",window="second"\} 5\n/);
  });

  it('that is used up is passed over at once, after a restart, too, and shown so', async (t) => {
    const { server, sinks, path, write } = await serveRouted(t, ['first', 'second']);
    write({ first: 'per_day = 3', second: '' });
    server.readRelays();
    await sendBatch(server, 8, {});
    await drained(server);
    assert.deepEqual([sinks.first.count, sinks.second.count], [3, 5]);
    await server.restart();
    server.readRelays();
    const id = await send(server);
    await untilEvent(server, id, 'sent');
    assert.deepEqual([sinks.first.count, sinks.second.count], [3, 6]);
    const events = (await server.call('GET', `/emails/${id}/events`)).json.data;
    assert.deepEqual(events.at(-1).passed_over, [{ relay: 'first', reason: 'Its rate is used up.' }]);
    const { json } = await server.call('GET', '/relays/first');
    assert.deepEqual(json.rates, [{ window: 'day', used: 3, most: 3 }]);
    const list = await printed(() =>
      relay(readConfig({ DATABASE_URL: server.databaseUrl, RELAYS_FILE: path }), ['list']),
    );
    assert.match(list, /3 of 3 a day/);
  });

  it('for each domain holds up no other domain, nor a single mail behind a batch; waiting uses up no try', async (t) => {
    const { server, sinks } = await serveRouted(t, ['only'], { more: 'domain.per_day = 2' });
    await sendBatch(server, 40, { to: ['a@slow.test'], subject: 'bulk' });
    await sinks.only.waitFor(2);
    await untilEvent(server, await send(server, { to: ['a@other.test'], subject: 'other' }), 'sent');
    await server.until('the rest waits', async () => (await server.call('GET', '/relays/only')).json.waiting === 38);
    const id = await send(server, { to: ['a@slow.test'], subject: 'single' });
    await server.until('it waits, too', async () => (await server.call('GET', '/relays/only')).json.waiting === 39);
    assert.deepEqual(subjects(sinks.only).sort(), ['bulk', 'bulk', 'other']);
    server.clock.advance(1.1 * dayMs);
    await untilEvent(server, id, 'sent');
    const events = (await server.call('GET', `/emails/${id}/events`)).json.data;
    assert.deepEqual(
      events.map(({ type }: { type: string }) => type).filter((type: string) => type === 'delivery_delayed'),
      [],
    );
    await sinks.only.waitFor(5);
  });
});

describe('a domain that puts mail off', () => {
  it('is left alone, tried with one mail, and then gets the rest; nobody else waits', async (t) => {
    const { server, sinks } = await serveRouted(t, ['only'], { more: 'connections = 1' });
    const asked: string[] = [];
    let isOpen = false;
    const answer = (address: string) => {
      asked.push(address);
      return isOpen || !address.endsWith('@slow.test') ? '250 2.1.5 ok' : '451 4.7.1 too many from here';
    };
    sinks.only.behave = () => ({ rcpt: answer });
    await sendBatch(server, 30, { to: ['a@slow.test'] });
    await server.until('most of them wait', async () => (await server.call('GET', '/relays/only')).json.waiting >= 24);
    const before = asked.length;
    await untilEvent(server, await send(server, { to: ['a@other.test'] }), 'sent');
    assert.deepEqual(asked.slice(before), ['a@other.test']);
    assert.ok(before <= 6, `${before} were tried`);
    server.clock.advance(31_000);
    await server.until('one more was tried', () => asked.length > before + 1);
    isOpen = true;
    server.clock.advance(2 * 60 * 60_000);
    await drained(server);
    assert.equal(sinks.only.count, 31);
  });
});
