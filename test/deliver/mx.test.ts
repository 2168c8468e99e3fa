/** The recipients' own servers, over real SMTP, DNS and HTTPS: which hosts are tried, in which order, and when that ends. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { Outcome } from '../../src/core/outcome.ts';
import { createMxRelay, type MxOptions } from '../../src/deliver/mx/mx.ts';
import { isNamed, parsePolicy } from '../../src/deliver/mx/sts-policy.ts';
import type { Relay } from '../../src/deliver/relay.ts';
import { stsCertificate, stsCertificateKey } from '../support/certificate.ts';
import { type DnsServer, type Records, startDnsServer } from '../support/dns-server.ts';
import { mail, watchedGate, wordsOf } from '../support/smtp-rig.ts';
import { type Sink, type SinkOptions, startSink } from '../support/smtp-sink.ts';
import { type Mode, modes } from '../support/smtp-sink-modes.ts';

let dns: DnsServer;
/** At 127.0.0.2, 127.0.0.3, 127.0.0.4, one port: what DNS calls mx1, mx2 and mx3 of any domain. */
const hosts = ['127.0.0.2', '127.0.0.3', '127.0.0.4'] as const;
let port = 0;

before(async () => {
  dns = await startDnsServer();
  const taken = await startSink();
  port = taken.port;
  await taken.close();
});
after(() => dns.close());

type Two = { relay: Relay; first: Sink; second: Sink };

function relayTo(t: TestContext, options: Partial<MxOptions> = {}): Relay {
  const own = { dns: [dns.at], port, stsPort: 443, allow: ['127.0.0.0/8'], concurrency: 4 };
  const relay = createMxRelay({ ...own, ...options });
  t.after(() => relay.close());
  return relay;
}

async function sinkAt(t: TestContext, host: (typeof hosts)[number], options: SinkOptions = {}): Promise<Sink> {
  const sink = await startSink({ host, port, ...options });
  t.after(() => sink.close());
  return sink;
}

/** The second one is worse by rank. */
async function two(t: TestContext, name: string, mode: Mode, options: SinkOptions = {}): Promise<Two> {
  zone(name, {
    mx: [
      [20, `mx2.${name}`],
      [10, `mx1.${name}`],
    ],
  });
  const first = await sinkAt(t, hosts[0], { behave: () => mode, ...options });
  return { relay: relayTo(t), first, second: await sinkAt(t, hosts[1]) };
}

function zone(name: string, records: Records): void {
  dns.zone.set(name, records);
  for (const [index, address] of hosts.entries()) dns.zone.set(`mx${index + 1}.${name}`, { a: [address] });
}

async function ship(relay: Relay, domain: string): Promise<{ outcome: Outcome; asked: number }> {
  const { gate, asked } = watchedGate();
  const outcome = await relay.ship(mail('one', { to: [`to@${domain}`] }), gate);
  return { outcome, asked: asked.length };
}

describe('mail to the servers of its domain', () => {
  it('goes to the first by rank, and is delivered with the words of that server', async (t) => {
    const { relay, first, second } = await two(t, 'rank.test', modes.accept);
    const { outcome } = await ship(relay, 'rank.test');
    assert(outcome.phase === 'verdict');
    assert.deepEqual([outcome.isDelivered, outcome.reply.text], [true, '250 2.0.0 taken']);
    assert.deepEqual([first.count, second.connections], [1, 0]);
  });

  it('goes to the next where the first is dead, turns us away, or ends the session, and asks for one gate', async (t) => {
    const { relay, first, second } = await two(t, 'next.test', modes.goodbyeAtMail);
    assert.deepEqual((await ship(relay, 'next.test')).asked, 1);
    first.behave = () => modes.dropAtData;
    assert.deepEqual([(await ship(relay, 'next.test')).asked, second.count], [1, 2]);
    await first.close();
    assert.deepEqual([(await ship(relay, 'next.test')).asked, second.count], [1, 3]);
    const greeting = { say: '554 5.7.1 not you\r\n', leave: 'close' as const };
    await sinkAt(t, hosts[0], { greet: () => greeting });
    assert.deepEqual([(await ship(relay, 'next.test')).asked, second.count], [1, 4]);
  });

  it('goes to no other host once its gate was asked, whatever becomes of it; the words are doubt', async (t) => {
    const { relay, first, second } = await two(t, 'gate.test', modes.acceptThenDrop);
    assert.equal((await ship(relay, 'gate.test')).outcome.phase, 'in_doubt');
    assert.deepEqual([first.count, second.connections], [1, 0]);
    // The control: the same host, one step before its gate, and the other one has it.
    first.behave = () => modes.dropAtData;
    assert.equal((await ship(relay, 'gate.test')).outcome.phase, 'verdict');
    assert.deepEqual([first.count, second.count], [1, 1]);
  });

  it('stays where a host puts it off or refuses it: that is an answer', async (t) => {
    const greylists: Mode = { rcpt: () => '450 4.2.0 Greylisted, come back later' };
    const { relay, first, second } = await two(t, 'answer.test', greylists);
    const { outcome } = await ship(relay, 'answer.test');
    assert.deepEqual([outcome.phase, wordsOf(outcome)], ['refused', '450 4.2.0 Greylisted, come back later']);
    first.behave = () => modes.refuseAtDot;
    assert.equal(wordsOf((await ship(relay, 'answer.test')).outcome), '550 5.7.1 spam');
    assert.equal(second.connections, 0);
  });

  it('goes to the domain itself where it has no MX', async (t) => {
    const sink = await sinkAt(t, hosts[0]);
    dns.zone.set('bare.test', { a: [hosts[0]] });
    assert.equal((await ship(relayTo(t), 'BARE.test')).outcome.phase, 'verdict');
    assert.equal(sink.count, 1);
  });

  it('says the name it was given, from the address it was given', async (t) => {
    zone('own.test', { mx: [[10, 'mx1.own.test']] });
    const sink = await sinkAt(t, hosts[0]);
    await ship(relayTo(t, { name: 'out.example.com', source: '127.0.0.9' }), 'own.test');
    assert(sink.commands.includes('EHLO out.example.com'));
    // Only an address of this family can be reached from it.
    assert.match(wordsOf((await ship(relayTo(t, { source: '::1' }), 'own.test')).outcome), /has no address/);
  });
});

describe('a domain that takes no mail', () => {
  const told: [string, Records | null, string, RegExp][] = [
    ['null.test', { mx: [[0, '.']] }, '5.1.10', /takes no mail.*null MX.*nothing was sent/],
    ['none.test', null, '5.1.2', /does not exist in DNS/],
    ['empty.test', { txt: ['no address either'] }, '5.4.4', /empty.test has no address/],
    ['lost.test', { mx: [[10, 'mx.gone.test']] }, '5.4.4', /mx.gone.test does not exist/],
  ];
  for (const [name, records, enhanced, words] of told) {
    it(`is answered for good, in a sentence: ${name}`, async (t) => {
      if (records) dns.zone.set(name, records);
      const { outcome, asked } = await ship(relayTo(t), name);
      assert(outcome.phase === 'refused');
      assert.match(wordsOf(outcome), words);
      assert.deepEqual([outcome.refused[0]?.reply.said.enhanced, asked], [enhanced, 0]);
    });
  }

  it('is one whose servers are not on the public internet, unless the settings allow them', async (t) => {
    zone('private.test', { mx: [[10, 'mx1.private.test']] });
    const sink = await sinkAt(t, hosts[0]);
    const { outcome } = await ship(relayTo(t, { allow: [] }), 'private.test');
    assert.match(wordsOf(outcome), /mx1.private.test has only addresses that are not public/);
    assert.deepEqual([outcome.phase, sink.connections], ['refused', 0]);
    // The control.
    assert.equal((await ship(relayTo(t), 'private.test')).outcome.phase, 'verdict');
  });

  it('waits where nobody can say, by itself; and with all others where no resolver answers', async (t) => {
    dns.zone.set('broken.test', { servfail: true });
    const relay = relayTo(t);
    const { outcome } = await ship(relay, 'broken.test');
    assert(outcome.phase === 'unreached');
    assert.deepEqual([outcome.isDomainAway, outcome.isAway], [true, undefined]);
    const gone = await startDnsServer();
    await gone.close();
    const alone = relayTo(t, { dns: [gone.at] });
    const silent = (await ship(alone, 'broken.test')).outcome;
    assert(silent.phase === 'unreached');
    assert.deepEqual([silent.isDomainAway, silent.isAway], [undefined, true]);
    assert.equal((await alone.probe?.())?.said.problem, 'no_resolver');
    const back = await startDnsServer({}, gone.port);
    t.after(() => back.close());
    assert.equal(await alone.probe?.(), null);
  });
});

describe('TLS with a recipient’s server', () => {
  it('is used where it is offered, whatever its certificate says, and done without where it fails', async (t) => {
    const { relay, first } = await two(t, 'tls.test', modes.accept, { tls: 'starttls' });
    await ship(relay, 'tls.test');
    assert.deepEqual([first.commands.filter((one) => one === 'STARTTLS').length, first.count], [1, 1]);
    await first.close();
    const broken = await sinkAt(t, hosts[0], { tls: 'starttls', breaksTls: () => true });
    const fresh = relayTo(t);
    assert.equal((await ship(fresh, 'tls.test')).outcome.phase, 'verdict');
    assert.deepEqual([broken.count, broken.connections], [1, 2]);
    await ship(fresh, 'tls.test');
    assert.equal(broken.commands.filter((one) => one === 'STARTTLS').length, 1);
  });
});

const policyText = (mode: string, mx: string) => `version: STSv1\r\nmode: ${mode}\r\nmx: ${mx}\r\nmax_age: 86400\r\n`;

describe('a policy of the domain (MTA-STS)', () => {
  /** At 127.0.0.4, as `mta-sts.sts.example`, with a certificate that is for mx1.sts.example, too. */
  async function withPolicy(t: TestContext, text: string): Promise<{ relay: Relay; close: () => Promise<void> }> {
    const web = createServer({ key: stsCertificateKey, cert: stsCertificate }, (request, response) => {
      response.statusCode = request.url === '/.well-known/mta-sts.txt' ? 200 : 404;
      response.end(text);
    });
    web.listen(0, hosts[2]);
    await once(web, 'listening');
    zone('sts.example', {
      mx: [
        [10, 'mx2.sts.example'],
        [20, 'mx1.sts.example'],
      ],
    });
    dns.zone.set('_mta-sts.sts.example', { txt: ['v=STSv1; id=20260101;'] });
    dns.zone.set('mta-sts.sts.example', { a: [hosts[2]] });
    const close = async () => {
      if (!web.listening) return;
      web.closeAllConnections();
      web.close();
      await once(web, 'close');
    };
    t.after(close);
    const { port: stsPort } = web.address() as AddressInfo;
    return { relay: relayTo(t, { stsPort, tls: { ca: [stsCertificate] } }), close };
  }

  const certificate = { key: stsCertificateKey, cert: stsCertificate };

  it('that is enforced leaves hosts out that it does not name, and is kept when it cannot be read again', async (t) => {
    const { relay, close } = await withPolicy(t, policyText('enforce', 'mx1.sts.example'));
    const named = await sinkAt(t, hosts[0], { tls: 'starttls', certificate });
    const other = await sinkAt(t, hosts[1], { tls: 'starttls' });
    assert.equal((await ship(relay, 'sts.example')).outcome.phase, 'verdict');
    await close();
    assert.equal((await ship(relay, 'sts.example')).outcome.phase, 'verdict');
    assert.deepEqual([named.count, other.connections], [2, 0]);
  });

  it('that is enforced lets nothing leave over another certificate, nor in plain text', async (t) => {
    const { relay } = await withPolicy(t, policyText('enforce', '*.sts.example'));
    const wrong = await sinkAt(t, hosts[0], { tls: 'starttls' });
    const plain = await sinkAt(t, hosts[1]);
    const { outcome } = await ship(relay, 'sts.example');
    assert(outcome.phase === 'unreached' && outcome.isDomainAway);
    assert.match(wordsOf(outcome), /mx2.*STARTTLS is not offered.*mx1.*TLS: /);
    assert.deepEqual([wrong.transactions, plain.transactions], [0, 0]);
  });

  it('that is only tested changes nothing; the control of both', async (t) => {
    const { relay } = await withPolicy(t, policyText('testing', 'mx1.sts.example'));
    const other = await sinkAt(t, hosts[1]);
    assert.equal((await ship(relay, 'sts.example')).outcome.phase, 'verdict');
    assert.equal(other.count, 1);
  });

  it('is read by its letter', () => {
    assert.equal(parsePolicy('version: STSv1\nmode: enforce\nmax_age: 1\n'), null);
    assert.equal(parsePolicy(policyText('maybe', 'a.test')), null);
    const policy = parsePolicy(policyText('enforce', '*.A.test'));
    assert(policy);
    assert.deepEqual(
      ['mx.a.test', 'a.test', 'b.mx.a.test'].map((host) => isNamed(policy, host)),
      [true, false, false],
    );
  });
});
