/** What a request body looked like, so that a retry is told from a different request under the same key. */

import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';

/** Two SHA-256; `canonical` is null where the body has no safe canonical form and only `raw` counts. */
export type Fingerprint = { readonly raw: Uint8Array; readonly canonical: Uint8Array | null };

/** Stored fingerprints outlive an upgrade: whoever changes what goes into them counts this up and reads the old one too. */
const VERSION = 1;

/** Longer than any number a client's JSON library writes; bounds the regular expressions below on a hostile body. */
const NUMBER_LENGTH_MAX = 64;
/** Any decimal of up to 15 significant digits comes back unchanged from a double (IEEE 754 binary64). */
const EXACT_LENGTH_MAX = 15;

const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/**
 * `parsed` must be what JSON.parse made of `raw`, with nothing added, removed or defaulted.
 * `mode` is whatever else decides what the request means (the batch validation mode).
 */
export function fingerprint(raw: Uint8Array, parsed: unknown, mode: string): Fingerprint {
  let canonical: Uint8Array | null | undefined;
  return {
    raw: digest('raw', mode, raw),
    /** Made when it is asked for: an honest retry mostly repeats its bytes, and its raw fingerprint decides. */
    get canonical() {
      if (canonical === undefined) {
        const form = canonicalForm(raw, parsed);
        canonical = form === null ? null : digest('canonical', mode, form);
      }
      return canonical;
    },
  };
}

/** Either match is a match: the raw one survives a server upgrade, the canonical one a client that reorders its JSON. */
export function sameRequest(a: Fingerprint, b: Fingerprint): boolean {
  if (Buffer.compare(a.raw, b.raw) === 0) return true;
  return a.canonical !== null && b.canonical !== null && Buffer.compare(a.canonical, b.canonical) === 0;
}

/** The prefix is one line of JSON, which escapes line feeds: no mode and body can be cut in another place. */
function digest(form: 'raw' | 'canonical', mode: string, content: Uint8Array | string): Uint8Array {
  const prefix = `${JSON.stringify(['sendonce-fingerprint', VERSION, form, mode])}\n`;
  const whole = typeof content === 'string' ? prefix + content : Buffer.concat([Buffer.from(prefix), content]);
  return hash('sha256', whole, 'buffer');
}

/** RFC 8785, or null where two different bodies could share one form. */
function canonicalForm(raw: Uint8Array, parsed: unknown): string | null {
  // Invalid UTF-8 is decoded to U+FFFD, whatever the bytes were.
  if (!isUtf8(raw)) return null;
  // As Latin-1 every byte is one unit and no copy is transcoded; all that JSON's syntax is made of is ASCII.
  const text = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('latin1');
  const written = countMembersWritten(text);
  if (written === null) return null;
  try {
    const sorted = new SortedMembers(parsed);
    // JSON.parse keeps one of several members of the same name, however they were spelled: fewer kept than written is a duplicate.
    if (sorted.count !== written) return null;
    const isPlain = sorted.isPlain && !surrogateEscape.test(text);
    return (isPlain ? JSON.stringify(sorted.value) : canonicalize(parsed)) ?? null;
  } catch {
    // A lone surrogate, or nesting deeper than the stack: the raw fingerprint remains.
    return null;
  }
}

/** In valid UTF-8 a lone surrogate can only be written as an escape. */
const surrogateEscape = /\\u[dD][89a-fA-F]/;

/**
 * A JSON value with its members in order, and how many it has. JSON.stringify of it is RFC 8785, in half the time of the
 * library; where an object cannot be put in order (it lists names like `1` first, and `__proto__` is no member), `isPlain`
 * is false and the library is asked.
 */
class SortedMembers {
  readonly value: unknown;
  count = 0;
  isPlain = true;

  constructor(parsed: unknown) {
    this.value = this.#sort(parsed);
  }

  #sort(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((element) => this.#sort(element));
    const sorted: Record<string, unknown> = {};
    for (const name of Object.keys(value).sort()) {
      this.count += 1;
      const first = name.charCodeAt(0);
      if ((first >= ZERO && first <= NINE) || name === '__proto__') this.isPlain = false;
      sorted[name] = this.#sort((value as Record<string, unknown>)[name]);
    }
    return sorted;
  }
}

/** Counts the members of all objects in a valid JSON text; null where a number does not survive parsing. */
function countMembersWritten(text: string): number | null {
  let members = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = closingQuote(text, at);
    } else if (code === COLON) {
      members++;
    } else if (code === MINUS || (code >= ZERO && code <= NINE)) {
      const end = numberEnd(text, at);
      if (!survivesParsing(text, at, end)) return null;
      at = end - 1;
    }
  }
  return members;
}

/** Jumps from quote to quote (memchr): a megabyte of Base64 is one step. */
function closingQuote(text: string, opening: number): number {
  let from = opening + 1;
  for (;;) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return text.length;
    let backslash = quote - 1;
    while (text.charCodeAt(backslash) === BACKSLASH) backslash--;
    const escapes = quote - 1 - backslash;
    if (escapes % 2 === 0) return quote;
    from = quote + 1;
  }
}

/** Of a number in valid JSON, so that `+` and letters can only be those of an exponent. */
function numberEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && '0123456789+-.eE'.includes(text.charAt(at))) at++;
  return at;
}

/** Whether the number written and the number parsed are the same number, and not an integer beyond 2^53 (I-JSON, RFC 7493 §2.2). */
function survivesParsing(text: string, start: number, end: number): boolean {
  if (end - start > NUMBER_LENGTH_MAX) return false;
  const written = text.slice(start, end);
  if (written.length <= EXACT_LENGTH_MAX && !/[eE]/.test(written)) return true;
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
