/** One body on its way in: kept as it comes, and ended where it comes too slowly. */

import type { Readable } from 'node:stream';

/** Raised when the client went away in the middle of its request: there is nobody to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/** Told each piece; what it throws ends the body. */
export type Look = (chunk: Buffer) => void;

export type Pace = { bodyWindowMs: number; bodyBytesPerSecondMin: number; bodyTimeoutMs: number };

const empty = Buffer.alloc(0);

export class Arriving {
  readonly done: Promise<Uint8Array>;
  readonly #declared: number;
  #reject: (error: unknown) => void = () => {};
  #isOver = false;
  #chunks: Buffer[] = [];
  /** Where its length is known and more than one piece, a body is put together as it comes: joining it takes it twice. */
  #whole: Buffer | null = null;
  #size = 0;
  #mark = { at: performance.now(), size: 0 };

  /** `take` is told each piece, and the size with it. */
  constructor(incoming: Readable, declared: number, take: (chunk: Buffer, size: number) => void) {
    this.#declared = declared;
    this.done = new Promise((resolve, reject) => {
      this.#reject = reject;
      incoming.on('data', (chunk: Buffer) => {
        if (this.#isOver) return;
        try {
          take(chunk, this.#size + chunk.length);
          this.#keep(chunk);
        } catch (error) {
          this.end(error);
        }
      });
      incoming.on('end', () => resolve(this.#join()));
      incoming.on('error', (cause) => this.end(new ClientGone('the request ended early', { cause })));
    });
  }

  /** Asked now and then. Who holds more must bring more: at half the pace at which all of it would have arrived in time. */
  isFastEnough({ bodyWindowMs, bodyBytesPerSecondMin, bodyTimeoutMs }: Pace): boolean {
    const now = performance.now();
    const tookMs = now - this.#mark.at;
    if (tookMs < bodyWindowMs) return true;
    const came = this.#size - this.#mark.size;
    const perSecond = Math.max(bodyBytesPerSecondMin, (this.#mark.size * 1_000) / bodyTimeoutMs / 2);
    this.#mark = { at: now, size: this.#size };
    return came >= (perSecond * tookMs) / 1_000;
  }

  /** What still comes is not kept. */
  end(error: unknown): void {
    this.#isOver = true;
    this.#chunks = [];
    this.#whole = null;
    this.#reject(error);
  }

  #keep(chunk: Buffer): void {
    if (this.#size === 0 && chunk.length < this.#declared) this.#whole = Buffer.allocUnsafeSlow(this.#declared);
    if (this.#whole) chunk.copy(this.#whole, this.#size);
    else this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  #join(): Uint8Array {
    if (this.#whole) return this.#whole.subarray(0, this.#size);
    return this.#chunks.length === 1 ? (this.#chunks[0] ?? empty) : Buffer.concat(this.#chunks);
  }
}
