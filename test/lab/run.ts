/** A life of the program under load: started, killed, stopped, drained, and examined against what clients and relay have seen. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createRandom, type Random } from '../support/random.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import type { Act, Mode } from '../support/smtp-sink-modes.ts';
import { createTemp } from '../support/temp.ts';
import { Load, pause } from './load.ts';
import {
  deliveriesIn,
  type Ended,
  type Program,
  readColumn,
  runCommand,
  type Setting,
  startProgram,
} from './program.ts';

export type Findings = {
  keys: number;
  emails: number;
  mails: number;
  inDoubt: number;
  /** Hand-offs that kills have interrupted: as many may be in doubt. */
  interrupted: number;
  replays: number;
  aborts: number;
  violations: string[];
};

/** How long everything may take to leave at the end. */
const drainMs = 120_000;

export class Run {
  readonly random: Random;
  readonly load: Load;
  /** Emails that were in `handoff` when the program was killed. */
  readonly interrupted = new Set<string>();
  readonly #temp = createTemp();
  /** Undefined: the real program. */
  readonly #command: string[] | undefined;
  readonly #sink: Sink;
  /** Dots that the relay has read and not answered. */
  readonly #thinking: Set<Act>;
  readonly #setting: Setting;
  #program: Program | null = null;
  #url: string | null = null;

  static async start(seed: number, command?: string[]): Promise<Run> {
    const random = createRandom(seed);
    const thinking = new Set<Act>();
    const sink = await startSink({ keepBytes: false, behave: () => moodOf(random, thinking) });
    return new Run(random, sink, thinking, command);
  }

  private constructor(random: Random, sink: Sink, thinking: Set<Act>, command?: string[]) {
    this.#command = command;
    this.random = random;
    this.#thinking = thinking;
    this.load = new Load({ random, target: () => this.#url });
    this.#sink = sink;
    this.#setting = {
      databasePath: this.#temp.path('crash.db'),
      relayUrl: `smtp://127.0.0.1:${sink.port}`,
    };
  }

  /** Without waiting until it listens. */
  spawn(): Program {
    this.#program = startProgram(this.#setting, this.#command);
    return this.#program;
  }

  /** Resolves when it listens. */
  async up(): Promise<Program> {
    const program = this.spawn();
    this.#url = await program.listening;
    assert(this.#url, `the program starts:\n${program.words()}`);
    return program;
  }

  /** kill -9; notes what was handed off at that moment and had no verdict. */
  async kill(program: Program): Promise<void> {
    program.signal('SIGKILL');
    await this.#gone(program);
    // A relay that finds its client gone may keep the mail or drop it: nobody will ever be told which.
    for (const act of this.#thinking) act.accept = this.random() < 0.5;
    for (const email of this.#open('handoff')) this.interrupted.add(email);
  }

  /** SIGTERM; resolves with how it ended. */
  async terminate(program: Program): Promise<Ended> {
    program.signal('SIGTERM');
    return this.#gone(program);
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
    const { databasePath } = this.#setting;
    if (!existsSync(databasePath)) return [];
    const tables = readColumn(databasePath, `select name from sqlite_master where name = 'deliveries'`);
    return tables.length === 0 ? [] : deliveriesIn(databasePath, ...states);
  }

  /** Ends the load, lets everything leave, and counts. The program must be up. */
  async examine(): Promise<Findings> {
    await this.load.end();
    await this.#drained();
    const findings = this.#count();
    await this.load.repeatAll();
    const listed = await runCommand(this.#setting, 'queue');
    const inDoubt = deliveriesIn(this.#setting.databasePath, 'in_doubt');
    const violations = [...this.load.violations, ...findings.violations, ...notListed(listed, inDoubt)];
    if (this.#sink.count !== findings.mails) violations.push('a repeated request made another mail leave');
    return { ...findings, replays: this.load.replays, violations };
  }

  async #drained(): Promise<void> {
    const giveUpAt = performance.now() + drainMs;
    for (;;) {
      const open = deliveriesIn(this.#setting.databasePath, 'queued', 'sending', 'handoff');
      if (open.length === 0) return;
      assert(performance.now() < giveUpAt, `${open.length} deliveries do not come to an end`);
      await pause(50);
    }
  }

  #count(): Findings {
    const { operations, aborts } = this.load;
    const { databasePath } = this.#setting;
    const violations: string[] = [];
    const acknowledged = operations.flatMap((operation) => idsOf(operation.answer));
    const wanted = operations.reduce((sum, operation) => sum + operation.count, 0);
    const stored = new Set(readColumn(databasePath, 'select id from emails'));
    const inDoubt = new Set(deliveriesIn(databasePath, 'in_doubt'));
    if (new Set(acknowledged).size !== wanted) violations.push(`${wanted} emails were asked for`);
    if (stored.size !== wanted) violations.push(`${wanted} emails were asked for, ${stored.size} are stored`);
    const sent = new Set(deliveriesIn(databasePath, 'sent'));
    for (const id of acknowledged) {
      if (!stored.has(id)) violations.push(`${id} was acknowledged and is lost`);
      const copies = this.#sink.copies(`<${id}@resend.dev>`);
      if (copies > 1) violations.push(`${id} left ${copies} times`);
      if (copies === 0 && !inDoubt.has(id)) violations.push(`${id} never left, and is not in doubt`);
      if (sent.has(id) === inDoubt.has(id)) violations.push(`${id} is neither sent nor in doubt, or both`);
    }
    for (const id of inDoubt)
      if (!this.interrupted.has(id)) violations.push(`${id} is in doubt, and no kill explains it`);
    return {
      keys: operations.length,
      emails: stored.size,
      mails: this.#sink.count,
      inDoubt: inDoubt.size,
      interrupted: this.interrupted.size,
      replays: this.load.replays,
      aborts,
      violations,
    };
  }

  async destroy(): Promise<void> {
    this.load.abandon();
    const program = this.#program;
    if (program) {
      program.signal('SIGKILL');
      await program.ended;
    }
    await this.#sink.close();
    this.#temp.remove();
  }
}

/** Most relays answer at once; some think before the dot is answered, or before they want the body. */
function moodOf(random: Random, thinking: Set<Act>): Mode {
  const mood = random();
  if (mood < 0.6) return {};
  const when = pause(1 + random() * 60);
  if (mood > 0.95) return { data: { when, say: '354 at last\r\n' } };
  const dot: Act = { accept: true };
  thinking.add(dot);
  dot.when = when.then(() => thinking.delete(dot));
  return { dot };
}

function idsOf(answer: string | null): string[] {
  if (answer === null) return [];
  const json = JSON.parse(answer) as { id?: string; data?: { id: string }[] };
  return json.data ? json.data.map((one) => one.id) : [json.id ?? ''];
}

/** The command line shows the number, and names the first hundred. */
function notListed(listed: string, inDoubt: string[]): string[] {
  const violations: string[] = [];
  if (!listed.startsWith(`${inDoubt.length} in_doubt `))
    violations.push(`sendonce queue says ${listed.split('\n')[0]}`);
  const named = inDoubt.filter((id) => new RegExp(`^in_doubt +${id}`, 'm').test(listed));
  if (named.length !== Math.min(inDoubt.length, 100)) violations.push(`sendonce queue names ${named.length} in doubt`);
  return violations;
}
