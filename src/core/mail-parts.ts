/** The parts of a mail that is written already (RFC 2045, RFC 2046): where each stands in it. Every line is looked at once. */

/** `type` and `disposition` in lower case, empty where nothing is said. `start` to `end`: its content, encoded. */
export type MailPart = {
  type: string;
  charset: string;
  filename: string;
  disposition: string;
  contentId: string;
  encoding: string;
  start: number;
  end: number;
};

/** What more than these says is not shown. */
const partsMax = 1_000;
const depthMax = 50;
/** RFC 2046 5.1.1 allows 70. */
const boundaryLineMax = 210;
const partHeaderBytesMax = 64 * 1024;

/** The leaves, in order. What is no mail has one, which is all of it. */
export function partsOf(mail: Buffer): MailPart[] {
  const walk = new Walk(mail);
  walk.enter(0);
  while (walk.goOn());
  return walk.parts;
}

class Walk {
  readonly parts: MailPart[] = [];
  readonly #mail: Buffer;
  /** The outermost first; and how deep each is. */
  readonly #boundaries: string[] = [];
  readonly #depths = new Map<string, number>();
  #open: MailPart | null = null;
  #at = 0;

  constructor(mail: Buffer) {
    this.#mail = mail;
  }

  /** A part whose header begins there. */
  enter(start: number): void {
    const { fields, next } = headerAt(this.#mail, start);
    const { value: type, params } = parameterized(fields.get('content-type') ?? 'text/plain');
    const boundary = params.get('boundary') ?? '';
    this.#at = next;
    if (type.startsWith('multipart/') && boundary !== '' && this.#boundaries.length < depthMax) {
      this.#depths.set(boundary, this.#boundaries.length);
      this.#boundaries.push(boundary);
      return;
    }
    const { value: disposition, params: disposed } = parameterized(fields.get('content-disposition') ?? '');
    this.#open = {
      type,
      charset: params.get('charset') ?? '',
      filename: disposed.get('filename') ?? params.get('name') ?? '',
      disposition,
      contentId: (fields.get('content-id') ?? '').replace(/^<|>$/g, ''),
      encoding: (fields.get('content-transfer-encoding') ?? '').trim().toLowerCase(),
      start: next,
      end: this.#mail.length,
    };
  }

  /** To behind the next boundary. False: there is none. */
  goOn(): boolean {
    const found = this.#boundaries.length === 0 ? -1 : this.#mail.indexOf('\r\n--', Math.max(0, this.#at - 2));
    if (found === -1 || this.parts.length === partsMax) {
      this.#close(this.#mail.length);
      return false;
    }
    const lineEnd = this.#mail.indexOf('\r\n', found + 2);
    const end = lineEnd === -1 ? this.#mail.length : lineEnd;
    this.#at = lineEnd === -1 ? this.#mail.length : lineEnd + 2;
    if (end - found > boundaryLineMax) return true;
    const line = this.#mail.toString('latin1', found + 4, end).trimEnd();
    const depth = this.#depths.get(line);
    const lastOf = line.endsWith('--') ? this.#depths.get(line.slice(0, -2)) : undefined;
    if (depth === undefined && lastOf === undefined) return true;
    this.#close(found);
    this.#leave(depth === undefined ? (lastOf ?? 0) : depth + 1);
    if (depth !== undefined) this.enter(this.#at);
    return true;
  }

  /** A part may be empty: the CRLF before a boundary is the boundary's. */
  #close(end: number): void {
    if (this.#open) this.parts.push({ ...this.#open, end: Math.max(this.#open.start, end) });
    this.#open = null;
  }

  #leave(depth: number): void {
    for (const boundary of this.#boundaries.splice(depth)) this.#depths.delete(boundary);
  }
}

/** The fields that parts have, unfolded; the first of each name. `next`: behind the empty line. */
function headerAt(mail: Buffer, start: number): { fields: Map<string, string>; next: number } {
  const fields = new Map<string, string>();
  const limit = Math.min(mail.length, start + partHeaderBytesMax);
  const isEmpty = mail[start] === 0x0d && mail[start + 1] === 0x0a;
  const found = isEmpty ? start - 2 : mail.subarray(0, limit).indexOf('\r\n\r\n', start);
  const end = found === -1 ? limit : found;
  const text = isEmpty ? '' : mail.toString('latin1', start, end).replace(/\r\n(?=[ \t])/g, '');
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).trim().toLowerCase();
    if (colon > 0 && !fields.has(name))
      fields.set(
        name,
        Buffer.from(line.slice(colon + 1), 'latin1')
          .toString()
          .trim(),
      );
  }
  return { fields, next: found === -1 ? limit : found + 4 };
}

/** RFC 2045 5.1, RFC 2231: `value; name=text; name*0*=…`. */
function parameterized(text: string): { value: string; params: Map<string, string> } {
  const [value = '', ...rest] = splitOutsideQuotes(text);
  const params = new Map<string, string>();
  const pieces = new Map<string, string>();
  for (const one of rest) {
    const equals = one.indexOf('=');
    const name = one.slice(0, Math.max(0, equals)).trim().toLowerCase();
    const said = unquoted(one.slice(equals + 1).trim());
    const [, base = '', isEncoded = ''] = /^([^*]+)(?:\*\d{1,3})?(\*?)$/.exec(name) ?? [];
    if (base === name) {
      if (!params.has(name)) params.set(name, said);
    } else if (base !== '') pieces.set(base, (pieces.get(base) ?? '') + (isEncoded ? said : encodeURIComponent(said)));
  }
  for (const [name, said] of pieces) params.set(name, decoded2231(said));
  return { value: value.trim().toLowerCase(), params };
}

function splitOutsideQuotes(text: string): string[] {
  const parts: string[] = [];
  let from = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '\\' && isQuoted) at++;
    else if (char === '"') isQuoted = !isQuoted;
    else if (char === ';' && !isQuoted) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  return [...parts, text.slice(from)];
}

function unquoted(text: string): string {
  return text.startsWith('"') ? text.replace(/^"|"$/g, '').replace(/\\(.)/g, '$1') : text;
}

/** Other charsets than UTF-8 are rare enough to be shown as they are written. */
function decoded2231(text: string): string {
  const [, said = text] = /^[\w.-]*'[\w-]*'(.*)$/.exec(text) ?? [];
  try {
    return decodeURIComponent(said);
  } catch {
    return said;
  }
}
