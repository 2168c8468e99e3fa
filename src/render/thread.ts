/** One renderer thread as its renderer sees it: given one piece of work at a time, ended where that takes too much. */

import { Worker } from 'node:worker_threads';
import type { ErrorCode } from '../core/error.ts';
import type { JobName } from './jobs.ts';

/** What a thread is given. */
export type Work = { name: JobName; inputs: readonly unknown[]; outputCharsMax: number };

export type WorkResult =
  | { kind: 'made'; value: unknown }
  | { kind: 'refused'; code: ErrorCode; message: string }
  | { kind: 'cut'; reason: 'size' }
  /** A fault of ours. */
  | { kind: 'failed'; message: string };

/** What it says: once that it can work, then a result for each input, in order. */
export type Told = 'ready' | { result: WorkResult; isLast: boolean };

export type Events = {
  ready: () => void;
  told: (told: Exclude<Told, 'ready'>) => void;
  /** It ended by itself: out of memory, mostly. */
  gone: () => void;
};

export class Thread {
  readonly #worker: Worker;
  #isEnded = false;
  #isReady = false;

  constructor(heapMbMax: number, events: Events) {
    this.#worker = new Worker(new URL('./renderer-thread.js', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: heapMbMax },
    });
    // A process that has nothing else to do may end.
    this.#worker.unref();
    this.#worker.on('message', (told: Told) => {
      if (this.#isEnded) return;
      if (told !== 'ready') return events.told(told);
      this.#isReady = true;
      events.ready();
    });
    const gone = () => {
      if (!this.#isEnded) events.gone();
      this.#isEnded = true;
    };
    // Whatever it was, `exit` follows; without a listener it would end the process.
    this.#worker.on('error', gone);
    this.#worker.on('exit', gone);
  }

  /** Starting takes as long as a hundred mails: what it is given meanwhile waits. */
  get isReady(): boolean {
    return this.#isReady;
  }

  give(work: Work): void {
    this.#worker.postMessage(work);
  }

  /** Nothing is heard of it any more, whatever it is at. */
  async end(): Promise<void> {
    this.#isEnded = true;
    await this.#worker.terminate();
  }
}
