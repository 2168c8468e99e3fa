/** Files of a request, as every facade reads them: Base64, names made safe, content types, and what is still at its URL. */

import mime from 'mime-types';
import { type DraftAttachment, isRemote, type RemoteAttachment } from '../core/draft.ts';
import type { Attachment } from '../core/email.ts';
import { AppError } from '../core/error.ts';
import type { Egress } from '../egress/egress.ts';
import { breaksLine, wellFormed } from './fields.ts';

export type RemoteLimits = { maxBytes: number; timeoutMs: number };

/** Presigned URLs carry their signature; 8 kB is where common servers stop. */
const urlCharsMax = 8_192;
/** What ext4, NTFS and APFS can store. */
const filenameCharsMax = 255;

/**
 * Standard and URL-safe alphabet, padded or not, whitespace allowed; null for anything else, and for nothing at all. Node's
 * decoder skips what it does not know instead of failing; a result shorter than the text promises is how that shows, at a
 * tenth of the price of a regular expression.
 */
export function decodeBase64(text: string): Uint8Array | null {
  const direct = Buffer.from(text, 'base64');
  if (direct.length > 0 && direct.length === decodedLength(text)) return direct;
  const dense = text.replace(/\s+/g, '');
  const decoded = Buffer.from(dense, 'base64');
  return decoded.length === 0 || decoded.length !== decodedLength(dense) ? null : decoded;
}

/** -1 where no Base64 text has this length. */
function decodedLength(text: string): number {
  let chars = text.length;
  if (text.endsWith('==')) chars -= 2;
  else if (text.endsWith('=')) chars -= 1;
  return chars % 4 === 1 ? -1 : Math.floor((chars * 3) / 4);
}

export function isHttpUrl(text: string): boolean {
  return text.length <= urlCharsMax && /^https?:\/\//i.test(text) && !breaksLine(text) && URL.canParse(text);
}

/** Control characters, and the bidirectional overrides that make `gpj.exe` read as `exe.jpg`. */
const unsafeChars = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Null where nothing is left. Path separators become `_`, so that `Q3/Q4.pdf` stays recognisable. */
export function safeFilename(text: string): string | null {
  const named = wellFormed(text.slice(0, urlCharsMax)).replace(unsafeChars, '').replace(/[/\\]/g, '_').trimStart();
  const safe = withoutTrailing(named);
  return safe === '' ? null : shorten(safe);
}

/**
 * Blanks and dots at the end, which Windows drops, too: `run.exe.` would otherwise not end in `.exe`. From the end, not by
 * `[\s.]+$`, which begins anew at each dot of a name that goes on: 200 such names took 11 s.
 */
function withoutTrailing(text: string): string {
  let end = text.length;
  while (end > 0 && /[\s.]/.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

/** Cuts the stem, never the extension. */
function shorten(filename: string): string {
  if (filename.length <= filenameCharsMax) return filename;
  const extension = /\.[^.]{1,20}$/.exec(filename)?.[0] ?? '';
  return wellFormed(filename.slice(0, filenameCharsMax - extension.length)) + extension;
}

export function filenameFromUrl(url: string): string | null {
  const segment = new URL(url).pathname.split('/').pop() ?? '';
  return safeFilename(decodeSegment(segment));
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    // A stray percent sign: the name as it stands is good enough.
    return segment;
  }
}

export function extensionOf(filename: string): string | null {
  return /\.([^.]*)$/.exec(filename)?.[1]?.toLowerCase() ?? null;
}

export function contentTypeOf(filename: string | null): string | null {
  return filename === null ? null : mime.lookup(filename) || null;
}

/** What a facade makes of a fetched file; `servedType` is the answer's Content-Type. */
export type Complete = (remote: RemoteAttachment, content: Uint8Array, servedType: string | null) => Attachment;

/**
 * Fetches what the author gave as URLs; all together may take no more time and bytes than one of them.
 * @throws AppError `invalid_attachment`, and whatever `complete` throws.
 */
export async function fetchAttachments(
  { egress, remote }: { egress: Egress; remote: RemoteLimits },
  drafted: DraftAttachment[],
  complete: Complete,
): Promise<Attachment[]> {
  const attachments: Attachment[] = [];
  const giveUpAt = performance.now() + remote.timeoutMs;
  let room = remote.maxBytes;
  for (const attachment of drafted) {
    if (!isRemote(attachment)) {
      attachments.push(attachment);
      continue;
    }
    const timeoutMs = giveUpAt - performance.now();
    if (timeoutMs <= 0) throw unfetched(`all of them together took longer than ${remote.timeoutMs / 1_000} s.`);
    const fetched = await egress.fetchBytes(attachment.path, { maxBytes: room, timeoutMs });
    if (fetched.kind === 'too_large') throw unfetched(`with it there are more than ${remote.maxBytes} bytes.`);
    if (fetched.kind !== 'ok') throw unfetched(fetched.message);
    room -= fetched.bytes.length;
    const named = { ...attachment, filename: attachment.filename ?? fetched.filename };
    attachments.push(complete(named, fetched.bytes, fetched.contentType));
  }
  return attachments;
}

function unfetched(reason: string): AppError {
  return new AppError('invalid_attachment', `The attachment could not be fetched: ${reason}`);
}
