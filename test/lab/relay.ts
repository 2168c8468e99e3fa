/** The relay of the lab: a sink in changing moods that writes down each transaction, which is all the checker believes. */

import { hash } from 'node:crypto';
import type { Random } from '../support/random.ts';
import { type Context, type Dot, type Sink, startSink } from '../support/smtp-sink.ts';
import type { Act, Mode } from '../support/smtp-sink-modes.ts';
import type { LabClock } from './lab-clock.ts';
import { type Mood, pick, type Thinking } from './moods.ts';

/** What the sink saw of one MAIL. */
export type Transaction = {
  number: number;
  /** Which one, where there are several. */
  relay?: string;
  mood: Mood;
  /** Every RCPT, also after a MAIL that was refused. */
  asked: string[];
  /** Recipients it took up. */
  to: string[];
  /** Recipients it refused for good. */
  refused: string[];
  /** Null where no final dot was read. */
  dot: SeenDot | null;
  /** It took responsibility, whether or not it said so. */
  taken: boolean;
};

/** `at` by `performance.now()`, `labAt` by the lab's clock. A request over HTTP says neither Message-ID nor bytes: null. */
export type SeenDot = {
  messageId: string | null;
  sha256: string | null;
  subjects: string[];
  at: number;
  labAt: number;
};

export type Relay = {
  /** Of the RELAYS_FILE, where there are several. */
  readonly path?: string;
  readonly port: number;
  readonly transactions: Transaction[];
  /** Moods from now on. */
  moods: Mood[];
  /** One connection in so many is met with silence or a goodbye; 0: none. */
  badGreetings: number;
  /** One handshake in so many fails; 0: none. Only where it speaks TLS at all. */
  badHandshakes: number;
  /** Nobody is greeted before it resolves. */
  greeting: Promise<void> | null;
  readonly connections: number;
  /** Final dots it has read. */
  readonly dots: number;
  /** Some dot has been read and will still be answered. */
  readonly isThinking: boolean;
  close(): Promise<void>;
};

export type RelayOptions = {
  random: Random;
  clock: LabClock;
  thinking: Thinking;
  moods: Mood[];
  tls?: 'starttls';
  /** Of one among several, which write into the same list. */
  name?: string;
  transactions?: Transaction[];
};

export async function startRelay({ name, transactions = [], ...options }: RelayOptions): Promise<Relay> {
  const { random, clock, thinking, moods, tls } = options;
  const byNumber = new Map<number, Transaction>();
  let sink: Sink;
  const relay: Relay = {
    get port() {
      return sink.port;
    },
    get connections() {
      return sink.connections;
    },
    get dots() {
      return sink.dots;
    },
    greeting: null,
    get isThinking() {
      return thinking.size > 0;
    },
    transactions,
    moods,
    badGreetings: 0,
    badHandshakes: 0,
    close: () => sink.close(),
  };

  function behave(context: Context): Mode {
    const mood = pick(relay.moods, random);
    const one: Transaction = {
      number: context.transaction,
      ...(name === undefined ? {} : { relay: name }),
      mood,
      asked: context.asked,
      to: context.to,
      refused: [],
      dot: null,
      taken: false,
    };
    transactions.push(one);
    byNumber.set(one.number, one);
    return watched(mood.mode(random), one);
  }

  function onDot({ transaction, messageId, bytes }: Dot): void {
    const one = byNumber.get(transaction);
    if (!one) return;
    const whole = bytes();
    const subjects = [...whole.toString('latin1').matchAll(/^subject: (.*)$/gim)].map((match) => match[1] ?? '');
    const at = { at: performance.now(), labAt: clock.now() };
    one.dot = { messageId, sha256: hash('sha256', whole, 'hex'), subjects, ...at };
  }

  function oneIn(many: number): boolean {
    return many > 0 && random() < 1 / many;
  }

  function greet(): Act | undefined {
    if (relay.greeting) return { when: relay.greeting };
    if (!oneIn(relay.badGreetings)) return undefined;
    return random() < 0.5 ? { leave: 'close' } : { say: '421 4.3.2 too busy\r\n', leave: 'close' };
  }

  function onTaken(transaction: number): void {
    const one = byNumber.get(transaction);
    if (one) one.taken = true;
  }

  const breaksTls = () => oneIn(relay.badHandshakes);
  sink = await startSink({ keepBytes: false, behave, onDot, onTaken, greet, tls, breaksTls });
  return relay;
}

/** Writes down what RCPT was refused for good with. */
function watched(mode: Mode, one: Transaction): Mode {
  const { rcpt } = mode;
  if (!rcpt) return mode;
  return {
    ...mode,
    rcpt: (address) => {
      const reply = rcpt(address);
      if (reply?.startsWith('5')) one.refused.push(address);
      return reply;
    },
  };
}
