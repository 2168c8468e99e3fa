/** Composing: at once where a mail is small, in a thread beside the serving one where it is large. Both make the same bytes. */

import { Worker } from 'node:worker_threads';
import { compose } from '../core/compose.ts';
import type { DkimKey, DkimSigner } from '../core/dkim.ts';
import { draftBytes } from '../core/draft.ts';
import type { Email } from '../core/email.ts';

/** The bytes of an email, signed where there is a signer. */
export type Composing = (email: Email, signer: DkimSigner | null) => Promise<Uint8Array>;

export type ComposeWork = { id: number; email: Email; key: DkimKey | null };
export type Composed = { id: number; bytes: Uint8Array } | { id: number; problem: string };

/** Quoted-printable and the body's hash take some 60 ms of a megabyte; to hand it over and back takes one. */
const inlineBytesMax = 512 * 1024;

/** A thread that waits holds some 10 MB. */
const idleMs = 30_000;

type Waiting = { resolve: (bytes: Uint8Array) => void; reject: (error: Error) => void };

export class Composer {
  #worker: Worker | null = null;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #idle: NodeJS.Timeout | null = null;
  #isStopped = false;

  /** @throws Error for an email that was never valid, and where the thread ends in the midst of it. */
  readonly compose: Composing = async (email, signer) => {
    const bytes = draftBytes(email) + Buffer.byteLength(email.madeText ?? '');
    return bytes <= inlineBytesMax ? compose(email, signer) : this.#composeAside(email, signer);
  };

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#end('The server stops.');
  }

  #composeAside(email: Email, signer: DkimSigner | null): Promise<Uint8Array> {
    if (this.#isStopped) return Promise.reject(new Error('The server stops.'));
    if (this.#idle) clearTimeout(this.#idle);
    this.#worker ??= this.#startWorker();
    const worker = this.#worker;
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, email, key: signer?.key ?? null } satisfies ComposeWork);
    });
  }

  #startWorker(): Worker {
    const worker = new Worker(new URL('./composer-thread.js', import.meta.url));
    // A process that has nothing else to do may end.
    worker.unref();
    worker.on('message', (composed: Composed) => this.#settle(composed));
    const gone = (why: string) => {
      if (this.#worker === worker) void this.#end(why);
    };
    worker.on('error', (error) => gone(`The thread that composes failed: ${error.message}`));
    worker.on('exit', () => gone('The thread that composes ended.'));
    return worker;
  }

  #settle(composed: Composed): void {
    const one = this.#waiting.get(composed.id);
    this.#waiting.delete(composed.id);
    if ('bytes' in composed) one?.resolve(composed.bytes);
    else one?.reject(new Error(composed.problem));
    if (this.#waiting.size > 0) return;
    this.#idle = setTimeout(() => void this.#end('Nothing was to be composed.'), idleMs);
    this.#idle.unref();
  }

  async #end(why: string): Promise<void> {
    if (this.#idle) clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = null;
    for (const { reject } of this.#waiting.values()) reject(new Error(why));
    this.#waiting.clear();
    await worker?.terminate();
  }
}
