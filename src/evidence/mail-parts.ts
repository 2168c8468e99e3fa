/** A mail as far as reports need it: its header, and its leaves with what they say. */

import { contentOf, decode } from '../core/mail-content.ts';
import { type MailPart, partsOf } from '../core/mail-parts.ts';
import { endOfHeader } from '../core/raw-mail.ts';
import { type Fields, readFields } from './fields.ts';

export type Leaf = { type: string; text: () => string };

export type MailParts = { header: Fields; leaves: Leaf[] };

const leavesMax = 100;

/** Null: it is nested deeper, or has more parts, than any notice. */
export function readMailParts(bytes: Uint8Array): MailParts | null {
  const mail = inLines(bytes);
  const parts = partsOf(mail);
  if (parts.length > leavesMax || parts.some(({ type }) => type.startsWith('multipart/'))) return null;
  // Header fields beyond ASCII are UTF-8 (RFC 6532).
  const header = readFields(mail.subarray(0, endOfHeader(mail)).toString());
  return { header, leaves: parts.filter(isRead).map((part) => leafOf(mail, part)) };
}

/** Lines end in CRLF over SMTP, and as the system has it in a pipe. */
function inLines(bytes: Uint8Array): Buffer {
  const mail = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return Buffer.from(mail.toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1');
}

/** A file that somebody attached says nothing; a mail, or a report, that is attached does. */
function isRead({ type, disposition }: MailPart): boolean {
  return disposition !== 'attachment' || type.startsWith('message/');
}

function leafOf(mail: Buffer, part: MailPart): Leaf {
  return { type: part.type, text: () => decode(contentOf(mail, part), part.charset).replaceAll('\r\n', '\n') };
}
