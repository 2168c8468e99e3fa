/** Quoted-printable (RFC 2045 6.7), written byte by byte and in pieces: a library that joins characters takes a hundred times a text's size. */

const columnsMax = 76;
/** What is handed on at once. */
const pieceBytes = 64 * 1024;

const cr = 0x0d;
const lf = 0x0a;
const space = 0x20;
const tab = 0x09;
const equals = 0x3d;

const hexDigits = Buffer.from('0123456789ABCDEF');

/**
 * Of UTF-8 whose line ends may be of any kind: lines of at most 76 columns, wrapped by column and never within an escape. Each
 * piece is written over by the next.
 */
export function* quotedPrintablePieces(bytes: Uint8Array): Generator<Uint8Array> {
  const out = new Lines(bytes.length);
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === cr || byte === lf) {
      out.end();
      if (byte === cr && bytes[at + 1] === lf) at += 1;
    } else if (isLiteral(byte, bytes[at + 1])) out.put(byte);
    else out.escape(byte);
    if (out.isFull) yield out.take();
  }
  yield out.finish();
}

/** A blank before a line's end would be lost on the way. */
function isLiteral(byte: number, next: number | undefined): boolean {
  if (byte === space || byte === tab) return next !== undefined && next !== cr && next !== lf;
  return byte > space && byte < 0x7f && byte !== equals;
}

class Lines {
  readonly #piece: Buffer;
  #size = 0;
  /** The line under way: one more than fits, and an escape, before it is wrapped. */
  readonly #line = Buffer.allocUnsafe(columnsMax + 4);
  #length = 0;

  constructor(bytes: number) {
    // An escape is three bytes, and some are for wrapping.
    this.#piece = Buffer.allocUnsafe(Math.min(pieceBytes, 4 * bytes) + 2 * columnsMax);
  }

  get isFull(): boolean {
    return this.#size >= pieceBytes;
  }

  take(): Uint8Array {
    const full = this.#piece.subarray(0, this.#size);
    this.#size = 0;
    return full;
  }

  put(byte: number): void {
    this.#line[this.#length++] = byte;
    if (this.#length > columnsMax) this.#wrap();
  }

  escape(byte: number): void {
    this.#line[this.#length++] = equals;
    this.#line[this.#length++] = hexDigits[byte >> 4] as number;
    this.#line[this.#length++] = hexDigits[byte & 15] as number;
    if (this.#length > columnsMax) this.#wrap();
  }

  end(): void {
    this.#write(this.#length, false);
  }

  finish(): Uint8Array {
    this.#size += this.#line.copy(this.#piece, this.#size, 0, this.#length);
    return this.#piece.subarray(0, this.#size);
  }

  #wrap(): void {
    let end = columnsMax - 1;
    if (this.#line[end - 1] === equals) end -= 1;
    else if (this.#line[end - 2] === equals) end -= 2;
    this.#write(end, true);
  }

  /** The first `end` bytes of the line under way become one; `isSoft`: it goes on in the next. */
  #write(end: number, isSoft: boolean): void {
    this.#line.copy(this.#piece, this.#size, 0, end);
    this.#size += end;
    if (isSoft) this.#piece[this.#size++] = equals;
    this.#piece[this.#size++] = cr;
    this.#piece[this.#size++] = lf;
    this.#line.copyWithin(0, end, this.#length);
    this.#length -= end;
  }
}
