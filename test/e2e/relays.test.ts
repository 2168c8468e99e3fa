/** Several relays: a mail moves on before its gate and never behind it, and what waits for one goes when it is back. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { relay } from '../../src/command/relay.ts';
import { readConfig } from '../../src/config/config.ts';
import { newAccount } from '../accounts/operator.ts';
import { printed } from '../support/printed.ts';
import { serveRouted } from '../support/routed.ts';
import { drained, serve, subjects } from '../support/served.ts';
import type { TestServer } from '../support/server.ts';
import { modes } from '../support/smtp-sink-modes.ts';
import { runQueue, send, untilEvent } from './sending.ts';

const hourMs = 60 * 60_000;

// biome-ignore lint/suspicious/noExplicitAny: replies are looked into, member by member, by the assertions of the tests.
async function eventsOf(server: TestServer, id: string): Promise<any[]> {
  return (await server.call('GET', `/emails/${id}/events`)).json.data;
}

/** Until it is so, without a move of the clock: what is awaited comes by itself. */
async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
  const giveUpAt = performance.now() + 120_000;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('before its gate a mail moves on to the next relay of its route', () => {
  it('where nobody listens, and its events tell which one took it and why', async (t) => {
    const { server, sinks, away } = await serveRouted(t, ['first', 'second']);
    await away('first');
    const id = await send(server);
    await untilEvent(server, id, 'sent');
    const sent = (await eventsOf(server, id)).at(-1);
    assert.equal(sent.relay, 'second');
    assert.equal(sent.passed_over[0].relay, 'first');
    assert.match(sent.passed_over[0].reason, /ECONNREFUSED/);
    // It rests: the next one does not ask it.
    await untilEvent(server, await send(server), 'sent');
    assert.equal(sinks.second.count, 2);
    const { text } = await server.call('GET', '/metrics');
    assert.match(text, /sendonce_relay_attempts_total\{relay="first",outcome="unreached"\} 1\n/);
    assert.match(text, /sendonce_relay_attempts_total\{relay="second",outcome="sent"\} 2\n/);
  });

  for (const [what, mode] of Object.entries({
    'its MAIL is put off': modes.deferMail,
    'its only recipient is put off': { rcpt: () => '450 4.2.1 greylisted' },
    'DATA is put off': modes.deferData,
    'the session ends at MAIL': modes.dropAtMail,
    'it says goodbye at MAIL': modes.goodbyeAtMail,
  })) {
    it(`where ${what}`, async (t) => {
      const { server, sinks } = await serveRouted(t, ['first', 'second']);
      sinks.first.behave = () => mode;
      const id = await send(server);
      await untilEvent(server, id, 'sent');
      assert.equal((await eventsOf(server, id)).at(-1).relay, 'second');
      assert.deepEqual([sinks.first.count, sinks.second.count], [0, 1]);
    });
  }

  it('but a refusal for good is one, whatever another relay would say', async (t) => {
    const { server, sinks } = await serveRouted(t, ['first', 'second']);
    sinks.first.behave = () => ({ rcpt: () => '550 5.1.1 nobody here' });
    const id = await send(server);
    await untilEvent(server, id, 'bounced');
    assert.deepEqual([sinks.first.count, sinks.second.count], [0, 0]);
    assert.equal((await eventsOf(server, id)).at(-1).relay, 'first');
  });
});

describe('behind its gate a mail belongs to the relay that may have it', () => {
  it('is in doubt there, and goes nowhere else; sent again, it waits for that one', async (t) => {
    const { server, sinks, away } = await serveRouted(t, ['first', 'second']);
    sinks.first.behave = () => modes.acceptThenDrop;
    const id = await send(server);
    await server.until(
      'it is in doubt',
      async () => (await server.call('GET', `/emails/${id}`)).json.in_doubt === true,
    );
    assert.equal((await eventsOf(server, id)).at(-1).relay, 'first');
    assert.deepEqual([sinks.first.count, sinks.second.count], [1, 0]);
    // Nobody but the first may get it, and that one is away.
    const back = await away('first');
    await send(server, { subject: 'finds that out' });
    await sinks.second.waitFor(1);
    await runQueue(server, 'settle', id, 'send-again');
    server.clock.advance(hourMs);
    await server.tick();
    assert.deepEqual(subjects(sinks.second), ['finds that out']);
    const first = await back();
    await first.waitFor(1);
    await untilEvent(server, id, 'sent');
    assert.equal(sinks.second.count, 1);
  });

  it('is held where that one has left the file, and shown', async (t) => {
    const { server, sinks, write } = await serveRouted(t, ['first', 'second']);
    sinks.first.behave = () => modes.acceptThenDrop;
    const id = await send(server);
    await server.until(
      'it is in doubt',
      async () => (await server.call('GET', `/emails/${id}`)).json.in_doubt === true,
    );
    write({ second: '' });
    server.readRelays();
    await runQueue(server, 'settle', id, 'send-again');
    await server.until('it is held', async () => /"first" may have it already/.test(await runQueue(server)));
    assert.equal((await server.call('GET', '/in-doubt')).json.data[0].email_id, id);
    assert.equal(sinks.second.count, 0);
  });

  it('known not to have left it takes another one at its next attempt', async (t) => {
    const { server, sinks } = await serveRouted(t, ['first', 'second']);
    sinks.first.behave = () => modes.dropInside;
    const id = await send(server);
    const last = async () => (await eventsOf(server, id)).at(-1)?.type;
    // On a busy machine the session may be seen to end before the gate is asked: then it moves on at once.
    await server.until('its attempt has ended', async () => /delivery_delayed|sent/.test(String(await last())));
    assert.equal(sinks.second.count, (await last()) === 'sent' ? 1 : 0);
    server.clock.advance(2_000);
    await untilEvent(server, id, 'sent');
    assert.deepEqual([sinks.first.dots, sinks.second.count], [0, 1]);
  });

  it('4yz to the dot is no doubt: the next attempt takes whichever is open', async (t) => {
    const { server, sinks } = await serveRouted(t, ['first', 'second']);
    sinks.first.behave = () => modes.deferAtDot;
    const id = await send(server);
    await untilEvent(server, id, 'delivery_delayed');
    sinks.first.behave = () => modes.deferMail;
    server.clock.advance(2_000);
    await untilEvent(server, id, 'sent');
    assert.equal(sinks.second.count, 1);
  });
});

describe('routes', () => {
  it('are chosen by sender, account and tag', async (t) => {
    const routes = `
[[route]]
tag = "bulk"
relays = ["c"]
[[route]]
from = "*.shop.example"
relays = ["b"]
[[route]]
account = "other"
relays = ["c", "a"]`;
    const { server, sinks } = await serveRouted(t, ['a', 'b', 'c'], { routes });
    const other = await newAccount(server, 'other', 'other.test');
    await send(server, { subject: 'plain' });
    await send(server, { subject: 'shop', from: 'x@mail.shop.example' });
    await send(server, {
      subject: 'tagged',
      from: 'x@mail.shop.example',
      tags: [{ name: 'sendonce-relay', value: 'bulk' }],
    });
    await other.send({ subject: 'of another', from: 'x@other.test' });
    await drained(server);
    assert.deepEqual(subjects(sinks.a), ['plain']);
    assert.deepEqual(subjects(sinks.b), ['shop']);
    assert.deepEqual(subjects(sinks.c).sort(), ['of another', 'tagged']);
  });

  it('that are dead, or slow, hold up no other one', async (t) => {
    const routes = `
[[route]]
from = "slow.test"
relays = ["slow"]
[[route]]
from = "dead.test"
relays = ["dead"]`;
    const { server, sinks, away } = await serveRouted(t, ['good', 'slow', 'dead'], { routes, more: 'connections = 2' });
    await away('dead');
    const silent = new Promise(() => {});
    sinks.slow.behave = () => ({ mail: { when: silent } });
    const bulk = (from: string) =>
      server.call(
        'POST',
        '/emails/batch',
        Array.from({ length: 100 }, () => ({ from, to: ['a@b.test'], subject: from, text: 'x' })),
      );
    for (const from of ['x@slow.test', 'x@dead.test', 'x@slow.test']) assert.equal((await bulk(from)).status, 200);
    const id = await send(server, { subject: 'urgent' });
    await untilEvent(server, id, 'sent');
    assert.deepEqual(subjects(sinks.good), ['urgent']);
    assert.ok(sinks.slow.transactions <= 2);
  });
});

describe('a relay that is back', () => {
  it('is noticed within seconds, and what waited only for it goes at once', async (t) => {
    const { server, away } = await serveRouted(t, ['only'], { more: 'connections = 3' });
    const back = await away('only');
    const ids: string[] = [];
    for (let count = 0; count < 20; count += 1) ids.push(await send(server, { subject: `mail ${count}` }));
    await until('it rests', async () => (await server.call('GET', '/relays')).json.data[0].state === 'resting');
    const sink = await back();
    const startedAt = performance.now();
    await until('all have arrived', () => sink.count === 20);
    assert.ok(performance.now() - startedAt < 30_000);
    assert.deepEqual(sink.duplicates(), []);
    for (const id of ids) await untilEvent(server, id, 'sent');
  });

  it('of RELAY_URL, too: what waits for its next try goes before its time', async (t) => {
    const { server, sink } = await serve(t);
    await sink.close();
    const id = await send(server);
    await untilEvent(server, id, 'delivery_delayed');
    // Several failures later the next try is far away.
    for (let failures = 0; failures < 5; failures += 1) {
      server.clock.advance(hourMs);
      await server.tick();
      await server.until('it was tried', async () => !/ queued .* (?:\d+ s|\d+ min) ago/.test(await runQueue(server)));
    }
    const { startSink } = await import('../support/smtp-sink.ts');
    const again = await startSink({ port: sink.port });
    t.after(() => again.close());
    await until('it has arrived', () => again.count === 1);
    await untilEvent(server, id, 'sent');
  });
});

describe('an operator', () => {
  const typed = (server: TestServer, path: string, ...words: string[]) =>
    printed(() => relay(readConfig({ DATABASE_URL: server.databaseUrl, RELAYS_FILE: path }), words));

  it('pauses a relay, sees what waits, and lets it go on', async (t) => {
    const { server, sinks } = await serveRouted(t, ['only']);
    const paused = await server.call('POST', '/relays/only/pause');
    assert.deepEqual([paused.status, paused.json.state], [200, 'paused']);
    let sent = 0;
    const waiting = async () => (await server.call('GET', '/relays/only')).json.waiting;
    await until('it is heard', async () => {
      await send(server);
      sent += 1;
      return (await waiting()) >= 1;
    });
    assert.ok(sinks.only.count < sent);
    await server.call('POST', '/relays/only/resume');
    await sinks.only.waitFor(sent);
    await drained(server);
    assert.equal(await waiting(), 0);
  });

  it('tests one over HTTP and at the command line, and is told what is wrong', async (t) => {
    const { server, away, path } = await serveRouted(t, ['one', 'two']);
    await away('two');
    assert.match(await typed(server, path, 'list'), /^RELAY .*\none +up .*\ntwo +up /s);
    assert.match(await typed(server, path, 'test', 'one'), /one \(smtp:.*\) answers, no TLS/);
    await assert.rejects(typed(server, path, 'test', 'two'), /cannot be reached .*ECONNREFUSED/);
    await assert.rejects(typed(server, path, 'pause', 'three'), /There is no relay "three"; there are: one, two\./);
    assert.deepEqual((await server.call('POST', '/relays/one/test')).json.is_up, true);
    const failed = (await server.call('POST', '/relays/two/test')).json;
    assert.equal(failed.is_up, false);
    assert.match(failed.message, /ECONNREFUSED/);
    assert.equal((await server.call('POST', '/relays/three/test')).status, 404);
    const other = await newAccount(server, 'other', 'other.test');
    assert.equal((await other.call('GET', '/relays')).status, 403);
  });
});

describe('reading RELAYS_FILE again', () => {
  it('drops no session of a relay that stays, and ends those of one that is gone once they are done', async (t) => {
    const { server, sinks, write } = await serveRouted(t, ['stays', 'goes'], {
      routes: '[[route]]\nfrom = "goes.test"\nrelays = ["goes"]\n',
    });
    let answer = () => {};
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    sinks.goes.behave = () => ({ dot: { when: held, accept: true, say: '250 2.0.0 ok\r\n' } });
    await untilEvent(server, await send(server), 'sent');
    const id = await send(server, { from: 'x@goes.test' });
    await sinks.goes.until(({ dots }) => dots === 1);
    write({ stays: '' });
    server.readRelays();
    await untilEvent(server, await send(server), 'sent');
    assert.equal(sinks.stays.connections, 1);
    answer();
    await untilEvent(server, id, 'sent');
    assert.equal(sinks.goes.count, 1);
    await until('its session has ended', () => sinks.goes.open === 0);
    await untilEvent(server, await send(server, { from: 'x@goes.test' }), 'sent');
    assert.equal(sinks.stays.count, 3);
  });

  it('keeps what waits for one that is gone, and shows it; an operator lets it take the others', async (t) => {
    const { server, sinks, write, path, away } = await serveRouted(t, ['stays', 'goes'], {
      environment: { METRICS_TOKEN: 'a watcher of relays' },
      routes: '[[route]]\nfrom = "goes.test"\nrelays = ["goes"]\n',
    });
    await away('goes');
    const id = await send(server, { from: 'x@goes.test' });
    await until('it waits', async () => (await server.call('GET', '/relays/goes')).json.waiting === 1);
    write({ stays: '' });
    server.readRelays();
    server.clock.advance(hourMs);
    await untilEvent(server, await send(server), 'sent');
    const gone = (await server.call('GET', '/relays')).json.data[1];
    assert.deepEqual([gone.name, gone.state, gone.waiting, gone.url], ['goes', 'gone', 1, null]);
    assert.equal(sinks.stays.count, 1);
    const health = await server.call('GET', '/healthz', undefined, { authorization: 'Bearer a watcher of relays' });
    assert.equal(health.json.relay, 'stays');
    const words = ['retry', 'goes'];
    await printed(() => relay(readConfig({ DATABASE_URL: server.databaseUrl, RELAYS_FILE: path }), words));
    await untilEvent(server, id, 'sent');
    assert.equal(sinks.stays.count, 2);
    assert.equal((await server.call('POST', '/relays/goes/retry')).status, 404);
  });
});
