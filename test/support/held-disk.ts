/** A disk that syncs when the test lets it: what has left before that would be lost at a power cut. */

import type { Sync } from '../../src/store/engine/sqlite/synced-log.ts';

export class HeldDisk {
  /** Syncs begun so far. */
  begun = 0;
  #isHeld = false;
  readonly #waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #heard = () => {};

  /** To be given to the engine. */
  readonly sync: Sync = () => {
    this.begun += 1;
    this.#heard();
    if (!this.#isHeld) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  };

  /** From now on each sync waits. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Ends the sync that is under way. */
  letOne(): void {
    this.#waiting.shift()?.resolve();
  }

  fail(error: Error): void {
    this.#waiting.shift()?.reject(error);
  }

  /** Nothing waits any longer. */
  release(): void {
    this.#isHeld = false;
    for (const one of this.#waiting.splice(0)) one.resolve();
  }

  /** Resolves with the next sync that begins. */
  begins(): Promise<void> {
    return new Promise((resolve) => {
      this.#heard = resolve;
    });
  }
}
