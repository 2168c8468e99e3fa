/** The stream that feeds DATA: it hands the message over, and withholds its end, which is the final dot, until released. */

import { Readable, type Writable } from 'node:stream';

/** One write of a large message. Small enough for the event loop (dot-stuffing looks at every byte), large enough to be few. */
const chunkBytes = 64 * 1024;

export class GatedBody extends Readable {
  /** Resolves once the last byte has been handed to the reader; the end has not. */
  readonly handedOver: Promise<void>;
  readonly #bytes: Uint8Array;
  readonly #mayStart: () => boolean;
  #offset = 0;
  #reader: Partial<Writable & Readable> = {};
  #lastChunkHandedOver: () => void = () => {};

  /** `mayStart` is asked when the reader attaches, that is when DATA was answered: false, and no byte is handed over. */
  constructor(bytes: Uint8Array, mayStart: () => boolean) {
    super({ highWaterMark: chunkBytes });
    this.#bytes = bytes;
    this.#mayStart = mayStart;
    this.handedOver = new Promise((resolve) => {
      this.#lastChunkHandedOver = resolve;
    });
  }

  /** Bytes handed over that the reader has not passed on yet. */
  get pendingBytes(): number {
    return this.readableLength + (this.#reader.writableLength ?? 0) + (this.#reader.readableLength ?? 0);
  }

  /** Lets the dot go. */
  release(): void {
    this.push(null);
  }

  override pipe<T extends NodeJS.WritableStream>(reader: T, options?: { end?: boolean }): T {
    if (!this.#mayStart()) return reader;
    this.#reader = reader as unknown as Partial<Writable & Readable>;
    return super.pipe(reader, options);
  }

  override _read(): void {
    if (this.#offset < this.#bytes.length) {
      const chunk = this.#bytes.subarray(this.#offset, this.#offset + chunkBytes);
      this.#offset += chunk.length;
      this.push(chunk);
    }
    if (this.#offset >= this.#bytes.length) this.#lastChunkHandedOver();
  }
}
