/** The MIME structure of an email (RFC 2045 to 2049, 2231, 2387): texts, inline files and files, each level only where it is needed. */

import type { Attachment, Email } from './email.ts';
import { control, encodeWords, field, hexBytes, isPlain, quotedLengthMax, wordLengthMax } from './header-field.ts';
import { encodeBase64, encodeText, type Text } from './transfer-encoding.ts';

/** A MIME entity: its own header fields, each ending in CRLF, and its encoded body, which is read once: each piece before the next. */
export type Part = { fields: string; body: Iterable<Uint8Array> };

/** Texts may still be in UTF-8, as they are stored: nothing of them is needed as a string. */
export type Content = Pick<Email, 'id' | 'attachments'> & Record<'html' | 'text' | 'madeText', Text | null>;

/** RFC 2045 5.1. */
const mediaType = /^[\w!#$%&'*+.^`{|}~-]{1,100}\/[\w!#$%&'*+.^`{|}~-]{1,100}$/;
const mediaTypeParameters = /^(?:; ?[\w-]{1,60}=(?:[\w.+-]{1,200}|"[\w .:+/-]{1,200}"))*$/;

/** mixed( alternative( text, related( html, inline files ) ), files ), each level only where it is needed. */
export function contentPart(content: Content): Part {
  const { id, attachments } = content;
  const html = content.html ?? '';
  const inline = html.length === 0 ? [] : attachments.filter((attachment) => attachment.contentId);
  const files = attachments.filter((attachment) => !inline.includes(attachment));
  const body = html.length === 0 ? textPart('plain', content.text ?? '', id) : htmlPart(content, html, inline);
  return files.length === 0 ? body : multipart('mixed', id, [body, ...files.map(filePart)]);
}

function htmlPart({ id, text: written, madeText }: Content, html: Text, inline: Attachment[]): Part {
  const alone = textPart('html', html, id);
  const related = inline.length === 0 ? alone : multipart('related', id, [alone, ...inline.map(filePart)]);
  const text = written ?? madeText ?? '';
  return text.length === 0 ? related : multipart('alternative', id, [textPart('plain', text, id), related]);
}

function multipart(subtype: 'mixed' | 'alternative' | 'related', id: string, parts: Part[]): Part {
  const boundary = boundaryOf(subtype, id);
  const type = subtype === 'related' ? 'type="text/html"; ' : '';
  return {
    fields: field('Content-Type', `multipart/${subtype}; ${type}boundary="${boundary}"`),
    body: sectionsOf(parts, boundary),
  };
}

function* sectionsOf(parts: Part[], boundary: string): Generator<Uint8Array> {
  let before = '';
  for (const { fields, body } of parts) {
    yield Buffer.from(`${before}--${boundary}\r\n${fields}\r\n`);
    yield* body;
    before = '\r\n';
  }
  yield Buffer.from(`${before}--${boundary}--\r\n`);
}

/** Neither base64 nor quoted-printable can contain `=_`; text that goes out as it is is looked at for `_` and the id. */
function boundaryOf(subtype: string, id: string): string {
  return `=_${subtype}_${id}`;
}

function textPart(subtype: 'plain' | 'html', text: Text, id: string): Part {
  const { encoding, pieces } = encodeText(text, `_${id}`);
  return {
    fields: `Content-Type: text/${subtype}; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n`,
    body: pieces,
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
