/** Reads what a client wrote as a whole mail: its texts and files, for showing. It leaves as it was written, whatever is read in it. */

import { decodeWords } from 'postal-mime';
import { contentOf, decode } from '../core/mail-content.ts';
import { type MailPart, partsOf } from '../core/mail-parts.ts';

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
