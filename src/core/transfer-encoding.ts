/** Transfer encodings (RFC 2045 6) of texts and files, piece by piece: none is ever a string as long as a mail. */

import { bufferOf } from './pieces.ts';
import { quotedPrintablePieces } from './quoted-printable.ts';

/** A text as its author wrote it; or as it is stored, in UTF-8. */
export type Text = string | Uint8Array;

/** Each piece may be written over by the next. */
export type Encoded = { encoding: '7bit' | 'base64' | 'quoted-printable'; pieces: Iterable<Uint8Array> };

/** RFC 5322 2.1.1. */
const lineLengthMax = 998;
const columnsMax = 76;
/** 76 columns of Base64. */
const lineBytes = 57;
/** Whole lines, so that each piece can be encoded alone. */
const pieceBytes = lineBytes * 1024;

const cr = 0x0d;
const lf = 0x0a;
const tab = 0x09;

/**
 * 7bit where the text allows it and `boundaryMark` is not in it, else the shorter of quoted-printable and base64. Newlines of any
 * kind become CRLF.
 */
export function encodeText(text: Text, boundaryMark: string): Encoded {
  const bytes = typeof text === 'string' ? Buffer.from(text) : bufferOf(text);
  const seen = survey(bytes);
  const lines = seen.addedBytes === 0 ? [bytes] : withCrlf(bytes);
  if (seen.is7bit && !bytes.includes(boundaryMark)) return { encoding: '7bit', pieces: lines };
  // Characters beyond ASCII have two to four bytes: about twice as many must be escaped as there are bytes too many.
  return seen.bytesBeyond * 12 > bytes.length + seen.addedBytes
    ? { encoding: 'base64', pieces: encodeLines(lines) }
    : { encoding: 'quoted-printable', pieces: quotedPrintablePieces(bytes) };
}

/** RFC 2045 6.8, 76 columns; without a CRLF after the last line. */
export function encodeBase64(bytes: Uint8Array): Iterable<Uint8Array> {
  return encodeLines([bufferOf(bytes)]);
}

type Survey = {
  /** ASCII without controls, in lines that are short enough. */
  is7bit: boolean;
  /** More bytes than UTF-16 has units. */
  bytesBeyond: number;
  /** By making every line end CRLF. */
  addedBytes: number;
};

/** One pass over the bytes: texts of many megabytes are made to no string. */
function survey(bytes: Uint8Array): Survey {
  let is7bit = true;
  let bytesBeyond = 0;
  let addedBytes = 0;
  let lineStart = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte >= 0x80) {
      is7bit = false;
      // Each character beyond ASCII leads with one byte and continues with others; of four bytes UTF-16 makes two units.
      if (byte < 0xc0) bytesBeyond += 1;
      else if (byte >= 0xf0) bytesBeyond -= 1;
    } else if (byte === lf || byte === cr) {
      if (at - lineStart > lineLengthMax) is7bit = false;
      if (byte === cr && bytes[at + 1] === lf) at += 1;
      else addedBytes += 1;
      lineStart = at + 1;
    } else if ((byte < 0x20 && byte !== tab) || byte === 0x7f) is7bit = false;
  }
  if (bytes.length - lineStart > lineLengthMax) is7bit = false;
  return { is7bit, bytesBeyond, addedBytes };
}

function* withCrlf(bytes: Buffer): Generator<Buffer> {
  const room = Buffer.allocUnsafe(2 * Math.min(pieceBytes, bytes.length));
  for (let start = 0; start < bytes.length; ) {
    let end = Math.min(start + pieceBytes, bytes.length);
    // Never between CR and LF.
    while (end < bytes.length && bytes[end - 1] === cr) end += 1;
    // As latin1 every byte stays itself; ten times as fast as a loop over bytes.
    const piece = bytes.toString('latin1', start, end);
    const lines = piece.includes('\r') ? piece.replace(/\r\n?|\n/g, '\r\n') : piece.replaceAll('\n', '\r\n');
    yield lines.length <= room.length ? room.subarray(0, room.write(lines, 'latin1')) : Buffer.from(lines, 'latin1');
    start = end;
  }
}

function* encodeLines(pieces: Iterable<Buffer>): Generator<Buffer> {
  let isFirst = true;
  // Less than a line.
  let left: Buffer = Buffer.alloc(0);
  let room: Buffer = Buffer.alloc(0);
  const encode = (bytes: Buffer) => {
    // Four bytes for three, and line ends.
    if (room.length < 2 * bytes.length + columnsMax) room = Buffer.allocUnsafe(2 * bytes.length + columnsMax);
    const lines = base64Lines(bytes, isFirst, room);
    isFirst = false;
    return lines;
  };
  for (const piece of pieces) {
    const bytes = left.length === 0 ? piece : Buffer.concat([left, piece]);
    const whole = bytes.length - (bytes.length % lineBytes);
    for (let at = 0; at < whole; at += pieceBytes) yield encode(bytes.subarray(at, Math.min(at + pieceBytes, whole)));
    // Of its own: what it is part of may be written over.
    left = Buffer.from(bytes.subarray(whole));
  }
  if (left.length > 0) yield encode(left);
}

function base64Lines(bytes: Buffer, isFirst: boolean, room: Buffer): Buffer {
  const encoded = bytes.toString('base64');
  const lines = isFirst ? [] : [''];
  for (let from = 0; from < encoded.length; from += columnsMax) lines.push(encoded.slice(from, from + columnsMax));
  return room.subarray(0, room.write(lines.join('\r\n'), 'latin1'));
}
