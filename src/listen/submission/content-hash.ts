/** What a mail is, whoever wrote it out: the same for one that its client has put together anew for another try. */

import { createHash, type Hash } from 'node:crypto';
import type { ReadHeader } from './header.ts';

/**
 * Written anew on each try by ordinary clients, or on the way: they tell no two mails apart. A signature follows from what is signed.
 * The key is not part of what it names.
 */
const isPassing =
  /^(?:message-id|date|received|return-path|dkim-signature|arc-.*|x-received|authentication-results|resend-idempotency-key)$/;

/** How deep parts may stand in parts, by the boundaries that are known at once. */
const boundariesMax = 1_000;
/** RFC 2046 5.1.1 allows 70; a longer line is looked at by nobody. */
const boundaryLineMax = 210;

/**
 * SHA-256 in hex. Boundaries count by their order, header fields without their folding. Linear in the mail: each line is looked at once.
 */
export function hashContent(mail: Buffer, { fields, bodyAt }: ReadHeader): string {
  const hash = createHash('sha256');
  const boundaries = new Map<string, number>();
  for (const { name, value } of fields) {
    if (!isPassing.test(name)) hash.update(plainField(name, value, boundaries));
  }
  hash.update('\n');
  hashBody(hash, mail, bodyAt, boundaries);
  return hash.digest('hex');
}

function plainField(name: string, value: string, boundaries: Map<string, number>): string {
  const said = name === 'content-type' ? withoutBoundary(value, boundaries) : value;
  return `${name}:${said.replace(/[ \t]+/g, ' ')}\n`;
}

/** Takes the boundary up as the next one, and writes its number in its place. */
function withoutBoundary(value: string, boundaries: Map<string, number>): string {
  const parameter = /;[ \t]*boundary[ \t]*=[ \t]*(?:"([^"\\]{1,200})"|([^\s;"]{1,200}))/i.exec(value);
  const boundary = parameter?.[1] ?? parameter?.[2];
  if (!parameter || boundary === undefined || boundaries.size >= boundariesMax) return value;
  if (!boundaries.has(boundary)) boundaries.set(boundary, boundaries.size);
  const before = value.slice(0, parameter.index);
  return `${before}; boundary=${boundaries.get(boundary)}${value.slice(parameter.index + parameter[0].length)}`;
}

/** What stands between two boundaries is hashed as it is; only lines that could be one are looked at. */
function hashBody(hash: Hash, mail: Buffer, bodyAt: number, boundaries: Map<string, number>): void {
  let from = bodyAt;
  let at = bodyAt;
  while (boundaries.size > 0) {
    // A body follows an empty line, and a part's too: what stands before its first line is CRLF.
    const found = mail.indexOf('\r\n--', at - 2);
    if (found === -1) break;
    const line = lineAt(mail, found + 2);
    const delimiter = delimiterIn(mail, line, boundaries);
    at = line.next;
    if (delimiter === null) continue;
    hash.update(mail.subarray(from, line.start));
    hash.update(`--#${delimiter}\n`);
    from = delimiter.endsWith('--') ? line.next : hashPartHeader(hash, mail, line.next, boundaries);
    at = from;
  }
  hash.update(mail.subarray(from));
}

type Line = { start: number; end: number; next: number };

function lineAt(mail: Buffer, start: number): Line {
  const end = mail.indexOf('\r\n', start);
  return end === -1 ? { start, end: mail.length, next: mail.length } : { start, end, next: end + 2 };
}

/** The number of the boundary that a line is, with `--` behind it where it is the last; null: it is none. */
function delimiterIn(mail: Buffer, { start, end }: Line, boundaries: Map<string, number>): string | null {
  if (end - start > boundaryLineMax) return null;
  const text = mail.toString('latin1', start + 2, end).trimEnd();
  const known = boundaries.get(text);
  if (known !== undefined) return String(known);
  const last = text.endsWith('--') ? boundaries.get(text.slice(0, -2)) : undefined;
  return last === undefined ? null : `${last}--`;
}

/** @returns where the part's own content begins. */
function hashPartHeader(hash: Hash, mail: Buffer, start: number, boundaries: Map<string, number>): number {
  let field = '';
  const flush = () => {
    const colon = field.indexOf(':');
    if (field !== '')
      hash.update(
        plainField(field.slice(0, Math.max(0, colon)).trim().toLowerCase(), field.slice(colon + 1).trim(), boundaries),
      );
    field = '';
  };
  for (let line = lineAt(mail, start); ; line = lineAt(mail, line.next)) {
    const text = mail.toString('latin1', line.start, line.end);
    if (text !== '' && (text.startsWith(' ') || text.startsWith('\t'))) field += text;
    else {
      flush();
      field = text;
    }
    if (text === '' || line.next === line.end) {
      flush();
      hash.update('\n');
      return line.next;
    }
  }
}
