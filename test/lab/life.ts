/** A life of the program under load: started, killed, stopped, paused, drained, and then examined. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createRandom, type Random } from '../support/random.ts';
import type { Receiver } from '../support/receiver.ts';
import { createTemp } from '../support/temp.ts';
import { type Evidence, examine, type Finding } from './checker.ts';
import { listen, startListener, unheard, untold } from './listener.ts';
import { Load, pause } from './load.ts';
import { createMoods, type Mood, type Thinking } from './moods.ts';
import {
  deliveriesIn,
  type Ended,
  type Program,
  readColumn,
  runCommand,
  type Setting,
  startProgram,
} from './program.ts';
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
const drainMs = 120_000;

const calm = (thinking: Thinking) => createMoods(thinking).slice(0, 1);

/** Most relays answer at once; some think before the dot is answered, or before they want the body. */
export const thoughtful = (thinking: Thinking) =>
  createMoods(thinking).filter(({ name }) => ['accept', 'thinks', 'slowData'].includes(name));

export class Life {
  readonly random: Random;
  readonly load: Load;
  readonly relay: Relay;
  /** Emails that were in `handoff` when the program was killed. */
  readonly interrupted = new Set<string>();
  readonly setting: Setting;
  readonly #temp = createTemp();
  readonly #listener: Receiver | null;
  #isListened = false;
  readonly #options: LifeOptions;
  #program: Program | null = null;
  #url: string | null = null;

  static async start(options: LifeOptions): Promise<Life> {
    const random = createRandom(options.seed);
    const thinking: Thinking = new Set();
    const tls = options.badHandshakes === undefined ? undefined : 'starttls';
    const relay = await startRelay(random, thinking, (options.moods ?? calm)(thinking), tls);
    relay.badGreetings = options.badGreetings ?? 0;
    relay.badHandshakes = options.badHandshakes ?? 0;
    return new Life(options, random, relay, options.isHeard ? await startListener(random) : null);
  }

  private constructor(options: LifeOptions, random: Random, relay: Relay, listener: Receiver | null) {
    this.#listener = listener;
    this.#options = options;
    this.random = random;
    this.relay = relay;
    this.load = new Load({ random, target: () => this.#url, clients: options.clients });
    this.setting = {
      databasePath: this.#temp.path('lab.db'),
      relayUrl: `smtp://127.0.0.1:${relay.port}`,
      environment: {
        IN_DOUBT: options.policy ?? 'hold',
        LAB_SPEED: String(options.speed ?? 1),
        LAB_EPOCH: String(Date.now()),
        EGRESS_ALLOW: '127.0.0.0/8',
      },
    };
  }

  get databasePath(): string {
    return this.setting.databasePath;
  }

  /** Null while it is down. */
  get url(): string | null {
    return this.#url;
  }

  /** Without waiting until it listens. */
  spawn(): Program {
    this.#program = startProgram(this.setting, this.#options.command);
    return this.#program;
  }

  /** Resolves when it listens. */
  async up(): Promise<Program> {
    const program = this.spawn();
    this.#url = await program.listening;
    assert(this.#url, `the program starts:\n${program.words()}`);
    if (this.#listener && !this.#isListened) await listen(this.#listener, this.#url);
    this.#isListened = true;
    return program;
  }

  /** kill -9; notes what was handed off at that moment and had no verdict. */
  async kill(program: Program): Promise<void> {
    program.signal('SIGKILL');
    await this.#gone(program);
    // A relay that finds its client gone may keep the mail or drop it: nobody will ever be told which.
    this.relay.clientsDied();
    for (const email of this.#open('handoff')) this.interrupted.add(email);
  }

  /** SIGTERM; resolves with how it ended. */
  async terminate(program: Program): Promise<Ended> {
    program.signal('SIGTERM');
    return this.#gone(program);
  }

  /** The next program waits for the lock while this one stops. Resolves when the next one listens. */
  async handOver(program: Program): Promise<{ next: Program; ended: Ended }> {
    const next = startProgram(this.setting, this.#options.command);
    program.signal('SIGTERM');
    const ended = await program.ended;
    this.#program = next;
    this.#url = await next.listening;
    assert(this.#url, `the next program starts:\n${next.words()}`);
    return { next, ended };
  }

  async #gone(program: Program): Promise<Ended> {
    const ended = await program.ended;
    this.#url = null;
    this.#program = null;
    return ended;
  }

  /** Email ids of deliveries that a process which ended cleanly may not leave behind. */
  openHandoffs(): string[] {
    return this.#open('handoff', 'sending', 'in_doubt');
  }

  /** A program that was killed before its first commit has left no schema yet, or no file. */
  #open(...states: Parameters<typeof deliveriesIn>[1][]): string[] {
    if (!existsSync(this.databasePath)) return [];
    const tables = readColumn(this.databasePath, `select name from sqlite_master where name = 'deliveries'`);
    return tables.length === 0 ? [] : deliveriesIn(this.databasePath, ...states);
  }

  /** Ends the load, lets everything leave through a relay that is well again, and examines. The program must be up. */
  async examine(): Promise<Findings> {
    await this.load.end();
    this.relay.moods = calm(new Set());
    this.relay.badGreetings = 0;
    this.relay.badHandshakes = 0;
    await this.drained();
    const { operations, aborts, replays } = this.load;
    const finding = examine({
      operations,
      transactions: this.relay.transactions,
      databasePath: this.databasePath,
      policy: this.#options.policy ?? 'hold',
      interrupted: this.interrupted,
    });
    const before = this.relay.transactions.length;
    await this.load.repeatAll();
    const listed = await runCommand(this.setting, 'queue');
    const violations = [
      ...this.load.violations,
      ...finding.violations,
      ...notListed(listed, deliveriesIn(this.databasePath, 'in_doubt')),
      ...integrity(this.databasePath),
      ...(this.#listener ? unheard(this.databasePath, this.#listener) : []),
    ];
    if (this.relay.transactions.length !== before) violations.push('a repeated request made another mail leave');
    return {
      ...finding,
      told: this.#listener?.told.length ?? 0,
      keys: operations.length,
      replays,
      aborts,
      interrupted: this.interrupted.size,
      violations,
    };
  }

  async drained(): Promise<void> {
    const giveUpAt = performance.now() + drainMs;
    const doubtEnds = this.#options.policy === 'send-again';
    for (;;) {
      const open = this.#open('queued', 'sending', 'handoff', ...(doubtEnds ? (['in_doubt'] as const) : []));
      const isTold = !this.#listener || untold(this.databasePath) === 0;
      if (open.length === 0 && !this.relay.isThinking && isTold) return;
      assert(performance.now() < giveUpAt, `${open.length} deliveries do not come to an end`);
      await pause(50);
    }
  }

  async destroy(): Promise<void> {
    this.load.abandon();
    const program = this.#program;
    if (program) {
      program.signal('SIGKILL');
      await program.ended;
    }
    await this.relay.close();
    await this.#listener?.close();
    this.#temp.remove();
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

function integrity(databasePath: string): string[] {
  const words = readColumn(databasePath, 'pragma integrity_check');
  return words.join() === 'ok' ? [] : [`the database is broken: ${words}`];
}
