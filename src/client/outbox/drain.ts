/** The drain: turns the rows of an outbox into requests, each under the key it goes by for ever, until each is answered. */

import { randomUUID } from 'node:crypto';
import type { OutboxDatabase } from './engine.ts';
import { type Operation, type OutboxRequest, requestOf } from './operation.ts';
import { type ClaimTerms, claimRows, hasClaims, renewClaim, type Settlement, settleRows } from './rows.ts';
import { type Judged, judgeAnswer, judgeSilence, judgeUnsendable } from './settlements.ts';

export type DrainTerms = {
  /** Where Sendonce is, or one of the real services. */
  to: string;
  key: string;
  /** Ends when nothing is due, instead of waiting for more. */
  once?: boolean;
  /** Claims that are worked on at once. */
  lanes?: number;
  /** Requests a second; null: as many as are answered. */
  ratePerSecond?: number | null;
  /** How long keys are sure to live where rows are sent to, counted from a request that may have been accepted. */
  keyLifetimeMs?: Partial<ClaimTerms['keyLifetimeMs']>;
  /** Ends it, with what is under way being answered first. */
  signal?: AbortSignal;
  onProgress?: (progress: DrainProgress) => void;
  /** What a test has no time for. */
  leaseMs?: number;
  backOffMaxMs?: number;
};

/** Since the drain began; rows may be counted as `later` more than once. */
export type DrainProgress = { sent: number; parked: number; later: number; trouble: string | null };

const lanesDefault = 4;

/** A dead drain's rows are free after this and one poll: within ten seconds. */
const leaseDefaultMs = 8_000;

const pollMs = 1_000;

/** An answer that takes longer may still come; the repeat gets the same one. */
const answerTimeoutMs = 30_000;

/** Requests of one claim that are under way at once, where rows go one by one. */
const atOnce = 8;

/** Clocks of two machines differ, and a request takes its time. */
const keyMarginMs = 2 * 60_000;
const hourMs = 60 * 60_000;
const contractLifetimeMs = { resend: 24 * hourMs, brevo: hourMs / 2 };

export async function runDrain(database: OutboxDatabase, terms: DrainTerms): Promise<DrainProgress> {
  const drain = new Drain(database, terms);
  return drain.run();
}

class Drain {
  readonly #database: OutboxDatabase;
  readonly #terms: DrainTerms;
  readonly #claimTerms: Omit<ClaimTerms, 'claim'>;
  readonly #progress: DrainProgress = { sent: 0, parked: 0, later: 0, trouble: null };
  readonly #sleepers = new Set<() => void>();
  #working = 0;
  #turns = 0;
  #workedAt = performance.now();
  #pausedUntil = 0;
  #nextSlotAt = 0;
  #isOver = false;

  constructor(database: OutboxDatabase, terms: DrainTerms) {
    this.#database = database;
    this.#terms = terms;
    const { resend, brevo } = { ...contractLifetimeMs, ...terms.keyLifetimeMs };
    const keyLifetimeMs = { resend: resend - keyMarginMs, brevo: brevo - keyMarginMs };
    this.#claimTerms = { leaseMs: terms.leaseMs ?? leaseDefaultMs, keyLifetimeMs };
  }

  async run(): Promise<DrainProgress> {
    const { lanes = lanesDefault, signal } = this.#terms;
    const end = () => this.#end();
    if (signal?.aborted) return this.#progress;
    signal?.addEventListener('abort', end);
    const stopListening = this.#database.onRows(() => this.#wakeOne());
    const ended = await Promise.allSettled(Array.from({ length: lanes }, () => this.#runLane()));
    stopListening();
    signal?.removeEventListener('abort', end);
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
    return this.#progress;
  }

  async #runLane(): Promise<void> {
    try {
      while (!this.#isOver) {
        while (performance.now() < this.#pausedUntil && !this.#isOver) {
          await this.#rest(this.#pausedUntil - performance.now());
        }
        if (this.#isOver) return;
        const turns = this.#turns;
        if (await this.#workUnlessAway()) continue;
        // What another lane has done, or has under way, may be what a group waits for.
        const isIdle = this.#working === 0 && this.#turns === turns;
        if (this.#terms.once && isIdle && !(await this.#mayBeLeftSome())) return;
        await this.#rest(pollMs);
      }
    } finally {
      // Where one lane has reason to end, so have all.
      this.#end();
    }
  }

  /** What others have claimed may be left by a drain that is dead, until its lease is over; one that lives needs nobody to wait. */
  async #mayBeLeftSome(): Promise<boolean> {
    const isOver = performance.now() - this.#workedAt > this.#claimTerms.leaseMs + pollMs;
    return !isOver && (await hasClaims(this.#database));
  }

  /** A database that is away for a while ends no drain that is to go on for ever. */
  async #workUnlessAway(): Promise<boolean> {
    try {
      return await this.#workOnce();
    } catch (error) {
      if (this.#terms.once) throw error;
      this.#count([], (error as Error).message);
      return false;
    }
  }

  /** False: nothing was due. */
  async #workOnce(): Promise<boolean> {
    const terms = { ...this.#claimTerms, claim: randomUUID() };
    this.#working += 1;
    try {
      const operations = await claimRows(this.#database, terms);
      if (operations.length === 0) return false;
      // There may be more than one claim takes.
      this.#wakeOne();
      await this.#workOn(operations, terms);
      this.#turns += 1;
      this.#workedAt = performance.now();
      return true;
    } finally {
      this.#working -= 1;
    }
  }

  async #workOn(operations: Operation[], terms: ClaimTerms): Promise<void> {
    const waiting = [...operations];
    const open = new Set(operations);
    const lease = new Lease(terms.leaseMs);
    const renewing = setInterval(() => {
      const seqs = [...open].flatMap(({ rows: [first] }) => (first ? [first.seq] : []));
      // Where it fails others take the rows, under the same keys.
      if (seqs.length > 0) lease.renew(() => renewClaim(this.#database, terms, seqs)).catch(() => {});
    }, terms.leaseMs / 4);
    const next = async (): Promise<void> => {
      for (let operation = waiting.shift(); operation; operation = waiting.shift()) {
        await this.#slot();
        // A process that stood still for long has lost its rows, and their keys may be over.
        if (lease.isHeld()) await this.#perform(operation, terms.claim);
        open.delete(operation);
      }
    };
    try {
      await Promise.all(Array.from({ length: atOnce }, next));
    } finally {
      clearInterval(renewing);
    }
  }

  async #perform(operation: Operation, claim: string): Promise<void> {
    const { settlements, pauseMs, trouble } = await this.#ask(operation);
    await settleRows(this.#database, claim, settlements);
    if (pauseMs !== null) this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + pauseMs);
    this.#count(settlements, trouble);
    if (trouble !== null && this.#terms.once) throw new Error(`The drain's own settings do not work: ${trouble}`);
  }

  async #ask(operation: Operation): Promise<Judged> {
    const { to, key, backOffMaxMs } = this.#terms;
    let request: Request;
    try {
      request = toRequest(to, requestOf(operation, key));
    } catch (error) {
      return judgeUnsendable(operation, error);
    }
    try {
      return await judgeAnswer(operation, await fetch(request), backOffMaxMs);
    } catch (error) {
      return judgeSilence(operation, error, backOffMaxMs);
    }
  }

  #count(settlements: Settlement[], trouble: string | null): void {
    for (const { kind } of settlements) this.#progress[kind] += 1;
    this.#progress.trouble = trouble;
    this.#terms.onProgress?.({ ...this.#progress });
  }

  /** Keeps to the rate: each request takes the next place in time. */
  async #slot(): Promise<void> {
    const { ratePerSecond = null } = this.#terms;
    if (ratePerSecond === null) return;
    const at = Math.max(this.#nextSlotAt, performance.now());
    this.#nextSlotAt = at + 1_000 / ratePerSecond;
    const waitMs = at - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  }

  /** Until then, or until rows come; a pause outlasts those. */
  async #rest(ms: number): Promise<void> {
    if (ms <= 0 || this.#isOver) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#sleepers.add(wake);
    });
  }

  /** One that finds something wakes the next: claims that find nothing cost the database, too. */
  #wakeOne(): void {
    const [wake] = this.#sleepers;
    wake?.();
  }

  #end(): void {
    this.#isOver = true;
    for (const wake of [...this.#sleepers]) wake();
  }
}

/** Whether a claim is held for sure, by both clocks: one stands still while the machine sleeps, the other may be set. */
class Lease {
  readonly #leaseMs: number;
  #since = nowByBoth();

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  isHeld(): boolean {
    const now = nowByBoth();
    return Math.max(now.wall - this.#since.wall, now.steady - this.#since.steady) < this.#leaseMs;
  }

  /** Once it was lost it stays so: others may have the rows. */
  async renew(work: () => Promise<number>): Promise<void> {
    const since = nowByBoth();
    if (this.isHeld() && (await work()) > 0) this.#since = since;
  }
}

function nowByBoth(): { wall: number; steady: number } {
  return { wall: Date.now(), steady: performance.now() };
}

/** @throws TypeError where some of it can be in no request. */
function toRequest(to: string, { path, headers, body }: OutboxRequest): Request {
  return new Request(`${to.replace(/\/+$/, '')}${path}`, {
    method: 'POST',
    headers,
    body,
    // A redirect would turn it into a GET.
    redirect: 'manual',
    signal: AbortSignal.timeout(answerTimeoutMs),
  });
}
