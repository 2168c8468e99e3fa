/** The writes of one process that wait for a connection, and which of them may share a transaction. */

import type { Awaitable, Transaction, WriteTerms } from '../../database.ts';

export type Write = {
  readonly work: (tx: Transaction) => Awaitable<unknown>;
  readonly terms: WriteTerms;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** When it came, by the monotonic clock. */
  readonly since: number;
  /** Its group failed: this time by itself, so that it can only fail itself. */
  solo: boolean;
  /** How often it lost to other transactions. */
  lost: number;
};

/** Bounds what one commit carries, so that a flood cannot hold the first answer back for long. */
const groupSizeMax = 100;

export class WriteQueue {
  #waiting: Write[] = [];
  /** What transactions under way are about: a second one would only wait for their locks. */
  readonly #underWay = new Set<string>();

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(write: Write): void {
    this.#waiting.push(write);
  }

  /** Back in front, to be run again. */
  putBack(writes: Write[]): void {
    this.#waiting.unshift(...writes);
  }

  /**
   * Takes what goes into the next transaction: works about different things, in the order of their names, so that
   * transactions of other processes meet them in the same order; or one work that has to run by itself. Empty: nothing can.
   */
  take(): Write[] {
    const group: Write[] = [];
    const left: Write[] = [];
    let looked = 0;
    while (looked < this.#waiting.length && hasRoom(group)) {
      const write = this.#waiting[looked] as Write;
      looked += 1;
      if (!this.#fits(write, group)) left.push(write);
      else {
        group.push(write);
        if (write.terms.about !== undefined) this.#underWay.add(write.terms.about);
      }
    }
    this.#waiting = [...left, ...this.#waiting.slice(looked)];
    return group.sort((a, b) => ((a.terms.about ?? '') < (b.terms.about ?? '') ? -1 : 1));
  }

  done(group: Write[]): void {
    for (const { terms } of group) if (terms.about !== undefined) this.#underWay.delete(terms.about);
  }

  /** Takes out what came before `since` and may not wait any longer. */
  takeOlderThan(since: number): Write[] {
    const old = this.#waiting.filter((write) => write.since < since);
    this.#waiting = this.#waiting.filter((write) => write.since >= since);
    return old;
  }

  #fits(write: Write, group: Write[]): boolean {
    const { about } = write.terms;
    if (about !== undefined && this.#underWay.has(about)) return false;
    return group.length === 0 || !isAlone(write);
  }
}

function hasRoom(group: Write[]): boolean {
  const [first] = group;
  return !first || (group.length < groupSizeMax && !isAlone(first));
}

function isAlone(write: Write): boolean {
  return write.solo || write.terms.about === undefined;
}
