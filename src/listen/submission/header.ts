/** The header of a mail as it was written: its fields, and the mail without those that are said to us alone. */

import { isUtf8 } from 'node:buffer';
import { AppError } from '../../core/error.ts';
import { endOfHeader } from '../../core/raw-mail.ts';
import type { SubmissionLimits } from './limits.ts';

export type HeaderField = {
  /** In lower case. */
  name: string;
  writtenName: string;
  /** Unfolded, without blanks around it; bytes that are no UTF-8 are read as Latin-1. */
  value: string;
  start: number;
  /** Behind its CRLF. */
  end: number;
};

export type ReadHeader = { fields: readonly HeaderField[]; bodyAt: number };

type HeaderLimits = Pick<SubmissionLimits, 'headerBytesMax' | 'fieldsMax'>;

/** RFC 5322 3.6.8; a blank before the colon was once allowed (4.5). */
const fieldStart = /^([!-9;-~]{1,200})[ \t]*:/;

/** Takes what `createLineCheck` has let through. @throws AppError where it is too large, or something in it is no header field. */
export function readHeader(mail: Buffer, { headerBytesMax, fieldsMax }: HeaderLimits): ReadHeader {
  const bodyAt = endOfHeader(mail);
  if (bodyAt > headerBytesMax)
    throw new AppError('headers_too_large', `The header has more than ${headerBytesMax} octets.`);
  const fields: HeaderField[] = [];
  // The empty line is none of them.
  const end = mail.subarray(0, bodyAt).includes('\r\n\r\n') ? bodyAt - 2 : bodyAt;
  for (let start = bodyAt === 2 ? end : 0; start < end; start = fields.at(-1)?.end ?? end) {
    if (fields.length === fieldsMax)
      throw new AppError('headers_too_large', `The header has more than ${fieldsMax} fields.`);
    fields.push(readField(mail, start, end));
  }
  return { fields, bodyAt };
}

function readField(mail: Buffer, start: number, limit: number): HeaderField {
  let end = start;
  do {
    const lineEnd = mail.indexOf('\r\n', end);
    end = lineEnd === -1 || lineEnd + 2 > limit ? limit : lineEnd + 2;
  } while (end < limit && (mail[end] === 0x20 || mail[end] === 0x09));
  const bytes = mail.subarray(start, end);
  const text = bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1').replaceAll('\r\n', '');
  const [whole = '', writtenName = ''] = fieldStart.exec(text) ?? [];
  if (writtenName === '')
    throw new AppError('unreadable', 'Its header has a line that is no header field (RFC 5322 2.2).');
  return { name: writtenName.toLowerCase(), writtenName, value: text.slice(whole.length).trim(), start, end };
}

/** For us, or for nobody: whom it is for in secret, what its end writes, and how it is to be sent. */
const isOurs = /^(?:bcc|resent-bcc|return-path|resend-.*|sendonce-.*|x-mailin-.*|x-sib-.*|(?:x-)?idempotency-?key)$/;

export function isSaidToUs(name: string): boolean {
  return isOurs.test(name);
}

/** The bytes that leave: the same ones where there is nothing to leave out. */
export function withoutOurs(mail: Buffer, { fields, bodyAt }: ReadHeader): Buffer {
  const isWhole = !fields.some(({ name }) => isOurs.test(name));
  const hasEnd = bodyAt === 2 || mail.subarray(0, bodyAt).includes('\r\n\r\n');
  if (isWhole && hasEnd) return mail;
  const kept = fields.filter(({ name }) => !isOurs.test(name)).map(({ start, end }) => mail.subarray(start, end));
  const last = kept.at(-1);
  // What has no body may end in the midst of its header.
  const end = last && !hasEnd && last.at(-1) !== 0x0a ? '\r\n\r\n' : '\r\n';
  return Buffer.concat([...kept, Buffer.from(end), mail.subarray(bodyAt)]);
}

/** The values of all fields of a name, in order. */
export function valuesOf({ fields }: ReadHeader, name: string): string[] {
  return fields.filter((field) => field.name === name).map(({ value }) => value);
}
