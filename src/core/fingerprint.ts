/** What a request body looked like, so that a retry is told from a different request under the same key. */

import { isUtf8 } from 'node:buffer';
import { createHash, type Hash, hash } from 'node:crypto';

/** Two SHA-256; `canonical` is null where the body has no safe canonical form and only `raw` counts. */
export type Fingerprint = { readonly raw: Uint8Array; readonly canonical: Uint8Array | null };

/** Stored fingerprints outlive an upgrade: whoever changes what goes into them counts this up and reads the old one too. */
const version = 1;

/** Longer than any number a client's JSON library writes; bounds the regular expressions below on a hostile body. */
const numberLengthMax = 64;
/** Any decimal of up to 15 significant digits comes back unchanged from a double (IEEE 754 binary64). */
const exactLengthMax = 15;

/** Longer texts are hashed in pieces; nearly all requests are shorter, and one call is faster for those. */
const pieceChars = 64 * 1024;

const quoteByte = 0x22;
const minusByte = 0x2d;
const zeroByte = 0x30;
const nineByte = 0x39;
const colonByte = 0x3a;
const backslashByte = 0x5c;

/**
 * `parsed` must be what JSON.parse made of `raw`, with nothing added, removed or defaulted.
 * `mode` is whatever else decides what the request means (the batch validation mode).
 */
export function fingerprint(raw: Uint8Array, parsed: unknown, mode: string): Fingerprint {
  return new Print(raw, parsed, mode);
}

/** A class: an object with a getter of its own is made ten times as slowly. */
class Print implements Fingerprint {
  readonly raw: Uint8Array;
  readonly #body: Uint8Array;
  readonly #parsed: unknown;
  readonly #mode: string;
  #canonical: Uint8Array | null | undefined;

  constructor(body: Uint8Array, parsed: unknown, mode: string) {
    this.raw = rawDigest(body, mode);
    this.#body = body;
    this.#parsed = parsed;
    this.#mode = mode;
  }

  /** Made when it is asked for: an honest retry mostly repeats its bytes, and its raw fingerprint decides. */
  get canonical(): Uint8Array | null {
    if (this.#canonical === undefined) this.#canonical = canonicalDigest(this.#body, this.#parsed, this.#mode);
    return this.#canonical;
  }
}

/** Either match is a match: the raw one survives a server upgrade, the canonical one a client that reorders its JSON. */
export function sameRequest(a: Fingerprint, b: Fingerprint): boolean {
  if (Buffer.compare(a.raw, b.raw) === 0) return true;
  return a.canonical !== null && b.canonical !== null && Buffer.compare(a.canonical, b.canonical) === 0;
}

/** The prefix is one line of JSON, which escapes line feeds: no mode and body can be cut in another place. */
function prefixOf(form: 'raw' | 'canonical', mode: string): string {
  return `${JSON.stringify(['sendonce-fingerprint', version, form, mode])}\n`;
}

/** There are as many modes as the program has words for them. */
const rawPrefixes = new Map<string, Buffer>();

function rawPrefixOf(mode: string): Buffer {
  const known = rawPrefixes.get(mode);
  if (known) return known;
  const prefix = Buffer.from(prefixOf('raw', mode));
  if (rawPrefixes.size < 10) rawPrefixes.set(mode, prefix);
  return prefix;
}

function rawDigest(raw: Uint8Array, mode: string): Uint8Array {
  const prefix = rawPrefixOf(mode);
  if (raw.length > pieceChars) return createHash('sha256').update(prefix).update(raw).digest();
  return hash('sha256', Buffer.concat([prefix, raw]), 'buffer');
}

/** Equal for two bodies exactly where their RFC 8785 forms are; null where two different bodies could share one form. */
function canonicalDigest(raw: Uint8Array, parsed: unknown, mode: string): Uint8Array | null {
  // Invalid UTF-8 is decoded to U+FFFD, whatever the bytes were.
  if (!isUtf8(raw)) return null;
  // Bytes will do: all that JSON's syntax is made of is ASCII, and no byte of a longer character is.
  const body = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
  const written = countMembersWritten(body);
  if (written === null) return null;
  try {
    const canonical = new CanonicalWriter(prefixOf('canonical', mode), body.includes('\\u'));
    canonical.write(parsed);
    // JSON.parse keeps one of several members of the same name, however they were spelled: fewer kept than written is a duplicate.
    return canonical.members === written && canonical.isWellFormed ? canonical.digest() : null;
  } catch (error) {
    // Nesting deeper than the stack: the raw fingerprint remains.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/**
 * Writes a JSON value with its members in order. Strings stand as they are behind their length, which says where they end
 * and makes escapes needless: escaping whole mails was a tenth of what accepting costs (docs/decisions/0006).
 */
class CanonicalWriter {
  members = 0;
  isWellFormed = true;
  #text: string;
  /** Made for what is longer than a piece: all of a large body as one text, and as its bytes, would take three times its size. */
  #hash: Hash | null = null;
  readonly #hasEscapes: boolean;

  /** In valid UTF-8 half a surrogate pair can only be written as an escape. */
  constructor(prefix: string, hasEscapes: boolean) {
    this.#text = prefix;
    this.#hasEscapes = hasEscapes;
  }

  digest(): Uint8Array {
    return this.#hash ? this.#hash.update(this.#text).digest() : hash('sha256', this.#text, 'buffer');
  }

  #flush(): void {
    this.#hash ??= createHash('sha256');
    this.#hash.update(this.#text);
    this.#text = '';
  }

  write(value: unknown): void {
    if (this.#text.length > pieceChars) this.#flush();
    if (typeof value === 'string') this.#writeString(value);
    // As RFC 8785 3.2.2.3 has it: the shortest text that reads back as the same double; -0 is 0.
    else if (typeof value === 'number') this.#text += `#${value};`;
    else if (typeof value !== 'object' || value === null) this.#text += `${value};`;
    else if (Array.isArray(value)) this.#writeArray(value);
    else this.#writeObject(value as Record<string, unknown>);
  }

  #writeString(value: string): void {
    if (this.#hasEscapes && !isWellFormed(value)) this.isWellFormed = false;
    if (value.length <= pieceChars) {
      this.#text += `"${value.length}:${value}`;
      return;
    }
    this.#text += `"${value.length}:`;
    for (let at = 0; at < value.length; ) {
      const end = pieceEnd(value, at + pieceChars);
      this.#text += value.slice(at, end);
      this.#flush();
      at = end;
    }
  }

  #writeArray(values: unknown[]): void {
    this.#text += `[${values.length}:`;
    for (const value of values) this.write(value);
  }

  /** In the order of UTF-16 code units (RFC 8785 3.2.3), which is how `sort` compares. */
  #writeObject(value: Record<string, unknown>): void {
    const names = Object.keys(value).sort();
    this.members += names.length;
    this.#text += `{${names.length}:`;
    for (const name of names) {
      this.#writeString(name);
      this.write(value[name]);
    }
  }
}

/** Never between the halves of a character, which alone would be hashed as something else. */
function pieceEnd(text: string, end: number): number {
  const code = text.charCodeAt(end - 1);
  return code >= 0xd800 && code <= 0xdbff ? end + 1 : end;
}

/** The method is in Node 20 but not in TypeScript's es2023 library. */
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

/** More of them are a file as an array of bytes: its canonical form would take a hundred times its size. */
const numbersMax = 100_000;

/** Counts the members of all objects in a valid JSON text; null where a number does not survive parsing, or there are too many. */
function countMembersWritten(body: Buffer): number | null {
  let members = 0;
  let numbers = 0;
  for (let at = 0; at < body.length; at++) {
    const code = body[at] as number;
    if (code === quoteByte) {
      at = closingQuote(body, at);
    } else if (code === colonByte) {
      members++;
    } else if (code === minusByte || (code >= zeroByte && code <= nineByte)) {
      const end = numberEnd(body, at);
      numbers += 1;
      if (numbers > numbersMax) return null;
      if (!survivesParsing(body, at, end)) return null;
      at = end - 1;
    }
  }
  return members;
}

/** Within this many bytes stepping is faster than a jump: html is full of escaped quotes. */
const nearBytes = 256;

/** Steps through short strings and jumps (memchr) through long ones: a megabyte of Base64 is one jump. */
function closingQuote(body: Buffer, opening: number): number {
  let at = opening + 1;
  for (;;) {
    const near = Math.min(body.length, at + nearBytes);
    while (at < near) {
      const code = body[at];
      if (code === quoteByte) return at;
      at += code === backslashByte ? 2 : 1;
    }
    if (at >= body.length) return body.length;
    const quote = body.indexOf(quoteByte, at);
    if (quote < 0) return body.length;
    // `at` is not inside an escape, so that the backslashes between it and the quote tell whether the quote is.
    let backslash = quote;
    while (backslash > at && body[backslash - 1] === backslashByte) backslash--;
    if ((quote - backslash) % 2 === 0) return quote;
    at = quote + 1;
  }
}

/** Of a number in valid JSON, so that `+` and letters can only be those of an exponent. */
function numberEnd(body: Buffer, start: number): number {
  let at = start + 1;
  while (at < body.length && '0123456789+-.eE'.includes(String.fromCharCode(body[at] as number))) at++;
  return at;
}

/** Whether the number written and the number parsed are the same number, and not an integer beyond 2^53 (I-JSON, RFC 7493 §2.2). */
function survivesParsing(body: Buffer, start: number, end: number): boolean {
  if (end - start > numberLengthMax) return false;
  const written = body.toString('latin1', start, end);
  if (written.length <= exactLengthMax && !/[eE]/.test(written)) return true;
  const value = Number(written);
  if (!Number.isFinite(value)) return false;
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return false;
  return decimalForm(written) === decimalForm(String(value));
}

/** One spelling for each decimal value: `1.50`, `15e-1` and `0.15E1` are all `15e-1`. The sign never changes in parsing. */
function decimalForm(number: string): string {
  const [, integer = '', fraction = '', exponent = '0'] = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(number) ?? [];
  const digits = (integer + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  return `${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}
