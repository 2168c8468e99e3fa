/** Looks at a mail as it arrives: lines end in CRLF and nothing else (what ends otherwise smuggles mails), and none is too long. */

import { AppError } from '../../core/error.ts';

const [cr, lf] = [0x0d, 0x0a];

/** @returns what is told each piece. @throws AppError `unreadable` for a CR or LF alone, for NUL, and for a line that is too long. */
export function createLineCheck(lineBytesMax: number): (chunk: Buffer) => void {
  let lineBytes = 0;
  let wasCr = false;

  function endLine(): void {
    if (lineBytes > lineBytesMax) throw tooLong(lineBytesMax);
    lineBytes = 0;
  }

  return (chunk) => {
    if (chunk.includes(0)) throw new AppError('unreadable', 'It has a NUL character in it (RFC 5322 4).');
    let at = 0;
    if (wasCr && chunk.length > 0) {
      if (chunk[0] !== lf) throw bare();
      endLine();
      at = 1;
    }
    wasCr = false;
    for (;;) {
      const returnAt = chunk.indexOf(cr, at);
      const feedAt = chunk.indexOf(lf, at);
      const end = returnAt === -1 ? chunk.length : returnAt;
      if (feedAt !== -1 && feedAt < end) throw bare();
      lineBytes += end - at;
      if (returnAt === -1) break;
      wasCr = returnAt === chunk.length - 1;
      if (wasCr) break;
      if (chunk[returnAt + 1] !== lf) throw bare();
      endLine();
      at = returnAt + 2;
    }
    // One that does not end is not waited for.
    if (lineBytes > lineBytesMax) throw tooLong(lineBytesMax);
  };
}

function bare(): AppError {
  return new AppError('unreadable', 'It has a CR or LF that stands alone: lines end in CRLF (RFC 5321 2.3.8).');
}

function tooLong(bytes: number): AppError {
  return new AppError(
    'unreadable',
    `It has a line of more than ${bytes} octets (RFC 5321 4.5.3.1.6): encode it as quoted-printable or Base64.`,
  );
}
