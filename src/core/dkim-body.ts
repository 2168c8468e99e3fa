/** The hash of a body that DKIM signs: in its relaxed form (RFC 6376 3.4.4), piece by piece. */

import { createHash, type Hash } from 'node:crypto';
import { bufferOf, type Pieces } from './pieces.ts';

/** What is made a string at once. */
const pieceBytes = 64 * 1024;

/** SHA-256 in Base64, as `bh=` says it. Line ends are CRLF, and no CR or LF stands alone. */
export function hashBody(body: Pieces): string {
  const relaxed = new RelaxedBody();
  for (const piece of body) {
    for (let at = 0; at < piece.length; at += pieceBytes) relaxed.update(bufferOf(piece.subarray(at, at + pieceBytes)));
  }
  return relaxed.finish();
}

/** Blanks and empty lines count only where something follows them: they are kept back, as numbers, until something does. */
class RelaxedBody {
  readonly #hash: Hash = createHash('sha256');
  /** The end of what came: a blank, or half a line end. */
  #cut = '';
  #emptyLines = 0;
  #isEmpty = true;

  update(piece: Buffer): void {
    // As latin1 every byte stays itself. Two plain replacements, not one for `[ \t]+\r\n`: that one takes quadratic time on long
    // runs of spaces.
    const text = (this.#cut + piece.toString('latin1')).replace(/[ \t]+/g, ' ').replaceAll(' \r\n', '\r\n');
    let end = text.length;
    if (text.endsWith('\r')) end -= 1;
    if (text.charAt(end - 1) === ' ') end -= 1;
    this.#cut = text.slice(end);
    const lines = end;
    while (end >= 2 && text.startsWith('\r\n', end - 2)) end -= 2;
    if (end > 0) this.#write(text.slice(0, end));
    this.#emptyLines += (lines - end) / 2;
  }

  finish(): string {
    if (!this.#isEmpty) this.#hash.update('\r\n');
    return this.#hash.digest('base64');
  }

  #write(text: string): void {
    for (let left = this.#emptyLines; left > 0; left -= pieceBytes) {
      this.#hash.update('\r\n'.repeat(Math.min(left, pieceBytes)));
    }
    this.#emptyLines = 0;
    this.#isEmpty = false;
    this.#hash.update(text, 'latin1');
  }
}
