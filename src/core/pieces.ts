/** Bytes in pieces: a large message never has to stand in one run of memory, and is not copied to be joined. */

export type Pieces = readonly Uint8Array[];

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

/**
 * How much memory is taken at once, a first time, a second, …: what most mails take is one piece. The last is more than malloc of
 * the GNU library keeps for itself (32 MB): it is given back to the system as a whole, and what was not written never existed.
 */
const slabBytes = [16 * 1024, 256 * 1024, 1024 * 1024] as const;
const lastSlabBytes = 33 * 1024 * 1024;

const crlf = 0x0d0a;

/** What is known beforehand to be needed is taken in one piece, up to here. */
const firstSlabBytesMax = 1024 * 1024;

/** Copies bytes in the order in which they leave. */
export class Gatherer {
  readonly #firstSlabBytes: number;
  readonly #full: Uint8Array[] = [];
  #slab = Buffer.allocUnsafe(0);
  #used = 0;
  /** The last two bytes. */
  #end = crlf;

  /** `bytes`: about as many as there will be. */
  constructor(bytes = 0) {
    this.#firstSlabBytes = bytes === 0 ? slabBytes[0] : Math.min(bytes, firstSlabBytesMax);
  }

  /** Nothing was added, or what was ends with CRLF. */
  get isAtLineStart(): boolean {
    return this.#end === crlf;
  }

  add(bytes: Uint8Array): void {
    const { length } = bytes;
    if (length === 0) return;
    this.#end = (((bytes[length - 2] ?? this.#end & 0xff) << 8) | (bytes[length - 1] as number)) & 0xffff;
    for (let at = 0; at < length; ) {
      if (this.#used === this.#slab.length) this.#takeSlab();
      const count = Math.min(length - at, this.#slab.length - this.#used);
      this.#slab.set(bytes.subarray(at, at + count), this.#used);
      this.#used += count;
      at += count;
    }
  }

  finish(): Pieces {
    return this.#used === 0 ? this.#full : [...this.#full, this.#slab.subarray(0, this.#used)];
  }

  #takeSlab(): void {
    if (this.#used > 0) this.#full.push(this.#slab);
    const taken = this.#full.length;
    const bytes = taken === 0 ? this.#firstSlabBytes : (slabBytes[taken - 1] ?? lastSlabBytes);
    this.#slab = bytes < slabBytes[0] ? Buffer.allocUnsafe(bytes) : Buffer.allocUnsafeSlow(bytes);
    this.#used = 0;
  }
}
