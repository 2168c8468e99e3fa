/** Hand-off over SMTP: the gate, the dot and the verdict, against a relay that misbehaves in every way we know. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, test } from 'node:test';
import { outcomeName } from '../../src/core/outcome.ts';
import { noReply } from '../../src/core/reply.ts';
import type { Gate } from '../../src/deliver/relay.ts';
import { createSmtpRelay } from '../../src/deliver/smtp.ts';
import { startSession } from '../../src/deliver/smtp-session.ts';
import { transact } from '../../src/deliver/smtp-transaction.ts';
import { Wire } from '../../src/deliver/smtp-wire.ts';
import { replyOf } from '../support/reply.ts';
import { mail, openGate, rig, signal, watchedGate, wordsOf } from '../support/smtp-rig.ts';
import { startSink } from '../support/smtp-sink.ts';
import { type Mode, modes } from '../support/smtp-sink-modes.ts';

const dot = (say: string): Mode => ({ dot: { accept: true, say, leave: 'close' } });

/** Takes a message body and never gets rid of it, as a full send buffer does. */
class StuckLink extends net.Socket {
  #stuck: () => void = () => {};
  readonly whenStuck = new Promise<void>((resolve) => {
    this.#stuck = resolve;
  });

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (chunk.includes('Message-ID')) this.#stuck();
    else super._write(chunk, encoding, done);
  }
}

describe('an overdue verdict', () => {
  test('is heard when it comes after all, and holds up no other mail meanwhile', async (t) => {
    const late = signal();
    const slow: Mode = { dot: { when: late.promise, accept: true, say: '250 2.0.0 at last\r\n' } };
    const behave = ({ from }: { from: string }) => (from === 'from@example.com' ? slow : modes.accept);
    const { sink, relay } = await rig(t, { behave }, { verdictTimeoutMs: 40, concurrency: 1 });
    const outcome = await relay.ship(mail('one'), openGate);
    assert(outcome.phase === 'in_doubt' && outcome.late, JSON.stringify(outcome));
    const other = mail('two');
    const sent = await relay.ship({ ...other, envelope: { ...other.envelope, from: 'quick@example.com' } }, openGate);
    assert.equal(outcomeName(sent), 'sent');
    late.resolve();
    assert.deepEqual(await outcome.late, { phase: 'verdict', reply: replyOf('250 2.0.0 at last') });
    assert.equal(sink.count, 2);
  });

  test('is heard on as many sessions as may work, beside them: the oldest is given up for the newest', async (t) => {
    const { sink, relay } = await rig(
      t,
      { behave: ({ from }) => (from === 'from@example.com' ? modes.silenceAtDot : modes.accept) },
      { verdictTimeoutMs: 40, concurrency: 2 },
    );
    const lateOnes = [];
    for (let index = 0; index < 5; index++) {
      const outcome = await relay.ship(mail(`m${index}`), openGate);
      assert(outcome.phase === 'in_doubt' && outcome.late, JSON.stringify(outcome));
      lateOnes.push(outcome.late);
    }
    await Promise.all(lateOnes.slice(0, 3));
    const { promise, resolve } = signal<boolean>();
    const working = ['w1', 'w2', 'w3'].map((name) => {
      const other = mail(name);
      return relay.ship({ ...other, envelope: { ...other.envelope, from: 'quick@example.com' } }, () => promise);
    });
    await sink.until(({ transactions, open }) => transactions === 7 && open <= 4);
    assert.deepEqual([sink.open, sink.connections], [4, 7], 'two that work, two that are overdue');
    resolve(true);
    assert.deepEqual((await Promise.all(working)).map(outcomeName), ['sent', 'sent', 'sent']);
    assert.equal(sink.connections, 7);
  });

  test('is given up with its session', async (t) => {
    const { relay } = await rig(t, { behave: () => modes.silenceAtDot }, { verdictTimeoutMs: 40 });
    const outcome = await relay.ship(mail('one'), openGate);
    assert(outcome.phase === 'in_doubt' && outcome.late, JSON.stringify(outcome));
    await relay.close();
    assert.equal(outcomeName(await outcome.late), 'in_doubt');
  });
});

describe('the verdict', () => {
  const cases: Array<[string, Mode, string, RegExp]> = [
    ['250', modes.accept, 'sent', /^250 2\.0\.0 taken$/],
    ['250 without text', dot('250\r\n'), 'sent', /^250$/],
    ['250 in many lines', modes.multiLine, 'sent', /^250-2\.0\.0 taken 250-2\.0\.0 gladly 250 2\.0\.0 done$/],
    ['421', modes.goodbyeAtDot, 'deferred', /^421/],
    ['451', modes.deferAtDot, 'deferred', /^451/],
    ['550', modes.refuseAtDot, 'bounced', /^550/],
    ['a close after accepting', modes.acceptThenDrop, 'in_doubt', /closed/],
    ['a close without accepting', modes.dropAtDot, 'in_doubt', /closed/],
    ['a reset after accepting', modes.acceptThenReset, 'in_doubt', /ECONNRESET|closed/],
    ['silence after accepting', modes.acceptThenSilence, 'in_doubt', /no verdict within/],
    ['silence without accepting', modes.silenceAtDot, 'in_doubt', /no verdict within/],
    ['25 and a close', modes.halfReply, 'in_doubt', /closed/],
    ['250 without its line end and a close', modes.unendedReply, 'in_doubt', /closed/],
    ['550 without its line end and a close', modes.unendedRefusal, 'in_doubt', /closed/],
    ['a reply that never ends', dot('250-2.0.0 taken\r\n'), 'in_doubt', /closed/],
    ['two digits', dot('25\r\n'), 'in_doubt', /not a verdict/],
    ['2xx', dot('2xx fine\r\n'), 'in_doubt', /not a verdict/],
    ['four digits', dot('2500 fine\r\n'), 'in_doubt', /not a verdict/],
    ['words', dot('fine\r\n'), 'in_doubt', /not a verdict/],
    ['354', dot('354 more\r\n'), 'in_doubt', /not a verdict/],
    ['many lines of different codes', dot('550-no\r\n250 yes\r\n'), 'in_doubt', /not a verdict/],
  ];
  for (const [name, mode, kind, words] of cases) {
    test(`${name} to the dot is ${kind}`, async (t) => {
      // Short where it is waited out; on a slow machine an answer may take longer than that.
      const options = name.startsWith('silence') ? { verdictTimeoutMs: 40 } : {};
      const { sink, relay } = await rig(t, { behave: () => mode }, options);
      const outcome = await relay.ship(mail('one'), openGate);
      assert.equal(outcomeName(outcome), kind, JSON.stringify(outcome));
      assert.match(wordsOf(outcome), words);
      assert.equal(sink.dots, 1);
    });
  }

  test('a 250 that takes its time is waited for', async (t) => {
    const { promise, resolve } = signal();
    const { sink, relay } = await rig(
      t,
      { behave: () => ({ dot: { when: promise, accept: true } }) },
      { stallTimeoutMs: 30 },
    );
    const shipped = relay.ship(mail('one'), openGate);
    await sink.until(({ dots }) => dots === 1);
    assert.equal(sink.count, 0);
    setTimeout(resolve, 60);
    assert.equal(outcomeName(await shipped), 'sent', 'the short time-out is for silence before the dot only');
  });
});

/** Only silence is given up soon: on a machine that is busy anything else may take its time. */
function patienceWith(name: string): { stallTimeoutMs?: number } {
  return name.includes('silence') ? { stallTimeoutMs: 50 } : {};
}

describe('before the dot', () => {
  const all = (reply: string): Mode => ({ rcpt: () => reply });
  const cases: Array<[string, Mode, string, RegExp]> = [
    ['MAIL refused for good', modes.refuseMail, 'bounced', /^550/],
    ['MAIL refused for now', modes.deferMail, 'deferred', /^451/],
    ['MAIL wants authentication', { mail: { say: '530 5.7.0 who are you\r\n' } }, 'unreached', /530/],
    ['a close at MAIL', modes.dropAtMail, 'unreached', /closed/],
    ['421 at MAIL', modes.goodbyeAtMail, 'deferred', /^421/],
    ['DATA refused for good', modes.refuseData, 'bounced', /^554/],
    ['DATA refused for now', modes.deferData, 'deferred', /^451/],
    ['a close at DATA', modes.dropAtData, 'unreached', /closed/],
    ['silence at DATA', { data: { leave: 'silence' } }, 'unreached', /timeout/i],
    ['250 instead of 354', modes.okInsteadOf354, 'unreached', /DATA was answered "250/],
    ['every RCPT refused', all('550 5.1.1 nobody'), 'refused', /^550/],
    ['every RCPT refused and 354 all the same', { ...all('550 5.1.1 nobody'), ...modes.always354 }, 'refused', /^550/],
    ['MAIL refused and 354 all the same', { ...modes.refuseMail, ...modes.always354 }, 'bounced', /^550/],
  ];
  for (const [name, mode, kind, words] of cases) {
    for (const extensions of [['PIPELINING'], []]) {
      test(`${name} is ${kind}: no gate, no dot (${extensions[0] ?? 'no PIPELINING'})`, async (t) => {
        const { sink, relay } = await rig(t, { behave: () => mode, extensions }, patienceWith(name));
        const { gate, asked } = watchedGate();
        const outcome = await relay.ship(mail('one'), gate);
        assert.equal(outcomeName(outcome), kind, JSON.stringify(outcome));
        assert.match(wordsOf(outcome), words);
        // Before it ends, the sink has read everything, a dot sent by mistake included.
        await relay.close();
        assert.deepEqual([asked.length, sink.dots, sink.count], [0, 0, 0]);
        assert.ok(!sink.commands.some((line) => line.startsWith('Message-ID')), 'the body ran as commands');
      });
    }
  }

  test('nobody listening, no greeting and a rude greeting are unreached', async (t) => {
    const gone = await startSink();
    await gone.close();
    const nobody = createSmtpRelay({ host: '127.0.0.1', port: gone.port, secure: false, auth: null });
    assert.match(wordsOf(await nobody.ship(mail('one'), openGate)), /^connection: .*ECONNREFUSED/);
    for (const act of [
      { leave: 'close' },
      { leave: 'reset' },
      { leave: 'silence' },
      { say: '554 go away\r\n' },
    ] as const) {
      const { relay } = await rig(t, { greet: () => act }, { greetingTimeoutMs: 30 });
      assert.equal(outcomeName(await relay.ship(mail('one'), openGate)), 'unreached');
    }
  });

  test('a mail larger than the relay takes bounces without a transaction', async (t) => {
    const { sink, relay } = await rig(t, { extensions: ['SIZE 100'] });
    const outcome = await relay.ship(mail('one', { body: 'x'.repeat(200) }), openGate);
    assert.equal(outcomeName(outcome), 'bounced');
    assert.ok(!sink.commands.some((line) => line.startsWith('MAIL')));
  });
});

describe('recipients', () => {
  const replies: Record<string, string> = { 'full@x.test': '452 4.2.2 full', 'gone@x.test': '550 5.1.1 gone' };
  const rcpt = (address: string) => replies[address];
  const to = ['good@x.test', 'full@x.test', 'gone@x.test'];
  const full = { address: 'full@x.test', reply: replyOf('452 4.2.2 full') };
  const gone = { address: 'gone@x.test', reply: replyOf('550 5.1.1 gone') };

  for (const extensions of [['PIPELINING'], []]) {
    test(`the gate is told what each was answered (${extensions[0] ?? 'no PIPELINING'})`, async (t) => {
      const { sink, relay } = await rig(t, { behave: () => ({ rcpt }), extensions });
      const { gate, asked } = watchedGate();
      assert.equal(outcomeName(await relay.ship(mail('one', { to }), gate)), 'sent');
      assert.deepEqual(asked, [{ accepted: ['good@x.test'], refused: [full, gone] }]);
      assert.deepEqual(sink.received[0]?.to, ['good@x.test']);
    });
  }

  test('refused in different ways, each keeps its own reply', async (t) => {
    const { relay } = await rig(t, { behave: () => ({ rcpt }) });
    const outcome = await relay.ship(mail('one', { to: to.slice(1) }), openGate);
    assert.deepEqual(outcome, { phase: 'refused', refused: [full, gone], isOneReply: false });
  });

  test('a refusal of DATA does not bounce a recipient that was deferred', async (t) => {
    const { relay } = await rig(t, { behave: () => ({ rcpt, ...modes.refuseData }) });
    const outcome = await relay.ship(mail('one', { to }), openGate);
    const good = { address: 'good@x.test', reply: replyOf('554 5.7.1 no data from you') };
    assert.deepEqual(outcome, { phase: 'refused', refused: [full, gone, good], isOneReply: false });
  });
});

describe('the gate', () => {
  test('no dot leaves before it opens, though the whole body has', async (t) => {
    const { sink, relay } = await rig(t);
    const { promise, resolve } = signal<boolean>();
    const one = mail('one');
    const shipped = relay.ship(one, () => promise);
    await sink.until(({ bodyBytes }) => bodyBytes >= one.bytes.length);
    // Another mail's round trip: whatever the first one had to say has been read.
    await relay.ship(mail('two'), openGate);
    assert.deepEqual([sink.dots, sink.copies('<one@example.com>')], [1, 0]);
    resolve(true);
    assert.equal(outcomeName(await shipped), 'sent');
    assert.deepEqual([sink.dots, sink.copies('<one@example.com>')], [2, 1]);
  });

  test('shut, it costs the session: no dot, and the next mail is not mixed with this one', async (t) => {
    const { sink, relay } = await rig(t, {}, { concurrency: 1 });
    await relay.ship(mail('zero'), openGate);
    assert.deepEqual(await relay.ship(mail('one'), watchedGate(false).gate), { phase: 'fenced' });
    assert.equal(outcomeName(await relay.ship(mail('two'), openGate)), 'sent');
    assert.deepEqual([sink.dots, sink.connections], [2, 2]);
    assert.deepEqual(sink.received[1]?.bytes, mail('two').bytes);
  });

  test('control: a session used again after a stop inside DATA does mix them, and the sink sees it', async (t) => {
    const sink = await startSink();
    t.after(() => sink.close());
    const socket = net.connect(sink.port, '127.0.0.1');
    const start = 'MAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n';
    socket.write(`EHLO me\r\n${start}${mail('one').bytes}${start}${mail('two').bytes}.\r\n`);
    await sink.waitFor(1);
    socket.destroy();
    assert.match(String(sink.received[0]?.bytes), /Subject: one.*MAIL FROM.*Subject: two/s);
  });

  test('failing, it is unreached and no dot leaves', async (t) => {
    const { sink, relay } = await rig(t);
    const outcome = await relay.ship(mail('one'), watchedGate(new Error('commit unknown')).gate);
    assert.deepEqual(outcome, { phase: 'unreached', reply: noReply('gate: commit unknown') });
    await relay.ship(mail('two'), openGate);
    assert.deepEqual([sink.dots, sink.connections], [1, 2]);
  });

  test('throwing at once is failing', async (t) => {
    const { relay } = await rig(t);
    const gate: Gate = () => {
      throw new Error('no database');
    };
    assert.deepEqual(await relay.ship(mail('one'), gate), { phase: 'unreached', reply: noReply('gate: no database') });
  });

  test('one fence lets one dot of two workers through; control: a gate that always opens lets two', async (t) => {
    const { sink, relay } = await rig(t);
    let isTaken = false;
    const fence: Gate = async () => {
      const isFirst = !isTaken;
      isTaken = true;
      return isFirst;
    };
    const kinds = await Promise.all([relay.ship(mail('one'), fence), relay.ship(mail('one'), fence)]);
    assert.deepEqual(kinds.map(outcomeName).sort(), ['fenced', 'sent']);
    assert.deepEqual([sink.dots, sink.copies('<one@example.com>')], [1, 1]);

    await Promise.all([relay.ship(mail('two'), openGate), relay.ship(mail('two'), openGate)]);
    assert.equal(sink.copies('<two@example.com>'), 2);
    assert.deepEqual(sink.duplicates(), ['<two@example.com>']);
  });

  test('a large mail asks it when the body is nearly out, not before', async (t) => {
    const { sink, relay } = await rig(t);
    const large = mail('large', { body: `${`${'x'.repeat(76)}\r\n.dotted\r\n`.repeat(200_000)}end\r\n` });
    let bytesAtGate = 0;
    const outcome = await relay.ship(large, async () => {
      bytesAtGate = sink.bodyBytes;
      return true;
    });
    assert.equal(outcomeName(outcome), 'sent');
    assert.ok(bytesAtGate > 0, 'asked before anything was read');
    assert.ok(sink.received[0]?.bytes.equals(large.bytes));
  });
});

describe('between 354 and the dot', () => {
  /** Opens after another mail's round trip, so that what the relay said meanwhile has arrived. */
  const lateGate = (answer: boolean, roundTrip: () => Promise<unknown>): Gate => {
    return async () => {
      await roundTrip();
      return answer;
    };
  };
  const inside = (line: string): Mode => ({ inside: { say: `${line}\r\n` } });
  const cases: Array<[string, Mode, string]> = [
    ['a close', modes.dropInside, 'unreached'],
    ['a reset', modes.resetInside, 'unreached'],
    ['a premature 250', inside('250 2.0.0 taken'), 'unreached'],
    ['half a premature reply', { inside: { say: '25' } }, 'unreached'],
    ['a premature 451', inside('451 4.3.0 later'), 'deferred'],
    ['a premature 421', inside('421 4.3.2 down'), 'deferred'],
    ['a premature 552', inside('552 5.3.4 too large'), 'bounced'],
    ['a 250 right behind the 354', { data: { say: '354 go\r\n250 2.0.0 taken\r\n' } }, 'unreached'],
  ];
  for (const [name, mode, kind] of cases) {
    for (const answer of [true, false]) {
      test(`${name}, while the gate ${answer ? 'opens' : 'stays shut'}, is ${answer ? kind : 'fenced'}: no dot`, async (t) => {
        const { sink, relay } = await rig(t, { behave: ({ transaction }) => (transaction === 1 ? mode : {}) });
        const gate = lateGate(answer, async () => {
          await sink.until(({ bodyBytes }) => bodyBytes > 0);
          await relay.ship(mail('other'), openGate);
        });
        const outcome = await relay.ship(mail('one'), gate);
        assert.equal(outcomeName(outcome), answer ? kind : 'fenced', JSON.stringify(outcome));
        await relay.ship(mail('last'), openGate);
        assert.deepEqual([sink.dots, sink.copies('<one@example.com>')], [2, 0]);
      });
    }
  }

  test('a reply that waits unread when an instant gate opens is no verdict', async (t) => {
    const { sink, relay } = await rig(t, { behave: () => ({ data: { say: '354 go\r\n250 2.0.0 taken\r\n' } }) });
    assert.equal(outcomeName(await relay.ship(mail('one'), openGate)), 'unreached');
    assert.equal(sink.dots, 0);
  });

  test('a link that dies with the body still in our own buffers has carried no dot', async (t) => {
    const { sink } = await rig(t);
    const link = new StuckLink();
    link.connect(sink.port, '127.0.0.1');
    await once(link, 'connect');
    const options = { host: '127.0.0.1', port: sink.port, secure: false, auth: null };
    const session = await startSession(new Wire(link, 1000), options);
    const gate: Gate = async () => {
      void link.whenStuck.then(() => setImmediate(() => setImmediate(() => link.destroy(new Error('link lost')))));
      return true;
    };
    const { outcome } = await transact(session, mail('one'), gate, { verdictMs: 1000, stallMs: 1000 });
    assert.equal(outcomeName(outcome), 'unreached', JSON.stringify(outcome));
  });

  test('a relay that stops reading a large mail leaves it unreached, and its gate unasked', async (t) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.write('220 hi\r\n250 hi\r\n250 ok\r\n250 ok\r\n354 go\r\n');
      socket.pause();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { port } = server.address() as net.AddressInfo;
    const relay = createSmtpRelay({ host: '127.0.0.1', port, secure: false, auth: null, stallTimeoutMs: 100 });
    const { gate, asked } = watchedGate();
    const outcome = await relay.ship(mail('large', { body: 'x'.repeat(40_000_000) }), gate);
    assert.equal(outcomeName(outcome), 'unreached', JSON.stringify(outcome));
    assert.equal(asked.length, 0);
  });
});
