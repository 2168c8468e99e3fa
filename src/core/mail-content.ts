/** What a part of a mail holds: its transfer encoding and its charset undone. */

import { isUtf8 } from 'node:buffer';
import type { MailPart } from './mail-parts.ts';

/** As text; what says nothing of its charset, or nothing true, is UTF-8 where it can be. */
export function decode(bytes: Buffer, charset: string): string {
  const isPlain = charset === '' || /^(?:utf-?8|us-ascii|ascii)$/i.test(charset);
  if (isPlain) return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');
  }
}

/** The bytes that a part stands for (RFC 2045 6). */
export function contentOf(mail: Buffer, { encoding, start, end }: MailPart): Buffer {
  const content = mail.subarray(start, end);
  if (encoding === 'base64') return Buffer.from(content.toString('latin1'), 'base64');
  return encoding === 'quoted-printable' ? unquotedPrintable(content) : content;
}

const equals = 0x3d;

/** RFC 2045 6.7; what is no code stays as it is. */
function unquotedPrintable(content: Buffer): Buffer {
  const out = Buffer.allocUnsafe(content.length);
  let length = 0;
  for (let at = 0; at < content.length; at++) {
    const byte = content[at] as number;
    if (byte !== equals) {
      out[length++] = byte;
      continue;
    }
    const two = content.toString('latin1', at + 1, at + 3);
    if (/^[\da-f]{2}$/i.test(two)) out[length++] = Number.parseInt(two, 16);
    else if (two !== '\r\n') {
      out[length++] = byte;
      continue;
    }
    at += 2;
  }
  return out.subarray(0, length);
}
