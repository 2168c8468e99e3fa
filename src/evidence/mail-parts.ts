/**
 * A mail taken apart as far as reports need it (RFC 2045, 2046): its header, and its leaves with what they say. Ours, since a library
 * that awaits each line took a second for each ten thousand: bounces quote whole mails.
 */

import { type Fields, fieldOf, readFields } from './fields.ts';

export type Leaf = { type: string; text: () => string };

export type MailParts = { header: Fields; leaves: Leaf[] };

const depthMax = 20;
const leavesMax = 100;
const headerLinesMax = 2_000;

/** Null: it is nested deeper, or has more parts, than any notice. */
export function readMailParts(bytes: Uint8Array): MailParts | null {
  // A character a byte, so that nothing is lost before its charset is known.
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1').split(/\r?\n/);
  const leaves: Leaf[] = [];
  const header = readPart({ lines, from: 0, to: lines.length }, 0, leaves);
  return header && { header, leaves };
}

/** Lines from one up to another. */
type Range = { lines: readonly string[]; from: number; to: number };

/** Its header; null where it is too deep. */
function readPart(range: Range, depth: number, leaves: Leaf[]): Fields | null {
  if (depth > depthMax || leaves.length > leavesMax) return null;
  const { lines, from, to } = range;
  let end = from;
  while (end < to && lines[end] !== '' && end - from < headerLinesMax) end += 1;
  const header = readFields(utf8Of(lines.slice(from, end).join('\n')));
  const body = { lines, from: Math.min(end + 1, to), to };
  const contentType = fieldOf(header, 'content-type');
  const type = /^[\w.+-]+\/[\w.+-]+/.exec(contentType)?.[0].toLowerCase() ?? 'text/plain';
  const boundary = parameterOf(contentType, 'boundary');
  if (!type.startsWith('multipart/') || boundary === null) {
    if (!/^\s*attachment\b/i.test(fieldOf(header, 'content-disposition')) || type.startsWith('message/')) {
      leaves.push({ type, text: () => textOf(body, header) });
    }
    return header;
  }
  return rangesIn(body, boundary).every((part) => readPart(part, depth + 1, leaves) !== null) ? header : null;
}

/** RFC 2046 5.1.1: what stands between the lines of a boundary. */
function rangesIn({ lines, from, to }: Range, boundary: string): Range[] {
  const ranges: Range[] = [];
  const mark = `--${boundary}`;
  let start = -1;
  for (let at = from; at < to; at++) {
    const line = lines[at] ?? '';
    if (!line.startsWith(mark)) continue;
    const rest = line.slice(mark.length).trimEnd();
    if (rest !== '' && rest !== '--') continue;
    if (start >= 0) ranges.push({ lines, from: start, to: at });
    start = at + 1;
    if (rest === '--') return ranges;
    if (ranges.length > leavesMax) return ranges;
  }
  // What was cut off counts as far as it goes.
  if (start >= 0) ranges.push({ lines, from: start, to });
  return ranges;
}

function parameterOf(value: string, name: string): string | null {
  const [, quoted, plain] =
    new RegExp(`;\\s*${name}\\s*=\\s*(?:"([^"]{1,200})"|([^\\s;"]{1,200}))`, 'i').exec(value) ?? [];
  return quoted ?? plain ?? null;
}

function textOf({ lines, from, to }: Range, header: Fields): string {
  const text = lines.slice(from, to).join('\n');
  const encoding = fieldOf(header, 'content-transfer-encoding').toLowerCase();
  const bytes = encoding.startsWith('base64')
    ? Buffer.from(text, 'base64')
    : Buffer.from(encoding.startsWith('quoted-printable') ? unquote(text) : text, 'latin1');
  return decode(bytes, parameterOf(fieldOf(header, 'content-type'), 'charset'));
}

/** RFC 2045 6.7. */
function unquote(text: string): string {
  return text
    .replace(/=[ \t]{0,10}\n/g, '')
    .replace(/=([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

function decode(bytes: Uint8Array, charset: string | null): string {
  try {
    return new TextDecoder(charset ?? 'utf-8').decode(bytes);
  } catch {
    return new TextDecoder().decode(bytes);
  }
}

/** Header fields beyond ASCII are UTF-8 (RFC 6532). */
function utf8Of(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}
