/** Turns a stored email into the bytes that leave (RFC 5322, MIME); a pure function, so that every attempt sends the same. */

import assert from 'node:assert/strict';
import { parseMailbox } from './address.ts';
import type { DkimSigner } from './dkim.ts';
import type { Attachment, Email } from './email.ts';
import { encodeQuotedPrintable } from './quoted-printable.ts';

/** A MIME entity: its own header fields, each ending in CRLF, and its encoded body. ASCII but for addresses beyond it. */
type Part = { fields: string; body: string };

/** RFC 5322 2.1.1: what lines must fit in, and (with room for one more) what headers should. */
const lineLengthMax = 998;
const columnsMax = 76;
/** Longer words cannot be folded into lines of 998; encoded words can. */
const wordLengthMax = 900;
/** RFC 2047 2 allows 75; less leaves room for the field name on the same line. */
const encodedWordLengthMax = 64;
/** Up to here a name or filename stays one quoted string, which nothing has to be folded in. */
const quotedLengthMax = 60;

/** What only we say, or what must not leave at all: an author's field of such a name is dropped. */
const reservedName =
  /^(?:from|to|cc|bcc|resent-bcc|subject|date|message-id|mime-version|content-.*|return-path|dkim-signature|sendonce-.*|(?:x-)?idempotency-?key)$/i;
/** RFC 5322 3.6.8. */
const fieldName = /^[!-9;-~]{1,200}$/;
/** RFC 2045 5.1. */
const mediaType = /^[\w!#$%&'*+.^`{|}~-]{1,100}\/[\w!#$%&'*+.^`{|}~-]{1,100}$/;
const mediaTypeParameters = /^(?:; ?[\w-]{1,60}=(?:[\w.+-]{1,200}|"[\w .:+/-]{1,200}"))*$/;
const control = /\p{Cc}/gu;
const printable = /^[ -~]*$/;

/**
 * The bytes of an email: CRLF line ends, lines of at most 998 octets, ASCII throughout unless an address is not (then
 * the headers are UTF-8 and SMTPUTF8 is needed). Nothing an author wrote is parsed for it. Two calls with one email yield the same bytes, in every process.
 * A control character an author smuggled into a header becomes a space. Throws only on an email that was never valid.
 */
export function compose(email: Email, signer: DkimSigner | null): Uint8Array {
  assert(/^[\w.-]{1,50}$/.test(email.id), 'the id of an email is short and fit for a MIME boundary');
  const content = contentPart(email);
  const headers = messageFields(email) + content.fields;
  const body = content.body === '' || content.body.endsWith('\r\n') ? content.body : `${content.body}\r\n`;
  if (signer === null) return Buffer.from(`${headers}\r\n${body}`);

  const bodyBytes = Buffer.from(body, 'latin1');
  const signature = signer.sign(headers, bodyBytes, sentAtMs(email));
  return Buffer.concat([Buffer.from(`${signature}${headers}\r\n`), bodyBytes]);
}

function sentAtMs(email: Email): number {
  return Math.max(email.createdAt, email.scheduledAt ?? 0);
}

// --- header fields

function messageFields(email: Email): string {
  assert(/^<[!-~]{1,900}>$/.test(email.messageId), 'a Message-ID is made by us, printable and in angle brackets');
  return (
    mailboxesField('From', [email.from]) +
    (email.to.length > 0 ? mailboxesField('To', email.to) : 'To: undisclosed-recipients:;\r\n') +
    mailboxesField('Cc', email.cc) +
    mailboxesField('Reply-To', email.replyTo) +
    textField('Subject', email.subject) +
    `Message-ID: ${email.messageId}\r\n` +
    `Date: ${new Date(sentAtMs(email)).toUTCString().replace('GMT', '+0000')}\r\n` +
    authorFields(email) +
    'MIME-Version: 1.0\r\n'
  );
}

function authorFields(email: Email): string {
  let fields = '';
  for (const [name, written] of email.headers) {
    if (!fieldName.test(name) || reservedName.test(name)) continue;
    if (email.replyTo.length > 0 && name.toLowerCase() === 'reply-to') continue;
    const value = written.trim();
    // An author may have encoded the words of a header already; a subject or name never is.
    const asWritten = printable.test(value) && hasShortWords(value);
    const isMailbox = /^(?:reply-to|sender)$/i.test(name) && parseMailbox(value) !== null;
    fields += isMailbox ? mailboxesField(name, [value]) : asWritten ? field(name, value) : textField(name, value);
  }
  return fields;
}

function mailboxesField(name: string, mailboxes: string[]): string {
  return mailboxes.length === 0 ? '' : field(name, mailboxes.map(renderMailbox).join(', '));
}

function renderMailbox(text: string): string {
  const mailbox = parseMailbox(text);
  assert(mailbox !== null, 'an address of an accepted email must have been validated');
  const { name, address } = mailbox;
  if (name === '') return address;
  if (!isPlain(name) || name.length > quotedLengthMax) return `${encodeWords(name)} <${address}>`;
  const isPhrase = /^[\w!#$%&'*+\-/=?^`{|}~ ]+$/.test(name);
  return `${isPhrase ? name : `"${name.replace(/["\\]/g, '\\$&')}"`} <${address}>`;
}

function textField(name: string, text: string): string {
  const value = text.replace(control, ' ');
  return field(name, isPlain(value) ? value : encodeWords(value));
}

/** Whether every reader of a header gets this text back as it is. */
function isPlain(text: string): boolean {
  if (!printable.test(text) || text.includes('=?') || text.includes('  ')) return false;
  return !text.startsWith(' ') && !text.endsWith(' ') && hasShortWords(text);
}

function hasShortWords(text: string): boolean {
  return text.length <= wordLengthMax || wordsOf(text).every((word) => word.length <= wordLengthMax);
}

/** Each word with the spaces before it; those at the end belong to none. Not by ` *[^ ]+`, which is quadratic on them. */
function wordsOf(text: string): string[] {
  const words = text.match(/ +[^ ]*|[^ ]+/g) ?? [];
  if (text.endsWith(' ')) words.pop();
  return words;
}

/** Folded before spaces, so that unfolding (taking the CRLFs out) gives the value back exactly. */
function field(name: string, value: string): string {
  if (name.length + 2 + value.length <= columnsMax) return `${name}: ${value}\r\n`;
  const lines: string[] = [];
  let line = `${name}:`;
  for (const word of wordsOf(` ${value}`)) {
    // The first word stays beside the name: a first line without text is legal and trips some readers.
    const isFirst = lines.length === 0 && line.length === name.length + 1;
    if (line.length + word.length > (isFirst ? lineLengthMax : columnsMax)) {
      lines.push(line);
      line = '';
    }
    line += word;
  }
  return `${[...lines, line].join('\r\n')}\r\n`;
}

/** RFC 2047 encoded words, each of whole characters, in the shorter of the two encodings. */
function encodeWords(text: string): string {
  const room = encodedWordLengthMax - '=?UTF-8?Q??='.length;
  const literals = text.match(/[A-Za-z0-9 !*+\-/]/g)?.length ?? 0;
  const bytes = Buffer.byteLength(text);
  const isQ = literals + (bytes - literals) * 3 <= (bytes * 4) / 3;
  const sizeMax = isQ ? room : Math.floor(room / 4) * 3;

  const words: string[] = [];
  let word = '';
  let size = 0;
  for (const character of text) {
    const piece = isQ ? encodeQ(character) : character;
    const pieceSize = isQ ? piece.length : Buffer.byteLength(character);
    if (size + pieceSize > sizeMax) {
      words.push(word);
      word = '';
      size = 0;
    }
    word += piece;
    size += pieceSize;
  }
  words.push(word);
  return words.map((encoded) => (isQ ? `=?UTF-8?Q?${encoded}?=` : `=?UTF-8?B?${btoaUtf8(encoded)}?=`)).join(' ');
}

/** RFC 2047 5 (3): what may stand literally in a phrase. */
function encodeQ(character: string): string {
  if (character === ' ') return '_';
  return /[A-Za-z0-9!*+\-/]/.test(character) ? character : hexBytes(character, '=');
}

const hexOf = Array.from({ length: 256 }, (_, byte) => byte.toString(16).toUpperCase().padStart(2, '0'));

function hexBytes(text: string, mark: string): string {
  let hex = '';
  for (const byte of Buffer.from(text)) hex += mark + hexOf[byte];
  return hex;
}

function btoaUtf8(text: string): string {
  return Buffer.from(text).toString('base64');
}

// --- structure

/** mixed( alternative( text, related( html, inline files ) ), files ), each level only where it is needed. */
function contentPart(email: Email): Part {
  const html = email.html ?? '';
  const inline = html === '' ? [] : email.attachments.filter((attachment) => attachment.contentId);
  const files = email.attachments.filter((attachment) => !inline.includes(attachment));
  const content = html === '' ? textPart('plain', email.text ?? '', email.id) : htmlPart(email, html, inline);
  return files.length === 0 ? content : multipart('mixed', email.id, [content, ...files.map(filePart)]);
}

function htmlPart(email: Email, html: string, inline: Attachment[]): Part {
  const alone = textPart('html', html, email.id);
  const related = inline.length === 0 ? alone : multipart('related', email.id, [alone, ...inline.map(filePart)]);
  const text = email.text ?? email.madeText ?? '';
  return text === '' ? related : multipart('alternative', email.id, [textPart('plain', text, email.id), related]);
}

function multipart(subtype: 'mixed' | 'alternative' | 'related', id: string, parts: Part[]): Part {
  const boundary = boundaryOf(subtype, id);
  const type = subtype === 'related' ? 'type="text/html"; ' : '';
  const sections = parts.map((part) => `--${boundary}\r\n${part.fields}\r\n${part.body}\r\n`);
  return {
    fields: field('Content-Type', `multipart/${subtype}; ${type}boundary="${boundary}"`),
    body: `${sections.join('')}--${boundary}--\r\n`,
  };
}

/** Neither base64 nor quoted-printable can contain `=_`; text that goes out as it is is looked at for `_` and the id. */
function boundaryOf(subtype: string, id: string): string {
  return `=_${subtype}_${id}`;
}

function textPart(subtype: 'plain' | 'html', text: string, id: string): Part {
  const { encoding, body } = encodeText(text, `_${id}`);
  return {
    fields: `Content-Type: text/${subtype}; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n`,
    body,
  };
}

function filePart(attachment: Attachment): Part {
  const filename = attachment.filename.replace(control, ' ');
  const disposition = attachment.contentId ? 'inline' : 'attachment';
  const contentId = attachment.contentId ? renderContentId(attachment.contentId) : '';
  return {
    fields:
      field('Content-Type', fileType(attachment.contentType) + legacyName(filename)) +
      'Content-Transfer-Encoding: base64\r\n' +
      field('Content-Disposition', disposition + filenameParameters(filename)) +
      contentId,
    body: encodeBase64(attachment.content),
  };
}

function fileType(written: string): string {
  const type = (written.split(';', 1)[0] ?? '').trim();
  // RFC 2046 5.1 and 5.2.1 forbid base64 for these two; the filename still says what it is.
  if (!mediaType.test(type) || /^(?:multipart|message)\//i.test(type)) return 'application/octet-stream';
  const parameters = written.slice(written.indexOf(type) + type.length).trim();
  if (!mediaTypeParameters.test(parameters)) return type;
  // `name` is ours to say; a charset or a calendar's method stays.
  return type + parameters.replace(/; ?name=(?:"[^"]*"|[^;]*)/gi, '').replace(/; ?/g, '; ');
}

function renderContentId(contentId: string): string {
  const id = contentId.replace(/[^!-;=?-~]+/gu, (outside) => hexBytes(outside, '%'));
  return `Content-ID: <${id.slice(0, wordLengthMax)}>\r\n`;
}

/** RFC 2231, which every current reader knows. */
function filenameParameters(filename: string): string {
  if (filename === '') return '';
  if (isQuotable(filename)) return `; filename="${filename}"`;
  const value = filename.replace(/[^A-Za-z0-9!#$&+.^_`{}~-]+/gu, (outside) => hexBytes(outside, '%'));
  const chunks = `utf-8''${value}`.match(/(?:%..|[^%]){1,60}/g) ?? [];
  if (value.length <= quotedLengthMax) return `; filename*=${chunks.join('')}`;
  return chunks.map((chunk, index) => `; filename*${index}*=${chunk}`).join('');
}

/** For readers from before RFC 2231: never defined, understood by nearly all, ignored by the rest. */
function legacyName(filename: string): string {
  if (filename === '') return '';
  return `; name="${isQuotable(filename) ? filename : encodeWords(filename)}"`;
}

function isQuotable(filename: string): boolean {
  return filename.length <= quotedLengthMax && isPlain(filename) && !/["\\%]/.test(filename);
}

// --- transfer encodings

/** 7bit where the text allows it, else the shorter of quoted-printable and base64. Newlines of any kind become CRLF. */
function encodeText(text: string, boundaryMark: string): { encoding: string; body: string } {
  const lines = text.includes('\r') ? text.replace(/\r\n?|\n/g, '\r\n') : text.replaceAll('\n', '\r\n');
  if (/^[\t\r\n -~]*$/.test(lines) && hasShortLines(lines) && !lines.includes(boundaryMark)) {
    return { encoding: '7bit', body: lines };
  }
  const size = Buffer.byteLength(lines);
  // Characters beyond ASCII have two to four bytes: about twice as many must be escaped as there are bytes too many.
  return (size - lines.length) * 12 > size
    ? { encoding: 'base64', body: encodeBase64(Buffer.from(lines)) }
    : { encoding: 'quoted-printable', body: encodeQuotedPrintable(lines) };
}

function hasShortLines(text: string): boolean {
  let start = 0;
  while (text.length - start > lineLengthMax) {
    const end = text.indexOf('\r\n', start);
    if (end === -1 || end - start > lineLengthMax) return false;
    start = end + 2;
  }
  return true;
}

/** 76 columns of Base64. */
const lineBytes = 57;

/** RFC 2045 6.8, 76 columns; without a CRLF after the last line. */
function encodeBase64(bytes: Uint8Array): string {
  const pieces: string[] = [];
  const pieceBytes = lineBytes * 1024;
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const length = Math.min(pieceBytes, bytes.length - at);
    const encoded = Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString('base64');
    const lines: string[] = [];
    for (let from = 0; from < encoded.length; from += columnsMax) lines.push(encoded.slice(from, from + columnsMax));
    pieces.push(lines.join('\r\n'));
  }
  return pieces.join('\r\n');
}
