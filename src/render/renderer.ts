/**
 * Rendering beside the serving thread: whatever is not provably linear in what a sender wrote is done in threads, under a
 * deadline and an output limit. A thread that exceeds either is ended, and another takes its place when one is needed.
 */

import assert from 'node:assert';
import { AppError } from '../core/error.ts';
import { FairQueue } from './fair-queue.ts';
import type { Input, JobName, Output } from './jobs.ts';
import { Thread, type Told, type WorkResult } from './thread.ts';

/** The numbers stand in config/limits.ts, each with its reason. */
export type RenderLimits = {
  renderMsMax: number;
  renderLaterMsMax: number;
  renderQuickMs: number;
  renderQuickThreads: number;
  renderSlowThreads: number;
  renderIdleMs: number;
  renderOutputCharsMax: number;
  renderHeapMbMax: number;
};

/** Why something was not made: it takes too long, it is or needs too much, or no thread was free in time. */
export type Cut = 'time' | 'size' | 'busy';

export type Made<T> =
  | { kind: 'made'; value: T }
  /** Its author is at fault, and is told so. */
  | { kind: 'refused'; error: AppError }
  | { kind: 'cut'; reason: Cut };

/** Told how each piece of work ended, for metrics. */
export type OnRendered = (name: JobName, outcome: 'made' | Cut, ms: number) => void;

type Job = {
  account: string;
  name: JobName;
  inputs: readonly unknown[];
  chars: number;
  askedAt: number;
  results: WorkResult[];
  /** Ends the wait for it, or its work. */
  deadline: NodeJS.Timeout | null;
  settle: (results: WorkResult[], rest: Cut) => void;
};

type Running = { thread: Thread; job: Job; moment: NodeJS.Timeout | null };

/**
 * What takes longer than a moment is moved aside with its thread, so that what is quick only ever waits behind what is quick;
 * few may be aside at once, and who has most there gives way.
 */
export class Renderer {
  readonly #limits: RenderLimits;
  readonly #onRendered: OnRendered;
  readonly #waiting = new FairQueue<Job>();
  readonly #idle: { thread: Thread; timer: NodeJS.Timeout }[] = [];
  readonly #quick = new Set<Running>();
  /** In the order in which they became slow. */
  readonly #slow = new Set<Running>();
  #isStopped = false;

  constructor(limits: RenderLimits, onRendered: OnRendered = () => {}) {
    this.#limits = limits;
    this.#onRendered = onRendered;
  }

  /** What one request may have rendered: all of it together under one deadline, counted while it waits and is worked on. */
  open(account: string): Rendering {
    return this.#open(account, this.#limits.renderMsMax);
  }

  /** The same for what no client waits for. */
  openLater(account: string): Rendering {
    return this.#open(account, this.#limits.renderLaterMsMax);
  }

  #open(account: string, msMax: number): Rendering {
    return new Rendering(msMax, (name, inputs, msMax) => this.#run(account, name, inputs, msMax));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (let job = this.#waiting.take(); job; job = this.#waiting.take()) this.#settle(job, 'busy');
    const running = [...this.#quick, ...this.#slow];
    const idle = this.#idle.splice(0);
    for (const { timer } of idle) clearTimeout(timer);
    await Promise.all([...running.map((one) => this.#cut(one, 'busy')), ...idle.map(({ thread }) => thread.end())]);
  }

  #run(account: string, name: JobName, inputs: readonly unknown[], msMax: number): Promise<Made<unknown>[]> {
    return new Promise((resolve, reject) => {
      const settle = (results: WorkResult[], rest: Cut) => {
        try {
          resolve(inputs.map((_, index) => madeOf(results[index] ?? { kind: 'cut', reason: rest })));
        } catch (error) {
          reject(error);
        }
      };
      const chars = inputs.reduce<number>((sum, input) => sum + charsOf(input), 0);
      const job: Job = {
        account,
        name,
        inputs,
        chars,
        askedAt: performance.now(),
        results: [],
        deadline: null,
        settle,
      };
      if (this.#isStopped || msMax <= 0) return this.#settle(job, this.#isStopped ? 'busy' : 'time');
      job.deadline = setTimeout(() => this.#tooLate(job), msMax);
      this.#waiting.add(job);
      this.#beginNext();
    });
  }

  #beginNext(): void {
    while (this.#quick.size < this.#limits.renderQuickThreads && !this.#isStopped) {
      const job = this.#waiting.take();
      if (!job) return;
      const idle = this.#idle.pop();
      if (idle) clearTimeout(idle.timer);
      this.#begin(idle?.thread ?? this.#startThread(), job);
    }
  }

  #startThread(): Thread {
    const thread: Thread = new Thread(this.#limits.renderHeapMbMax, {
      ready: () => this.#give(this.#runningOn(thread)),
      told: (told) => this.#told(thread, told),
      gone: () => this.#gone(thread),
    });
    return thread;
  }

  #begin(thread: Thread, job: Job): void {
    const one: Running = { thread, job, moment: null };
    this.#quick.add(one);
    if (thread.isReady) this.#give(one);
  }

  /** A thread that still starts is given nothing, so that it is the next one's where nobody waits for it any more. */
  #give(one: Running | undefined): void {
    if (!one) return;
    const { name, inputs } = one.job;
    one.moment = setTimeout(() => this.#moveAside(one), this.#limits.renderQuickMs);
    one.thread.give({ name, inputs, outputCharsMax: this.#limits.renderOutputCharsMax });
  }

  #told(thread: Thread, { result, isLast }: Exclude<Told, 'ready'>): void {
    const one = this.#runningOn(thread);
    if (!one) return;
    one.job.results.push(result);
    if (!isLast) return;
    this.#forget(one);
    this.#rest(thread);
    this.#settle(one.job, 'time');
    this.#beginNext();
  }

  /** It has ended by itself: what it was at needs more memory than it may. */
  #gone(thread: Thread): void {
    const idle = this.#idle.findIndex((one) => one.thread === thread);
    if (idle !== -1) clearTimeout(this.#idle.splice(idle, 1)[0]?.timer);
    const one = this.#runningOn(thread);
    if (!one) return;
    this.#forget(one);
    this.#settle(one.job, 'size');
    this.#beginNext();
  }

  #tooLate(job: Job): void {
    const one = [...this.#quick, ...this.#slow].find((running) => running.job === job);
    if (one?.thread.isReady) return void this.#cut(one, 'time');
    if (!one) this.#waiting.remove(job);
    else {
      this.#forget(one);
      this.#rest(one.thread);
    }
    this.#settle(job, 'busy');
    this.#beginNext();
  }

  #moveAside(one: Running): void {
    this.#quick.delete(one);
    this.#slow.add(one);
    if (this.#slow.size > this.#limits.renderSlowThreads) void this.#cut(this.#mostAside(), 'time');
    this.#beginNext();
    // The next that is slow must not keep what is quick waiting for a thread to start.
    if (this.#idle.length === 0 && !this.#isStopped) this.#rest(this.#startThread());
  }

  /** The first of the account that has most aside. */
  #mostAside(): Running {
    const counts = new Map<string, number>();
    for (const { job } of this.#slow) counts.set(job.account, (counts.get(job.account) ?? 0) + 1);
    const most = Math.max(...counts.values());
    const found = [...this.#slow].find(({ job }) => counts.get(job.account) === most);
    assert(found, 'somebody is aside');
    return found;
  }

  async #cut(one: Running, reason: Cut): Promise<void> {
    this.#forget(one);
    this.#settle(one.job, reason);
    this.#beginNext();
    await one.thread.end();
  }

  #forget(one: Running): void {
    if (one.moment) clearTimeout(one.moment);
    this.#quick.delete(one);
    this.#slow.delete(one);
  }

  #rest(thread: Thread): void {
    const timer = setTimeout(() => {
      this.#idle.splice(
        this.#idle.findIndex((one) => one.thread === thread),
        1,
      );
      void thread.end();
    }, this.#limits.renderIdleMs);
    timer.unref();
    this.#idle.push({ thread, timer });
  }

  #runningOn(thread: Thread): Running | undefined {
    return [...this.#quick, ...this.#slow].find((one) => one.thread === thread);
  }

  #settle(job: Job, rest: Cut): void {
    if (job.deadline) clearTimeout(job.deadline);
    const cut = job.results.find((one) => one.kind === 'cut');
    const isWhole = job.results.length === job.inputs.length;
    this.#onRendered(job.name, isWhole ? (cut?.reason ?? 'made') : rest, performance.now() - job.askedAt);
    job.settle(job.results, rest);
  }
}

type Run = (name: JobName, inputs: readonly unknown[], msMax: number) => Promise<Made<unknown>[]>;

/** The rendering of one request. */
export class Rendering {
  #msLeft: number;
  readonly #run: Run;

  constructor(msMax: number, run: Run) {
    this.#msLeft = msMax;
    this.#run = run;
  }

  /** Made one after the other in one thread; a result for each. What is behind one that is cut is cut for the same reason. */
  async run<Name extends JobName>(name: Name, inputs: readonly Input<Name>[]): Promise<Made<Output<Name>>[]> {
    if (inputs.length === 0) return [];
    const since = performance.now();
    const made = await this.#run(name, inputs, this.#msLeft);
    this.#msLeft -= performance.now() - since;
    return made as Made<Output<Name>>[];
  }
}

function madeOf(result: WorkResult | { kind: 'cut'; reason: Cut }): Made<unknown> {
  switch (result.kind) {
    case 'made':
    case 'cut':
      return result;
    case 'refused':
      return { kind: 'refused', error: new AppError(result.code, result.message) };
    case 'failed':
      throw new Error(`A renderer thread failed: ${result.message}`);
    default:
      return result satisfies never;
  }
}

function charsOf(input: unknown): number {
  if (typeof input === 'string') return input.length;
  if (input instanceof Uint8Array) return input.length;
  if (typeof input !== 'object' || input === null) return 1;
  return Object.values(input).reduce<number>((sum, part) => sum + charsOf(part), 0);
}
