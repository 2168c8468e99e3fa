/** Bytes in pieces: a large message never has to stand in one run of memory, and is not copied to be joined. */

export type Pieces = readonly Uint8Array[];

/** Smaller ones are joined to pieces of this size: each is a write of its own. */
const pieceBytes = 64 * 1024;

export function sizeOf(pieces: Pieces): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

export function joined(pieces: Pieces): Buffer {
  const [only] = pieces;
  return pieces.length === 1 && only ? bufferOf(only) : Buffer.concat(pieces);
}

/** As much of the beginning as is asked for. */
export function startOf(pieces: Pieces, bytesMax: number): Buffer {
  let left = bytesMax;
  const first = pieces.map((piece) => {
    const start = piece.subarray(0, left);
    left -= start.length;
    return start;
  });
  return joined(first);
}

/** The same bytes; nothing is copied. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const crlf = 0x0d0a;

/** Takes bytes in the order in which they leave. */
export class Gatherer {
  readonly #pieces: Uint8Array[] = [];
  #small: Uint8Array[] = [];
  #smallBytes = 0;
  /** The last two bytes. */
  #end = crlf;

  /** Nothing was added, or what was ends with CRLF. */
  get isAtLineStart(): boolean {
    return this.#end === crlf;
  }

  add(bytes: Uint8Array): void {
    const { length } = bytes;
    if (length === 0) return;
    this.#end = (((bytes[length - 2] ?? this.#end & 0xff) << 8) | (bytes[length - 1] as number)) & 0xffff;
    if (length >= pieceBytes) {
      this.#join();
      this.#pieces.push(bytes);
      return;
    }
    this.#small.push(bytes);
    this.#smallBytes += length;
    if (this.#smallBytes >= pieceBytes) this.#join();
  }

  addText(text: string): void {
    this.add(Buffer.from(text));
  }

  finish(): Pieces {
    this.#join();
    return this.#pieces;
  }

  #join(): void {
    if (this.#small.length > 0) this.#pieces.push(joined(this.#small));
    this.#small = [];
    this.#smallBytes = 0;
  }
}
