/** Keeps the log short: copies it into the file every second, and has it begun anew once it is long. */

import { type Aside, AsideError, type Copied, createAside } from './aside.ts';
import type { SyncedLog } from './synced-log.ts';

/**
 * The log is copied this long after the last time. Keys are random, so that nearly every accept dirties a page of its own:
 * done within commits it took their time, and some 40 ms off the slowest hundredth.
 */
const everyMs = 1_000;

/** Pages (of 4 KB) after which a log that nobody is writing is begun anew: a start after a crash writes all of it again. */
const pagesWhenQuiet = 4_000;
/** And after which writes are kept waiting for it: a load that never pauses must not grow the log for ever. */
const pagesMax = 40_000;

/** Somebody may be reading what is in the log for long, and keeps it from ending. */
const patienceMs = 10_000;

export type CheckpointOptions = {
  path: string;
  log: SyncedLog;
  /** Called when `isDue` has become true. */
  onDue: () => void;
  onUnknownCommit: (cause: unknown) => void;
};

export class Checkpoints {
  /** The log is to be begun anew, before the next write. */
  isDue = false;
  /** Those who wait for a log that is empty, told whether it was. */
  #emptying: ((isEmpty: boolean) => void)[] = [];
  readonly #options: CheckpointOptions;
  /** A thread of its own: what is due here cannot wait for a long read. */
  #aside: Aside | null = null;
  #hasCommitted = false;
  #isCopying = false;
  #isClosed = false;
  #lastAt = performance.now();
  #triedAt = Number.NEGATIVE_INFINITY;

  constructor(options: CheckpointOptions) {
    this.#options = options;
  }

  /** The writer has changed something and committed. */
  committed(): void {
    this.#hasCommitted = true;
    if (this.#isCopying || this.isDue || performance.now() - this.#lastAt < everyMs) return;
    this.#isCopying = true;
    this.#hasCommitted = false;
    void this.#copy().then((copied) => {
      this.#isCopying = false;
      this.#lastAt = performance.now();
      if (copied) this.#consider(copied);
    });
  }

  /** Before the next write. False: somebody still reads in it. */
  empty(): Promise<boolean> {
    this.isDue = true;
    return new Promise((resolve) => this.#emptying.push(resolve));
  }

  /**
   * While nobody writes. The last page can be copied only then, and the log begun anew only once readers are shown the file
   * alone. The new log's first commit is made and synced aside: SQLite syncs its head within that commit.
   */
  async beginAnew(): Promise<void> {
    const emptying = this.#emptying.splice(0);
    let isEmpty = false;
    this.isDue = false;
    this.#triedAt = performance.now();
    await this.#options.log.settled();
    const copied = await this.#copy();
    if (copied && copied.copied === copied.pages) {
      await this.#options.log.around(async () => {
        if (emptying.length > 0) isEmpty = (await this.#asideOrDeath(() => this.#thread().emptyLog())) ?? false;
        await this.#asideOrDeath(() => this.#thread().beginLogAnew());
      });
      this.#lastAt = performance.now();
    }
    for (const tell of emptying) tell(isEmpty);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#aside?.close();
  }

  #consider({ pages }: Copied): void {
    const isQuiet = !this.#hasCommitted;
    if (pages < (isQuiet ? pagesWhenQuiet : pagesMax)) return;
    if (this.#isClosed || performance.now() - this.#triedAt < patienceMs) return;
    this.isDue = true;
    this.#options.onDue();
  }

  #copy(): Promise<Copied | null> {
    return this.#asideOrDeath(() => this.#thread().copyLog());
  }

  /** Null where it could not be done now: nothing depends on it but how long the log grows. */
  async #asideOrDeath<T>(ask: () => Promise<T>): Promise<T | null> {
    try {
      return await ask();
    } catch (error) {
      // Nobody would be told of it again, and what the log was thought to hold may be lost.
      if (error instanceof AsideError && error.code === 'SQLITE_IOERR_FSYNC') this.#options.onUnknownCommit(error);
      return null;
    }
  }

  #thread(): Aside {
    if (!this.#aside || this.#aside.isGone) this.#aside = createAside(this.#options.path);
    return this.#aside;
  }
}
