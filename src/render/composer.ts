/** Composing: at once where a mail is small, in a thread beside the serving one where it is large. Both make the same bytes. */

import { Worker } from 'node:worker_threads';
import { type Composable, compose, type Made } from '../core/compose.ts';
import type { DkimKey, DkimSigner } from '../core/dkim.ts';
import { sizeOf } from '../core/pieces.ts';
import type { Text } from '../core/transfer-encoding.ts';

/**
 * The bytes of an email, signed where there is a signer; `alsoPlain`: as `compose` has it. The files and texts of a large one are
 * handed over to the thread: whoever asks has them no more.
 */
export type Composing = (email: Composable, signer: DkimSigner | null, alsoPlain?: boolean) => Promise<Made>;

export type ComposeWork = { id: number; email: Composable; keys: readonly DkimKey[] | null; alsoPlain: boolean };
export type ComposeAnswer = { id: number; made: Made } | { id: number; problem: string };

/** Quoted-printable and the body's hash take some 60 ms of a megabyte; to hand it over and back takes one. */
const inlineBytesMax = 512 * 1024;

/** Smaller ones may lie in memory that Node shares out. */
const handedOverBytesMin = 16 * 1024;

/** A thread that waits holds some 10 MB. */
const idleMs = 30_000;

type Waiting = { resolve: (made: Made) => void; reject: (error: Error) => void };

export class Composer {
  #worker: Worker | null = null;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #idle: NodeJS.Timeout | null = null;
  #isStopped = false;

  /** @throws Error for an email that was never valid, and where the thread ends in the midst of it. */
  readonly compose: Composing = async (given, signer, alsoPlain = false) => {
    const email = inUtf8(given);
    if (sizeOf(largePartsOf(email)) <= inlineBytesMax) return compose(email, signer, alsoPlain);
    return this.#composeAside(email, signer, alsoPlain);
  };

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#end('The server stops.');
  }

  #composeAside(email: InUtf8, signer: DkimSigner | null, alsoPlain: boolean): Promise<Made> {
    if (this.#isStopped) return Promise.reject(new Error('The server stops.'));
    if (this.#idle) clearTimeout(this.#idle);
    this.#worker ??= this.#startWorker();
    const worker = this.#worker;
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      const work: ComposeWork = { id, email, keys: signer?.keys ?? null, alsoPlain };
      worker.postMessage(work, largeBuffers(largePartsOf(email).filter(isAlone)));
    });
  }

  #startWorker(): Worker {
    const worker = new Worker(new URL('./composer-thread.js', import.meta.url));
    // A process that has nothing else to do may end.
    worker.unref();
    worker.on('message', (answer: ComposeAnswer) => this.#settle(answer));
    const gone = (why: string) => {
      if (this.#worker === worker) void this.#end(why);
    };
    worker.on('error', (error) => gone(`The thread that composes failed: ${error.message}`));
    worker.on('exit', () => gone('The thread that composes ended.'));
    return worker;
  }

  #settle(answer: ComposeAnswer): void {
    const one = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ('made' in answer) one?.resolve(answer.made);
    else one?.reject(new Error(answer.problem));
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

type InUtf8 = Composable & Record<'html' | 'text' | 'madeText', Uint8Array | null>;

function inUtf8(email: Composable): InUtf8 {
  const bytesOf = (text: Text | null) => (typeof text === 'string' ? Buffer.from(text) : text);
  return { ...email, html: bytesOf(email.html), text: bytesOf(email.text), madeText: bytesOf(email.madeText) };
}

function largePartsOf({ html, text, madeText, attachments, raw }: InUtf8): Uint8Array[] {
  if (raw) return [raw.bytes];
  const texts = [html, text, madeText].filter((one) => one !== null);
  return [...texts, ...attachments.map(({ content }) => content)];
}

/** Nothing else stands in its memory. */
function isAlone({ buffer, byteLength }: Uint8Array): boolean {
  return buffer.byteLength === byteLength;
}

/** What is handed over of these; the rest is copied. */
export function largeBuffers(parts: readonly Uint8Array[]): ArrayBuffer[] {
  const buffers = new Set(parts.map(({ buffer }) => buffer as ArrayBuffer));
  return [...buffers].filter(({ byteLength }) => byteLength >= handedOverBytesMin);
}
