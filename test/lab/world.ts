/** What is around any life of the program: clients, a relay, an endpoint that is told, and whoever examines it all at the end. */

import assert from 'node:assert/strict';
import { createRandom, type Random } from '../support/random.ts';
import type { Receiver } from '../support/receiver.ts';
import { type Books, deliveriesIn } from './books.ts';
import { type Evidence, examine, type Finding } from './checker.ts';
import { startListener, unheard, untold } from './listener.ts';
import { Load, pause } from './load.ts';
import { createMoods, type Mood, type Thinking } from './moods.ts';
import { runCommand, type Setting } from './program.ts';
import { type Relay, startRelay } from './relay.ts';

export type LifeOptions = {
  seed: number;
  policy?: Evidence['policy'];
  /** How the relay is; a calm one where it is not said. */
  moods?: (thinking: Thinking) => Mood[];
  /** One connection in so many is greeted badly. */
  badGreetings?: number;
  /** The relay speaks TLS, and one handshake in so many fails. */
  badHandshakes?: number;
  /** Another program than the real one. */
  command?: string[];
  /** How many times faster its clock runs: the lab's own server only. */
  speed?: number;
  clients?: number;
  /** An endpoint is told of everything that happens. */
  isHeard?: boolean;
};

export type Findings = Finding & { told: number; keys: number; replays: number; aborts: number; interrupted: number };

/** How long everything may take to leave at the end. */
const drainMs = 240_000;

/** Most of what is open at the end leaves in this time; the rest waits for its next try. */
const skipMs = 8_000;

const calm = (thinking: Thinking) => createMoods(thinking).slice(0, 1);

/** Most relays answer at once; some think before the dot is answered, or before they want the body. */
export const thoughtful = (thinking: Thinking) =>
  createMoods(thinking).filter(({ name }) => ['accept', 'thinks', 'slowData'].includes(name));

export type Surroundings = { random: Random; relay: Relay; listener: Receiver | null };

export async function surround(options: LifeOptions): Promise<Surroundings> {
  const random = createRandom(options.seed);
  const thinking: Thinking = new Set();
  const tls = options.badHandshakes === undefined ? undefined : 'starttls';
  const relay = await startRelay(random, thinking, (options.moods ?? calm)(thinking), tls);
  relay.badGreetings = options.badGreetings ?? 0;
  relay.badHandshakes = options.badHandshakes ?? 0;
  return { random, relay, listener: options.isHeard ? await startListener(random) : null };
}

export abstract class World {
  readonly random: Random;
  readonly load: Load;
  readonly relay: Relay;
  readonly listener: Receiver | null;
  readonly books: Books;
  readonly setting: Setting;
  /** Emails that were handed off and without a verdict when a process was killed. */
  readonly interrupted = new Set<string>();
  readonly #policy: Evidence['policy'];

  constructor(options: LifeOptions, { random, relay, listener }: Surroundings, books: Books) {
    this.random = random;
    this.relay = relay;
    this.listener = listener;
    this.books = books;
    this.#policy = options.policy ?? 'hold';
    this.load = new Load({ random, target: () => this.target(), clients: options.clients });
    this.setting = {
      databaseUrl: books.url,
      relayUrl: `smtp://127.0.0.1:${relay.port}`,
      environment: {
        IN_DOUBT: this.#policy,
        LAB_SPEED: String(options.speed ?? 1),
        LAB_EPOCH: String(Date.now()),
        EGRESS_ALLOW: '127.0.0.0/8',
      },
    };
  }

  /** At what can be seen from outside, before it is examined. */
  protected async lastLook(): Promise<void> {}

  /** Makes it later, where waiting would take too long. */
  protected async skipAhead(): Promise<void> {}

  /** Where a request is sent now; null while nobody listens. */
  protected abstract target(): string | null;

  /** Ends the load, lets everything leave through a relay that is well again, and examines. The program must be up. */
  async examine(): Promise<Findings> {
    await this.load.end();
    this.relay.moods = calm(new Set());
    this.relay.badGreetings = 0;
    this.relay.badHandshakes = 0;
    await this.#drained();
    await this.lastLook();
    const { operations, aborts, replays } = this.load;
    const { transactions } = this.relay;
    const { books, interrupted } = this;
    const finding = await examine({ operations, transactions, books, policy: this.#policy, interrupted });
    const before = transactions.length;
    await this.load.repeatAll();
    const violations = [
      ...this.load.violations,
      ...finding.violations,
      ...notListed(await runCommand(this.setting, 'queue'), await deliveriesIn(books, 'in_doubt')),
      ...(await books.faults()).map((fault) => `the database is broken: ${fault}`),
      ...(this.listener ? await unheard(books, this.listener) : []),
    ];
    if (transactions.length !== before) violations.push('a repeated request made another mail leave');
    return {
      ...finding,
      told: this.listener?.told.length ?? 0,
      keys: operations.length,
      replays,
      aborts,
      interrupted: interrupted.size,
      violations,
    };
  }

  async #drained(): Promise<void> {
    const giveUpAt = performance.now() + drainMs;
    let skipAt = performance.now() + skipMs;
    const doubtEnds = this.#policy === 'send-again';
    for (;;) {
      const open = await deliveriesIn(
        this.books,
        ...(['queued', 'sending', 'handoff'] as const),
        ...(doubtEnds ? (['in_doubt'] as const) : []),
      );
      const isTold = !this.listener || (await untold(this.books)) === 0;
      if (open.length === 0 && !this.relay.isThinking && isTold) return;
      assert(performance.now() < giveUpAt, `${open.length} deliveries do not come to an end`);
      if (performance.now() > skipAt) {
        await this.skipAhead();
        skipAt = performance.now() + skipMs;
      }
      await pause(50);
    }
  }

  /** After the processes: nobody is answered, hears or is heard any more. */
  protected async close(): Promise<void> {
    this.load.abandon();
    await this.relay.close();
    await this.listener?.close();
  }
}

/** The command line shows the number, and names the first hundred. */
function notListed(listed: string, inDoubt: string[]): string[] {
  const violations: string[] = [];
  if (!listed.startsWith(`${inDoubt.length} in_doubt `))
    violations.push(`sendonce queue says ${listed.split('\n')[0]}`);
  const named = inDoubt.filter((id) => new RegExp(`^in_doubt +${id}`, 'm').test(listed));
  if (named.length < Math.min(inDoubt.length, 100)) violations.push(`sendonce queue names ${named.length} in doubt`);
  return violations;
}
