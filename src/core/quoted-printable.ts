/** Quoted-printable (RFC 2045 6.7), written byte by byte: a library that joins characters takes a hundred times a text's size. */

const columnsMax = 76;
/** What is turned into a string at once. */
const pieceBytes = 64 * 1024;

const cr = 0x0d;
const lf = 0x0a;
const space = 0x20;
const tab = 0x09;
const equals = 0x3d;

const hexDigits = Buffer.from('0123456789ABCDEF');

/** Of text whose line ends are CRLF: lines of at most 76 columns, wrapped by column and never within an escape. */
export function encodeQuotedPrintable(text: string): string {
  const bytes = Buffer.from(text);
  const out = new Lines();
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === cr && bytes[at + 1] === lf) {
      out.end();
      at += 1;
    } else if (isLiteral(byte, bytes[at + 1])) out.put(byte);
    else out.escape(byte);
  }
  return out.finish();
}

/** A blank before a line's end would be lost on the way. */
function isLiteral(byte: number, next: number | undefined): boolean {
  if (byte === space || byte === tab) return next !== undefined && next !== cr && next !== lf;
  return (byte > space && byte < 0x7f && byte !== equals) || byte === cr || byte === lf;
}

class Lines {
  readonly #pieces: string[] = [];
  readonly #piece = Buffer.allocUnsafe(pieceBytes + 2 * columnsMax);
  #size = 0;
  /** The line under way: one more than fits, and an escape, before it is wrapped. */
  readonly #line = Buffer.allocUnsafe(columnsMax + 4);
  #length = 0;

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

  finish(): string {
    this.#line.copy(this.#piece, this.#size, 0, this.#length);
    this.#pieces.push(this.#piece.toString('latin1', 0, this.#size + this.#length));
    return this.#pieces.join('');
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
    if (this.#size < pieceBytes) return;
    this.#pieces.push(this.#piece.toString('latin1', 0, this.#size));
    this.#size = 0;
  }
}
