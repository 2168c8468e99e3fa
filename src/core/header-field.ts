/** Header fields as they leave (RFC 5322 2.2, RFC 2047): folded, and in ASCII but for addresses beyond it. */

import assert from 'node:assert/strict';
import { parseMailbox } from './address.ts';

/** RFC 5322 2.1.1: what lines must fit in, and (with room for one more) what headers should. */
const lineLengthMax = 998;
const columnsMax = 76;
/** Longer words cannot be folded into lines of 998; encoded words can. */
export const wordLengthMax = 900;
/** RFC 2047 2 allows 75; less leaves room for the field name on the same line. */
const encodedWordLengthMax = 64;
/** Up to here a name or filename stays one quoted string, which nothing has to be folded in. */
export const quotedLengthMax = 60;

export const control = /\p{Cc}/gu;
export const printable = /^[ -~]*$/;

export function mailboxesField(name: string, mailboxes: string[]): string {
  return mailboxes.length === 0 ? '' : field(name, mailboxes.map(renderMailbox).join(', '));
}

function renderMailbox(text: string): string {
  const mailbox = parseMailbox(text);
  assert(mailbox !== null, 'an address of an accepted email must have been validated');
  const { name, address } = mailbox;
  if (name === '') return address;
  if (!isPlain(name) || name.length > quotedLengthMax) return `${encodeWords(name)} <${address}>`;
  const isPhrase = /^[\w!#$%&'*+\-/=?^`{|}~ ]+$/.test(name);
  return `${isPhrase ? name : `"${name.replace(/["\\]/g, '\\$&')}"`} <${address}>`;
}

export function textField(name: string, text: string): string {
  const value = text.replace(control, ' ');
  return field(name, isPlain(value) ? value : encodeWords(value));
}

/** Whether every reader of a header gets this text back as it is. */
export function isPlain(text: string): boolean {
  if (!printable.test(text) || text.includes('=?') || text.includes('  ')) return false;
  return !text.startsWith(' ') && !text.endsWith(' ') && hasShortWords(text);
}

export function hasShortWords(text: string): boolean {
  return text.length <= wordLengthMax || wordsOf(text).every((word) => word.length <= wordLengthMax);
}

/** Each word with the spaces before it; those at the end belong to none. Not by ` *[^ ]+`, which is quadratic on them. */
function wordsOf(text: string): string[] {
  const words = text.match(/ +[^ ]*|[^ ]+/g) ?? [];
  if (text.endsWith(' ')) words.pop();
  return words;
}

/** Folded before spaces, so that unfolding (taking the CRLFs out) gives the value back exactly. */
export function field(name: string, value: string): string {
  if (name.length + 2 + value.length <= columnsMax) return `${name}: ${value}\r\n`;
  const lines: string[] = [];
  let line = `${name}:`;
  for (const word of wordsOf(` ${value}`)) {
    // The first word stays beside the name: a first line without text is legal and trips some readers.
    const isFirst = lines.length === 0 && line.length === name.length + 1;
    if (line.length + word.length > (isFirst ? lineLengthMax : columnsMax)) {
      lines.push(line);
      line = '';
    }
    line += word;
  }
  return `${[...lines, line].join('\r\n')}\r\n`;
}

/** RFC 2047 encoded words, each of whole characters, in the shorter of the two encodings. */
export function encodeWords(text: string): string {
  const room = encodedWordLengthMax - '=?UTF-8?Q??='.length;
  const literals = text.match(/[A-Za-z0-9 !*+\-/]/g)?.length ?? 0;
  const bytes = Buffer.byteLength(text);
  const isQ = literals + (bytes - literals) * 3 <= (bytes * 4) / 3;
  const sizeMax = isQ ? room : Math.floor(room / 4) * 3;

  const words: string[] = [];
  let word = '';
  let size = 0;
  for (const character of text) {
    const piece = isQ ? encodeQ(character) : character;
    const pieceSize = isQ ? piece.length : Buffer.byteLength(character);
    if (size + pieceSize > sizeMax) {
      words.push(word);
      word = '';
      size = 0;
    }
    word += piece;
    size += pieceSize;
  }
  words.push(word);
  return words.map((encoded) => (isQ ? `=?UTF-8?Q?${encoded}?=` : `=?UTF-8?B?${btoaUtf8(encoded)}?=`)).join(' ');
}

/** RFC 2047 5 (3): what may stand literally in a phrase. */
function encodeQ(character: string): string {
  if (character === ' ') return '_';
  return /[A-Za-z0-9!*+\-/]/.test(character) ? character : hexBytes(character, '=');
}

const hexOf = Array.from({ length: 256 }, (_, byte) => byte.toString(16).toUpperCase().padStart(2, '0'));

export function hexBytes(text: string, mark: string): string {
  let hex = '';
  for (const byte of Buffer.from(text)) hex += mark + hexOf[byte];
  return hex;
}

function btoaUtf8(text: string): string {
  return Buffer.from(text).toString('base64');
}
