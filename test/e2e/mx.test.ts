/** Mail to the recipients' own servers: a delivery for each domain, and none that waits for another one's. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { relay } from '../../src/command/relay.ts';
import { readConfig } from '../../src/config/config.ts';
import { type DnsServer, startDnsServer } from '../support/dns-server.ts';
import { printed } from '../support/printed.ts';
import { message, startTestServer, type TestServer } from '../support/server.ts';
import { type Sink, type SinkOptions, startSink } from '../support/smtp-sink.ts';
import { createTemp } from '../support/temp.ts';
import { send } from './sending.ts';

let dns: DnsServer;
let server: TestServer;
let port = 0;
const sinks: Sink[] = [];

before(async () => {
  dns = await startDnsServer();
  port = (await openDomain('one.test')).port;
  server = await startTestServer({ environment: { RELAY_URL: urlOf() } });
});
after(async () => {
  await server.stop();
  for (const sink of sinks) await sink.close();
  await dns.close();
});

const urlOf = () => `mx:?dns=${dns.at}&port=${port}&allow=127.0.0.0/8&ehlo=out.example.com&probe=one.test`;

/** Each at an address of its own, all at one port. */
async function openDomain(name: string, options: SinkOptions = {}): Promise<Sink> {
  const host = `127.0.1.${sinks.length + 1}`;
  const sink = await startSink({ host, port, ...options });
  sinks.push(sink);
  dns.zone.set(name, { mx: [[10, `mx.${name}`]] });
  dns.zone.set(`mx.${name}`, { a: [host] });
  return sink;
}

// biome-ignore lint/suspicious/noExplicitAny: replies are looked into, member by member, by the assertions of the tests.
async function eventsOf(id: string): Promise<any[]> {
  return (await server.call('GET', `/emails/${id}/events`)).json.data;
}

describe('mail without a relay', () => {
  it('to ten domains at once is a delivery for each of them, and delivered by their own servers', async () => {
    const names = Array.from({ length: 10 }, (_, index) => `d${index}.test`);
    const ten = [];
    for (const name of names) ten.push(await openDomain(name));
    const id = await send(server, { to: names.map((name) => `a@${name}`), cc: names.map((name) => `b@${name}`) });
    await Promise.all(ten.map((sink) => sink.waitFor(1)));
    assert.deepEqual(
      ten.map(({ received }) => received.map(({ to }) => to)),
      names.map((name) => [[`a@${name}`, `b@${name}`]]),
    );
    const delivered = async () => (await eventsOf(id)).filter(({ type }) => type === 'delivered');
    await server.until('all are delivered', async () => (await delivered()).length === 10);
    assert.deepEqual(
      [...new Set((await delivered()).map((one) => `${one.relay} ${one.reply}`))],
      ['mx 250 2.0.0 taken'],
    );
    assert(ten.every(({ commands }) => commands.includes('EHLO out.example.com')));
  });

  it('waits where its domain greylists, by its own back-off; the others have gone, and one that is none bounces', async () => {
    let asked = 0;
    const grey = await openDomain('grey.test', {
      behave: () => {
        asked += 1;
        return asked > 1 ? {} : { rcpt: () => '450 4.2.0 Greylisted, see http://postgrey.test' };
      },
    });
    const id = await send(server, { to: ['a@grey.test', 'a@one.test', 'a@nobody.test'] });
    const of = async (type: string) => (await eventsOf(id)).filter((one) => one.type === type);
    await server.until('all three have an answer', async () => {
      const all = [...(await of('delivered')), ...(await of('delivery_delayed')), ...(await of('bounced'))];
      return all.length === 3;
    });
    const [delayed] = await of('delivery_delayed');
    assert.deepEqual([delayed.recipients, delayed.relay], [['a@grey.test'], 'mx']);
    assert.match((await of('bounced'))[0].reply, /nobody.test does not exist in DNS: nothing was sent/);
    server.clock.advance(10 * 60_000);
    await server.until('it is taken', async () => (await of('delivered')).length === 2);
    assert.equal(grey.count, 1);
  });

  it('to a domain that does not answer holds up nobody else: a quarter of the sessions wait there', async () => {
    const dead = await openDomain('dead.test', { greet: () => ({ leave: 'silence' }) });
    const living = await openDomain('living.test');
    const batch = (to: string) => server.call('POST', '/emails/batch', Array(100).fill(message({ to: [to] })));
    for (const _ of [1, 2, 3]) assert.equal((await batch('a@dead.test')).status, 200);
    await server.until('two sessions hang there', () => dead.open >= 2);
    assert.equal((await batch('a@living.test')).status, 200);
    await living.waitFor(100);
    assert.deepEqual([dead.open, dead.connections], [2, 2]);
  });

  it('is shown and tried by name', async () => {
    const config = readConfig({ RELAY_URL: urlOf(), DATABASE_URL: server.databaseUrl, STATE_DIR: server.stateDir });
    assert.match(await printed(() => relay(config, ['list'])), /mx +up .*the recipients' own servers/);
    const tested = await printed(() => relay(config, ['test', 'mx']));
    assert.match(tested, /DNS names mx.one.test for one.test, it answers, no TLS, we call ourselves out.example.com/);
    const over = await server.call('POST', '/relays/mx/test');
    assert.deepEqual([over.json.is_up, over.json.name], [true, 'mx']);
    const without = readConfig({ RELAY_URL: `${urlOf().replace('one.test', 'nobody.test')}` });
    await assert.rejects(() => relay(without, ['test', 'mx']), /nobody.test does not exist in DNS/);
  });
});

it('a mail to several domains that a smarthost may have is divided for their own servers only once an operator says so', async (t) => {
  const own = [await openDomain('left.test'), await openDomain('right.test')];
  let move = () => {};
  const isMoved = new Promise<void>((resolve) => {
    move = resolve;
  });
  const dot = { when: isMoved, accept: true, leave: 'close' as const };
  const smarthost = await startSink({ behave: () => ({ dot }) });
  const temp = createTemp();
  const path = temp.path('relays.toml');
  const write = (url: string) => writeFileSync(path, `[[relay]]\nname = "out"\nurl = "${url}"\n`);
  write(`smtp://127.0.0.1:${smarthost.port}`);
  const routed = await startTestServer({ environment: { RELAYS_FILE: path, IN_DOUBT: 'send-again' } });
  t.after(async () => {
    await routed.stop();
    await smarthost.close();
    temp.remove();
  });
  const to = ['a@left.test', 'b@right.test'];
  const held = async () => (await routed.call('GET', '/in-doubt')).json.data;
  const id = await send(routed, { to });
  await smarthost.until(({ dots }) => dots === 1);
  write(urlOf());
  routed.readRelays();
  move();
  await routed.until('it is in doubt', async () => (await held()).length === 1);
  routed.clock.advance(2 * 3_600_000);
  const events = () => routed.call('GET', `/emails/${id}/events`);
  await routed.until('it is held', async () => (await events()).text.includes('for recipients in several domains'));
  assert.deepEqual([smarthost.count, ...own.map(({ count }) => count)], [1, 0, 0]);
  const [{ id: doubt }] = await held();
  assert.equal((await routed.call('POST', `/in-doubt/${doubt}`, { answer: 'send-again' })).status, 200);
  await routed.until('both have it', () => own.every(({ count }) => count === 1));
});
