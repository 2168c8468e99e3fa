/** The walk along a route, over real SMTP: never on once the gate was asked, and in words without our secrets. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createBlot } from '../../src/core/blot.ts';
import { shipAlong } from '../../src/deliver/relays/along.ts';
import type { KnownRelay, RelayRecord } from '../../src/deliver/relays/relay-record.ts';
import { Relays } from '../../src/deliver/relays/relays.ts';
import { createSmtpRelay } from '../../src/deliver/smtp.ts';
import { mail, openGate } from '../support/smtp-rig.ts';
import { type Sink, type SinkOptions, startSink } from '../support/smtp-sink.ts';
import { type Mode, modes } from '../support/smtp-sink-modes.ts';

const facts = { from: 'from@example.com', account: 'default', tag: null, bound: null };

type Two = { relays: Relays; first: Sink; second: Sink };

async function two(t: TestContext, mode: Mode, options: SinkOptions & { secret?: string } = {}): Promise<Two> {
  const { secret, ...sinkOptions } = options;
  const [first, second] = [await startSink({ ...sinkOptions, behave: () => mode }), await startSink()];
  const known = ({ port }: Sink, name: string): KnownRelay => ({
    name,
    terms: name,
    secrets: secret ? [secret] : [],
    open: () => createSmtpRelay({ host: '127.0.0.1', port, secure: false, auth: null }),
  });
  const watch = { onRest: () => {}, onBack: () => {}, onOutcome: () => {} };
  const setting = { known: [known(first, 'first'), known(second, 'second')], routes: [], isRouted: true };
  const relays = new Relays(setting, watch);
  t.after(async () => {
    await relays.close();
    await Promise.all([first.close(), second.close()]);
  });
  return { relays, first, second };
}

/** What everybody else does: the next one is tried until one of them says yes. */
async function shipNaively({ records }: Relays): Promise<void> {
  for (const record of records) {
    const outcome = await record.ship(mail('one'), openGate);
    if (outcome.phase === 'verdict' && outcome.reply.said.class === 'ok') return;
  }
}

const behindTheGate = ['acceptThenDrop', 'acceptThenReset', 'halfReply', 'unendedReply'] as const;

describe('a mail whose gate was asked', () => {
  for (const name of behindTheGate) {
    it(`goes to no other relay where the first one does ${name}; moving on would be a second copy`, async (t) => {
      const { relays, first, second } = await two(t, modes[name]);
      const { outcome, tried } = await relays.ship(relays.wayOf(facts) ?? [], mail('one'), async () => true);
      assert.deepEqual([outcome.phase, tried.relay], ['in_doubt', 'first']);
      assert.deepEqual([first.count, second.count], [1, 0]);
      // The control: the same relays, walked without asking whether the gate was asked.
      await shipNaively(relays);
      assert.deepEqual([first.count, second.count], [2, 1]);
    });
  }

  it('goes to no other relay either where the gate stays shut, or cannot be recorded', async (t) => {
    const { relays, first, second } = await two(t, modes.accept);
    const way = relays.wayOf(facts) ?? [];
    assert.equal((await relays.ship(way, mail('one'), async () => false)).outcome.phase, 'fenced');
    const failing = async () => Promise.reject(new Error('the disk is full'));
    assert.equal((await relays.ship(way, mail('one'), failing)).outcome.phase, 'unreached');
    assert.deepEqual([first.dots, second.transactions], [0, 0]);
  });
});

describe('a place in the rates', () => {
  it('is given back where trying the relay fails outright, and counts: nobody knows what was said', async () => {
    const ends: boolean[] = [];
    const hold = { relay: 'first', end: (isUsed: boolean) => void ends.push(isUsed) };
    const ship = () => Promise.reject(new Error('out of its mind'));
    const record = { name: 'first', isOpen: true, ship } as unknown as RelayRecord;
    const going = { gate: async () => true, never: [], isRouted: true, holdFor: () => hold, learn: () => {} };
    await assert.rejects(shipAlong([record], mail('one'), going), /out of its mind/);
    assert.deepEqual(ends, [true]);
  });
});

describe('a relay that cannot be reached', () => {
  async function one(t: TestContext): Promise<{ relays: Relays; sink: Sink; rests: () => number }> {
    const silence = new Promise<void>(() => {});
    const sink = await startSink({ behave: () => ({ mail: { when: silence } }) });
    let rests = 0;
    const server = { host: '127.0.0.1', port: sink.port, secure: false, auth: null, concurrency: 1 };
    const known = { name: 'one', terms: '', secrets: [], open: () => createSmtpRelay(server) };
    const onRest = () => {
      rests += 1;
    };
    const relays = new Relays(
      { known: [known], routes: [], isRouted: true },
      { onRest, onBack: () => {}, onOutcome: () => {} },
    );
    t.after(() => Promise.all([relays.close(), sink.close()]));
    return { relays, sink, rests: () => rests };
  }

  const ship = (relays: Relays) => relays.ship(relays.wayOf(facts) ?? [], mail('one'), async () => true);

  it('rests', async (t) => {
    const { relays, sink, rests } = await one(t);
    await sink.close();
    assert.equal((await ship(relays)).outcome.phase, 'unreached');
    assert.equal(rests(), 1);
  });

  it('is told so by nobody where it was closed here, with mails that waited for a session', async (t) => {
    const { relays, sink, rests } = await one(t);
    const shipped = [ship(relays), ship(relays)];
    await sink.until(() => sink.commands.some((line) => line.startsWith('MAIL')));
    await relays.close();
    await sink.close();
    for (const { outcome } of await Promise.all(shipped)) assert.equal(outcome.phase, 'unreached');
    assert.equal(rests(), 0);
  });
});

describe('our secrets', () => {
  const secret = 'hunter2-is-secret';

  it('are blotted out of what a relay says, at every step', async (t) => {
    const spelled = [secret, encodeURIComponent(secret), Buffer.from(`user:${secret}`).toString('base64')];
    for (const [step, mode] of Object.entries({
      mail: (words: string): Mode => ({ mail: { say: `550 5.7.1 ${words}\r\n` } }),
      rcpt: (words: string): Mode => ({ rcpt: () => `550 5.7.1 ${words}` }),
      dot: (words: string): Mode => ({ dot: { say: `550 5.7.1 ${words}\r\n` } }),
    })) {
      for (const words of spelled) {
        const { relays } = await two(t, mode(words), { secret });
        const shipped = await relays.ship(relays.wayOf(facts) ?? [], mail('one'), async () => true);
        const said = JSON.stringify(shipped);
        assert.match(said, /5\.7\.1 .*\*\*\*/, step);
        assert.ok(!said.includes(words), `${step}: ${said}`);
      }
    }
  });

  it('are found in Base64 wherever they begin, and nothing else is taken out', () => {
    const blot = createBlot([secret]);
    for (const before of ['', 'a', 'ab', 'abc', 'user\0']) {
      const text = Buffer.from(`${before}${secret} and more`).toString('base64');
      const left = blot(`550 ${text}`);
      assert.match(left, /\*\*\*/, before);
      const kept = Buffer.from(left.replace(/550 |\*\*\*/g, ''), 'base64').toString('latin1');
      assert.ok(!kept.includes(secret.slice(2, -2)), kept);
    }
    assert.equal(blot('550 5.1.1 nobody here'), '550 5.1.1 nobody here');
    assert.equal(createBlot([])('250 ok'), '250 ok');
  });
});
