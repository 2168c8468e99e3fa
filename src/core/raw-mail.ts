/** What leaves of a mail that a client wrote itself: its bytes, behind the trace, what its header lacked, and our signature. */

import { isUtf8 } from 'node:buffer';
import { createHash, hash } from 'node:crypto';
import type { DkimSigner } from './dkim.ts';
import { hashBody } from './dkim-body.ts';
import type { Email, RawMail } from './email.ts';
import { bufferOf, type Pieces } from './pieces.ts';

/** The whole message in pieces, and their SHA-256. */
export type Composed = { pieces: Pieces; contentHash: Uint8Array };

type Named = Pick<Email, 'id' | 'messageId' | 'createdAt' | 'scheduledAt'>;

/** The same email makes the same bytes, in every process. Nothing its author wrote is read but the end of its header, and that to sign it. */
export function composeRaw(email: Named, { bytes, ...raw }: RawMail, signer: DkimSigner | null): Composed {
  const whole = bufferOf(bytes);
  const bodyAt = endOfHeader(whole);
  const head = whole.subarray(0, bodyAt);
  const added =
    (raw.messageId === null ? `Message-ID: ${email.messageId}\r\n` : '') +
    (raw.hasDate ? '' : dateField(sentAtMs(email)));
  const signature = signer === null ? '' : signatureOf(signer, { added, head, body: whole.subarray(bodyAt) }, email);
  // Header fields stand whole in the first piece.
  const first = Buffer.concat([Buffer.from(signature + traceField(email, raw) + added), head]);
  const pieces = [first, whole.subarray(bodyAt)];
  return { pieces, contentHash: hashOf(pieces) };
}

/** Behind the empty line that ends it. */
export function endOfHeader(mail: Buffer): number {
  if (mail.length >= 2 && mail[0] === 0x0d && mail[1] === 0x0a) return 2;
  const end = mail.indexOf('\r\n\r\n');
  return end === -1 ? mail.length : end + 4;
}

export function sentAtMs(email: Pick<Email, 'createdAt' | 'scheduledAt'>): number {
  return Math.max(email.createdAt, email.scheduledAt ?? 0);
}

export function dateField(atMs: number): string {
  return `Date: ${dateOf(atMs)}\r\n`;
}

export function hashOf(pieces: Pieces): Uint8Array {
  const [only] = pieces;
  if (pieces.length === 1 && only) return hash('sha256', only, 'buffer');
  const whole = createHash('sha256');
  for (const piece of pieces) whole.update(piece);
  return whole.digest();
}

/** RFC 5321 4.4; where its client is stays between the two of us. */
function traceField(email: Named, { trace }: Pick<RawMail, 'trace'>): string {
  return `Received: by ${trace.by} with ${trace.protocol} id ${email.id};\r\n ${dateOf(email.createdAt)}\r\n`;
}

function dateOf(atMs: number): string {
  return new Date(atMs).toUTCString().replace('GMT', '+0000');
}

type Parts = { added: string; head: Buffer; body: Buffer };

/** Fields in another charset than UTF-8 are no header a signature could cover as it is read (RFC 6376 2): it is left out. */
function signatureOf(signer: DkimSigner, { added, head, body }: Parts, email: Named): string {
  if (!isUtf8(head)) return '';
  const fields = head.toString().replace(/\r\n$/, '');
  return signer.sign(added + fields, hashBody([body]), sentAtMs(email));
}
