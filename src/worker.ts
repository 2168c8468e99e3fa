/** The loop each lane runs: claim, attempt with bounded concurrency, sleep or wake, stop. */

import { log } from './log.ts';

export type Lane<T> = {
  readonly name: string;
  /** Attempts under way at once. */
  readonly concurrency: number;
  /** Held at once, under way or not. Absent: twice as many as are under way, so that one commit claims for many attempts. */
  readonly heldMax?: number;
  /** The last claim has not seen all that is due: it is worth looking again at once. */
  readonly isBehind?: boolean;
  /** Takes up to `limit` due items for a while. */
  claim(limit: number): Promise<T[]>;
  /** Tries once and settles. Must not throw; a bug that does is logged and the lease ends it. */
  attempt(item: T): Promise<void>;
  /** From now on nothing irrevocable may start; hands back what was claimed and has not passed that point. */
  release(unstarted: T[]): Promise<void>;
  /** Resolves when every irrevocable step under way has been settled. */
  settled(): Promise<void>;
};

/** The fallback for every wake-up that gets lost, and how late a scheduled item may start. */
const pollMs = 1_000;

export class Worker<T> {
  readonly #lane: Lane<T>;
  readonly #ready: T[] = [];
  #running = 0;
  #stopping = false;
  #claiming: Promise<void> | null = null;
  /** A wake-up came while a claim was under way: that claim may have looked too early. */
  #again = false;
  #poll: NodeJS.Timeout | null = null;

  constructor(lane: Lane<T>) {
    this.#lane = lane;
  }

  start(): void {
    this.#poll = setInterval(() => this.wake(), pollMs);
    this.wake();
  }

  /** Something may be due: looks at once instead of at the next poll. */
  wake(): void {
    if (this.#stopping) return;
    if (this.#claiming) {
      this.#again = true;
      return;
    }
    const { concurrency, heldMax = 2 * concurrency } = this.#lane;
    const room = heldMax - this.#ready.length - this.#running;
    if (room < heldMax / 4) return;
    this.#claiming = this.#claim(room).finally(() => {
      this.#claiming = null;
      if (!this.#again) return;
      this.#again = false;
      this.wake();
    });
  }

  /** Stops claiming, hands back what can be handed back, and waits only for what cannot be called off. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#poll) clearInterval(this.#poll);
    await this.#claiming;
    try {
      await this.#lane.release(this.#ready.splice(0));
    } catch (error) {
      // The next start, or the lease, takes them back: what has left must be waited for all the same.
      log.releaseFailed(this.#lane.name, error);
    }
    await this.#lane.settled();
  }

  async #claim(room: number): Promise<void> {
    try {
      const items = await this.#lane.claim(room);
      this.#ready.push(...items);
      if (items.length === room || this.#lane.isBehind) this.#again = true;
    } catch (error) {
      log.claimFailed(this.#lane.name, error);
    }
    this.#startReady();
  }

  #startReady(): void {
    while (!this.#stopping && this.#running < this.#lane.concurrency) {
      const item = this.#ready.shift();
      if (item === undefined) return;
      this.#running += 1;
      void this.#attempt(item);
    }
  }

  async #attempt(item: T): Promise<void> {
    try {
      await this.#lane.attempt(item);
    } catch (error) {
      log.attemptCrashed(this.#lane.name, error);
    }
    this.#running -= 1;
    this.#startReady();
    if (this.#ready.length < this.#lane.concurrency) this.wake();
  }
}
