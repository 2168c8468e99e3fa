/** Looks at a JSON text as it arrives: one that is nested too deeply, or in too many pieces, is refused before it is parsed. */

import { AppError } from '../core/error.ts';

export type ShapeLimits = {
  depthMax: number;
  /** Objects, arrays, strings and literals; names of members count as strings. */
  valuesMax: number;
  membersMax: number;
  numbersMax: number;
};

const quote = 1;
const open = 2;
const close = 3;
const colon = 4;
const number = 5;
const literal = 6;
/** Of a number, where one stands before it; of a literal otherwise. */
const exponent = 7;

/** What a byte outside strings begins or belongs to; everything else is 0. */
const classes = new Uint8Array(256);
for (const [characters, meaning] of [
  ['"', quote],
  ['{[', open],
  ['}]', close],
  [':', colon],
  ['0123456789-+.', number],
  ['eE', exponent],
  ['tfn', literal],
] as const) {
  for (const character of characters) classes[character.charCodeAt(0)] = meaning;
}

const quoteByte = 0x22;
const backslashByte = 0x5c;
/** Within this many bytes stepping is faster than a jump: html is full of escaped quotes. */
const nearBytes = 256;

/**
 * Of a valid text the counts are exact; of another they are those of what it looks like. Each byte is looked at once, in the
 * chunks it came in: a text of 64 MiB never holds up the process.
 */
export class JsonShape {
  readonly #limits: ShapeLimits;
  #isInString = false;
  #isEscaped = false;
  #isInNumber = false;
  #depth = 0;
  #values = 0;
  #members = 0;
  #numbers = 0;

  constructor(limits: ShapeLimits) {
    this.#limits = limits;
  }

  /** The next bytes. @throws AppError `invalid_field` as soon as a limit is passed. */
  take(chunk: Buffer): void {
    let at = this.#isInString ? this.#leaveString(chunk, 0) : 0;
    while (at < chunk.length) {
      const meaning = classes[chunk[at] as number];
      at += 1;
      if (meaning === number) {
        if (!this.#isInNumber) this.#numbers += 1;
        this.#isInNumber = true;
        continue;
      }
      if (meaning === exponent) continue;
      this.#isInNumber = false;
      if (meaning === quote) {
        this.#values += 1;
        this.#isInString = true;
        at = this.#leaveString(chunk, at);
      } else if (meaning === open) {
        this.#values += 1;
        this.#depth += 1;
        if (this.#depth > this.#limits.depthMax) throw tooDeep(this.#limits);
      } else if (meaning === close) this.#depth -= 1;
      else if (meaning === colon) this.#members += 1;
      else if (meaning === literal) this.#values += 1;
    }
    this.#refuseTooMany();
  }

  #refuseTooMany(): void {
    const { valuesMax, membersMax, numbersMax } = this.#limits;
    if (this.#values > valuesMax) throw tooMany(`${valuesMax} values`);
    if (this.#members > membersMax) throw tooMany(`${membersMax} members of objects`);
    if (this.#numbers > numbersMax)
      throw tooMany(`${numbersMax} numbers (files are sent in Base64, not as arrays of bytes)`);
  }

  /** The position behind the string's end, or the end of the chunk: short strings are stepped through, long ones jumped (memchr). */
  #leaveString(chunk: Buffer, start: number): number {
    let at = this.#isEscaped ? start + 1 : start;
    this.#isEscaped = false;
    for (;;) {
      const near = Math.min(chunk.length, at + nearBytes);
      while (at < near) {
        const code = chunk[at];
        if (code === quoteByte) return this.#end(at + 1);
        at += code === backslashByte ? 2 : 1;
      }
      if (at >= chunk.length) return this.#carry(chunk, at > chunk.length);
      const found = chunk.indexOf(quoteByte, at);
      const end = found < 0 ? chunk.length : found;
      let first = end;
      while (first > at && chunk[first - 1] === backslashByte) first -= 1;
      const isEscaped = (end - first) % 2 === 1;
      if (found < 0) return this.#carry(chunk, isEscaped);
      if (!isEscaped) return this.#end(found + 1);
      at = found + 1;
    }
  }

  #end(at: number): number {
    this.#isInString = false;
    return at;
  }

  /** The string goes on in the next chunk; whether that begins with a character a backslash stands before. */
  #carry(chunk: Buffer, isEscaped: boolean): number {
    this.#isEscaped = isEscaped;
    return chunk.length;
  }
}

function tooDeep({ depthMax }: ShapeLimits): AppError {
  return new AppError('invalid_field', `The request body is nested too deeply: at most ${depthMax} levels are read.`);
}

function tooMany(what: string): AppError {
  return new AppError('invalid_field', `The request body is in too many pieces: it must have at most ${what}.`);
}
