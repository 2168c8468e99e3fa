/** What is around any life of the program: clients, a relay, an endpoint that is told, and whoever examines it all at the end. */

import assert from 'node:assert/strict';
import { createRandom, type Random } from '../support/random.ts';
import { type Books, countFailovers, deliveriesIn, underWayIn } from './books.ts';
import { type Evidence, examine, type Finding } from './checker.ts';
import { type Deed, type Deeds, noDeeds } from './deeds.ts';
import { Hooks } from './hooks.ts';
import { LabClock } from './lab-clock.ts';
import { Load, pause } from './load.ts';
import { createMoods, type Mood, type Thinking } from './moods.ts';
import { mixtureFor, People } from './people.ts';
import { runCommand, type Setting } from './program.ts';
import { type Relay, startRelay } from './relay.ts';
import { startRouted } from './routed.ts';

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
  command?: string[] | undefined;
  /** More of its environment. */
  environment?: Record<string, string>;
  /** Where a SQLite file lies, instead of in a temporary folder. */
  folder?: string;
  /** How many times faster its clock runs: the lab's own server only. */
  speed?: number;
  clients?: number;
  /** How long most clients wait for an answer. */
  answerMs?: number;
  /** The share of clients that now and then ask for something else under a key that was answered. */
  trespassing?: number;
  /** How long a client rests between two operations, at most; where it is not said, hardly. */
  restMs?: number;
  /** An endpoint is told of everything that happens. */
  isHeard?: boolean;
  /** Two relays and an upstream, and a route along them. */
  isRouted?: boolean;
  /** Beside the load, people cancel, reschedule, settle doubts, suppress, change webhooks and revoke keys. */
  hasPeople?: boolean;
};

export type Findings = Finding & {
  told: number;
  keys: number;
  replays: number;
  aborts: number;
  interrupted: number;
  /** Events of mails that moved on from a relay to another one. */
  failovers: number;
  /** What people were told was done, by kind. */
  done: Record<string, number>;
};

/** How long everything may take to leave at the end. */
const drainMs = 240_000;

/** Most of what is open at the end leaves in this time; the rest waits for its next try. */
const skipMs = 4_500;

/** Longer than any pause between two tries, and less than keys live. */
const skippedMsMax = 11 * 3_600_000;

const calm = (thinking: Thinking) => createMoods(thinking).slice(0, 1);

/** Most relays answer at once; some think before the dot is answered, or before they want the body. */
export const thoughtful = (thinking: Thinking) =>
  createMoods(thinking).filter(({ name }) => ['accept', 'thinks', 'slowData'].includes(name));

export type Surroundings = { random: Random; relay: Relay; clock: LabClock };

export async function surround(options: LifeOptions): Promise<Surroundings> {
  const random = createRandom(options.seed);
  const thinking: Thinking = new Set();
  const clock = new LabClock(options.speed ?? 1);
  const moods = (options.moods ?? calm)(thinking);
  const tls = options.badHandshakes === undefined ? {} : { tls: 'starttls' as const };
  const start = options.isRouted ? startRouted : startRelay;
  const relay = await start({ random, clock, thinking, moods, ...tls });
  relay.badGreetings = options.badGreetings ?? 0;
  relay.badHandshakes = options.badHandshakes ?? 0;
  return { random, relay, clock };
}

export abstract class World {
  readonly random: Random;
  readonly load: Load;
  readonly relay: Relay;
  readonly books: Books;
  readonly clock: LabClock;
  readonly setting: Setting & { environment: Record<string, string> };
  /** Emails that were handed off and without a verdict when a process was killed. */
  readonly interrupted = new Set<string>();
  /** How many of the processes that were killed had an email in hand, its gate still shut. */
  readonly #cutShort = new Map<string, number>();
  readonly #options: LifeOptions;
  readonly #policy: Evidence['policy'];
  #begun: Promise<void> | null = null;
  #rested: Promise<void> | null = null;
  #hooks: Hooks | null = null;
  #people: People | null = null;

  constructor(options: LifeOptions, { random, relay, clock }: Surroundings, books: Books) {
    this.random = random;
    this.relay = relay;
    this.books = books;
    this.clock = clock;
    this.#options = options;
    this.#policy = options.policy ?? 'hold';
    this.load = new Load({
      random,
      target: () => this.target(),
      clients: options.clients,
      answerMs: options.answerMs,
      trespassing: options.trespassing,
      restMs: options.restMs,
      ...(options.hasPeople ? { mixture: mixtureFor(random, clock), token: () => this.#people?.token() ?? null } : {}),
    });
    this.setting = {
      databaseUrl: books.url,
      // With a RELAYS_FILE there is none.
      relayUrl: relay.path === undefined ? `smtp://127.0.0.1:${relay.port}` : '',
      environment: {
        IN_DOUBT: this.#policy,
        LAB_SPEED: String(clock.speed),
        LAB_EPOCH: String(clock.epoch),
        EGRESS_ALLOW: '127.0.0.0/8',
        ...(relay.path === undefined ? {} : { RELAYS_FILE: relay.path }),
        ...options.environment,
      },
    };
  }

  get deeds(): Deeds {
    return this.#people?.deeds ?? noDeeds();
  }

  /** From now on everybody talks to the server, as soon as one is up. */
  begin(): void {
    this.load.start();
    this.#begun = this.#invite();
  }

  async #invite(): Promise<void> {
    const { random, books, clock, load, setting } = this;
    const { isHeard, hasPeople } = this.#options;
    if (!isHeard && !hasPeople) return;
    const target = () => this.target();
    const hooks = await Hooks.start(random, books, target);
    this.#hooks = hooks;
    if (isHeard) await hooks.hearAll();
    if (!hasPeople) return;
    this.#people = new People({ random, clock, target, load, hooks, setting });
    this.#people.start();
  }

  /** At what can be seen from outside, before it is examined. */
  protected async lastLook(): Promise<void> {}

  /** Makes it later, where waiting would take too long. */
  protected async skipAhead(): Promise<void> {}

  /** To when the last thing that waits is due, for processes that start from now on; none may be running. */
  protected async skip(): Promise<void> {
    const latest = this.clock.now() + skippedMsMax;
    const [due] = await this.books.rows<{ at: number | null }>(`select max(run_at) as at from (
      select run_at from deliveries where state in ('queued', 'in_doubt')
      union all select run_at from webhook_deliveries where state = 'pending') as waiting where run_at < ${latest}`);
    this.clock.skip(Math.max(0, (due?.at ?? 0) - this.clock.now()));
    this.setting.environment.LAB_EPOCH = String(this.clock.epoch);
  }

  /** Where a request is sent now; null while nobody listens. */
  protected abstract target(): string | null;

  protected noteCutShort(email: string): void {
    this.#cutShort.set(email, (this.#cutShort.get(email) ?? 0) + 1);
  }

  /** Ends the load, and lets everything leave through a relay that is well again. The program must be up. */
  rest(): Promise<void> {
    this.#rested ??= this.#rest();
    return this.#rested;
  }

  async #rest(): Promise<void> {
    await this.#begun;
    await this.load.end();
    await this.#people?.end();
    this.relay.moods = calm(new Set());
    this.relay.badGreetings = 0;
    this.relay.badHandshakes = 0;
    this.#hooks?.calm();
  }

  /** Waits until everything has come to an end, with all that endpoints are to be told where it is wanted, and examines. */
  async examine({ awaitsTellings = true } = {}): Promise<Findings> {
    await this.rest();
    await this.#drained(awaitsTellings);
    await this.lastLook();
    const { operations, keyUses, aborts, replays } = this.load;
    const { transactions } = this.relay;
    const { books, interrupted } = this;
    const cutShort = this.#cutShort;
    const { deeds } = this;
    const { speed } = this.clock;
    const policy = this.#policy;
    const finding = await examine({
      operations,
      transactions,
      books,
      policy,
      interrupted,
      cutShort,
      deeds,
      keyUses,
      speed,
    });
    const before = transactions.length;
    await this.load.repeatAll();
    const violations = [
      ...this.load.violations,
      ...finding.violations,
      ...notListed(await runCommand(this.setting, ['queue']), await deliveriesIn(books, 'in_doubt')),
      ...(await books.faults()).map((fault) => `the database is broken: ${fault}`),
      ...((await this.#hooks?.judge()) ?? []),
    ];
    if (transactions.length !== before) violations.push('a repeated request made another mail leave');
    return {
      ...finding,
      told: this.#hooks?.receiver.told.length ?? 0,
      keys: operations.length,
      replays,
      aborts,
      interrupted: interrupted.size,
      failovers: await countFailovers(books),
      done: countDone(deeds),
      violations,
    };
  }

  async #drained(awaitsTellings: boolean): Promise<void> {
    const giveUpAt = performance.now() + drainMs;
    let patientMs = skipMs;
    let skipAt = performance.now() + patientMs;
    let fewest = Number.POSITIVE_INFINITY;
    for (;;) {
      const open = await underWayIn(this.books);
      const untold = (awaitsTellings && (await this.#hooks?.untold())) || { count: 0, some: [] };
      if (open.length === 0 && !this.relay.isThinking && untold.count === 0) return;
      const named = () => open.slice(0, 5).map(({ email, state }) => `${email} ${state}`);
      const left = () => `${open.length} deliveries (${named()}), ${untold.count} tellings: ${untold.some}`;
      assert(performance.now() < giveUpAt, `at ${this.clock.now()} do not come to an end: ${left()}`);
      // Time is skipped, and with it processes end, only where nothing happens before a moment that is still to come.
      if (open.length + untold.count < fewest) {
        patientMs = skipMs;
        skipAt = performance.now() + patientMs;
      }
      fewest = Math.min(fewest, open.length + untold.count);
      if (performance.now() > skipAt) {
        await this.skipAhead();
        // On a busy machine new processes may take longer than that to do anything.
        patientMs *= 2;
        skipAt = performance.now() + patientMs;
      }
      await pause(50);
    }
  }

  /** After the processes: nobody is answered, hears or is heard any more. */
  protected async close(): Promise<void> {
    this.load.abandon();
    this.#people?.leave();
    await this.relay.close();
    await this.#hooks?.close();
  }
}

function countDone(deeds: Deeds): Record<string, number> {
  const kinds = Object.entries(deeds).map(([kind, all]: [string, Deed[]]) => [
    kind,
    all.filter(({ outcome }) => outcome === 'done').length,
  ]);
  return Object.fromEntries(kinds);
}

/** The command line shows the number, and names the first hundred. */
function notListed(listed: string, inDoubt: string[]): string[] {
  const violations: string[] = [];
  if (!listed.startsWith(`${inDoubt.length} in_doubt `))
    violations.push(`sendonce queue says ${listed.split('\n')[0]}`);
  const named = inDoubt.filter((id) => new RegExp(`^in_doubt( \\(again\\))? +${id}`, 'm').test(listed));
  if (named.length < Math.min(inDoubt.length, 100)) violations.push(`sendonce queue names ${named.length} in doubt`);
  return violations;
}
