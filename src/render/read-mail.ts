/** Reads what a client wrote as a whole mail: its texts and files, for showing. It leaves as it was written, whatever is read in it. */

import { isUtf8 } from 'node:buffer';
import { decodeWords } from 'postal-mime';
import { type MailPart, partsOf } from './mail-parts.ts';

export type MailFile = { filename: string; contentType: string; contentId: string | null; sizeBytes: number };
export type MailRead = { html: string | null; text: string | null; files: MailFile[] };

export const nothingRead: MailRead = { html: null, text: null, files: [] };

/** More are not listed. */
const filesMax = 200;
/** Of each, encoded: what is longer is shown so far. */
const textBytesMax = 1024 * 1024;
const filenameCharsMax = 255;

export function readMail(mail: Uint8Array): MailRead {
  const bytes = Buffer.from(mail.buffer, mail.byteOffset, mail.length);
  const parts = partsOf(bytes);
  return {
    html: textOf(bytes, parts, 'text/html'),
    text: textOf(bytes, parts, 'text/plain'),
    files: parts
      .filter(isFile)
      .slice(0, filesMax)
      .map((part) => fileOf(bytes, part)),
  };
}

/** Null where there is no such file. */
export function readMailFile({ mail, position }: { mail: Uint8Array; position: number }): Uint8Array | null {
  const bytes = Buffer.from(mail.buffer, mail.byteOffset, mail.length);
  const part = partsOf(bytes).filter(isFile)[position];
  return part ? contentOf(bytes, part) : null;
}

function isFile({ type, disposition, filename }: MailPart): boolean {
  return disposition === 'attachment' || filename !== '' || (type !== 'text/plain' && type !== 'text/html');
}

function fileOf(mail: Buffer, part: MailPart): MailFile {
  const name = decodeWords(part.filename)
    .replace(/[\p{Cc}\p{Cs}]+/gu, ' ')
    .trim()
    .slice(0, filenameCharsMax);
  return {
    filename: name || (part.type === 'message/rfc822' ? 'message.eml' : 'attachment'),
    contentType: /^[\w.+-]{1,127}\/[\w.+-]{1,127}$/.test(part.type) ? part.type : 'application/octet-stream',
    contentId: part.contentId === '' ? null : part.contentId,
    sizeBytes: contentOf(mail, part).length,
  };
}

function textOf(mail: Buffer, parts: readonly MailPart[], type: string): string | null {
  const texts = parts.filter((part) => part.type === type && !isFile(part));
  let left = textBytesMax;
  const shown = texts.map((part) => {
    const end = Math.min(part.end, part.start + left);
    left -= end - part.start;
    return decode(contentOf(mail, { ...part, end }), part.charset)
      .replaceAll('\r\n', '\n')
      .replaceAll('\0', ' ');
  });
  return shown.length === 0 ? null : shown.join('\n');
}

function decode(bytes: Buffer, charset: string): string {
  const isPlain = charset === '' || /^(?:utf-?8|us-ascii|ascii)$/i.test(charset);
  if (isPlain) return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');
  }
}

function contentOf(mail: Buffer, { encoding, start, end }: MailPart): Buffer {
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
