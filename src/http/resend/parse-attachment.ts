/** `attachments[]`: every encoding the SDKs send (docs/resend.md), names made safe, forbidden types refused. */

import mime from 'mime-types';
import type { DraftAttachment, RemoteAttachment } from '../../core/draft.ts';
import type { Attachment } from '../../core/email.ts';
import { AppError } from '../../core/error.ts';
import { contentTypeOf, decodeBase64, extensionOf, filenameFromUrl, isHttpUrl, safeFilename } from '../attachments.ts';
import { breaksLine, type Fields, isAbsent, isFields, wellFormed } from '../fields.ts';
import { type ResendLimits, resendLimits } from './limits.ts';

export function parseAttachments(value: unknown, limits: ResendLimits): DraftAttachment[] {
  if (isAbsent(value)) return [];
  if (!Array.isArray(value)) throw refused('The `attachments` field must be an array.');
  if (value.length > limits.attachmentsMax) {
    throw refused(`The number of attachments must be at most ${limits.attachmentsMax}.`);
  }
  return value.map((item) => parseAttachment(item, limits));
}

/**
 * What a fetched file becomes. `servedType` is the answer's Content-Type: the last resort, after the author's own word and
 * the filename. Throws `invalid_attachment` where the name taken from the URL is of a forbidden type.
 */
export function completeAttachment(
  remote: RemoteAttachment,
  content: Uint8Array,
  servedType: string | null,
  limits: ResendLimits = resendLimits,
): Attachment {
  const named = remote.filename ?? filenameFromUrl(remote.path);
  const contentType = remote.contentType ?? contentTypeOf(named) ?? readServedType(servedType, limits);
  const filename = named ?? defaultFilename(contentType);
  refuseForbidden(filename);
  return {
    filename,
    contentType: contentType ?? 'application/octet-stream',
    contentId: remote.contentId,
    content,
    path: remote.path,
  };
}

/** docs/resend.md. */
function parseAttachment(item: unknown, limits: ResendLimits): DraftAttachment {
  if (!isFields(item)) throw refused('Attachment must have either a `content` or `path`.');
  const filename = parseFilename(item.filename);
  // Rust spells it `contentType` (docs/resend.md).
  const contentType = parseContentType(item.content_type ?? item.contentType, limits);
  const isText = (contentType ?? contentTypeOf(filename))?.startsWith('text/') ?? false;
  const content = parseContent(item.content, isText, limits);
  // Older SDKs send `inline_content_id` (docs/resend.md).
  const contentId = parseContentId(isAbsent(item.content_id) ? item.inline_content_id : item.content_id, limits);
  if (filename !== null) refuseForbidden(filename);
  // `""` beside a path is how Go leaves a member out; alone it is an empty file, such as a log of a day without entries.
  if (content === null || (content.length === 0 && !isAbsent(item.path)))
    return { path: parsePath(item), filename, contentType, contentId };
  return {
    filename: filename ?? defaultFilename(contentType),
    contentType: contentType ?? contentTypeOf(filename) ?? 'application/octet-stream',
    contentId,
    content,
    path: null,
  };
}

/** Null where absent. */
function parseContent(value: unknown, isText: boolean, limits: ResendLimits): Uint8Array | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return parseText(value, isText);
  // Node SDK up to 6.22: a Buffer's own toJSON.
  const bytes = isFields(value) && value.type === 'Buffer' ? value.data : value;
  if (!Array.isArray(bytes)) throw refused('Attachment `content` must be a Base64 string or an array of bytes.');
  return decodeBytes(bytes, limits);
}

/** Base64, or the words of a text file as they are: so Laravel and Resend's own example send calendar invites. */
function parseText(text: string, isText: boolean): Uint8Array {
  if (text === '') return new Uint8Array(0);
  const decoded = decodeBase64(text);
  if (decoded === null && isText) return Buffer.from(wellFormed(text));
  if (decoded === null) throw refused('Attachment `content` is not valid Base64.');
  return decoded;
}

function decodeBytes(values: unknown[], limits: ResendLimits): Uint8Array {
  if (values.length > limits.emailBytesMax) throw refused('Attachment `content` is too large.');
  const bytes = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (typeof value !== 'number' || !(value >= 0 && value <= 255) || !Number.isInteger(value)) {
      throw refused('Attachment `content` must be an array of integers between 0 and 255.');
    }
    bytes[i] = value;
  }
  return bytes;
}

function parsePath(item: Fields): string {
  const path = item.path;
  if (isAbsent(path)) throw refused('Attachment must have either a `content` or `path`.');
  if (typeof path !== 'string' || !isHttpUrl(path)) {
    throw refused('Attachment `path` must be an http or https URL.');
  }
  return path;
}

/** Null where absent or nothing is left. */
function parseFilename(value: unknown): string | null {
  if (isAbsent(value)) return null;
  if (typeof value !== 'string') throw refused('Attachment `filename` must be a string.');
  return safeFilename(value);
}

/** `type/subtype` with optional parameters, as RFC 2045 5.1 writes them. */
const contentTypeSyntax =
  /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:\s*;\s*[\w!#$&^.+-]+=(?:[\w!#$&^.+*'/:()?@-]+|"[^"\\\p{Cc}]*"))*\s*;?$/u;

function parseContentType(value: unknown, limits: ResendLimits): string | null {
  if (isAbsent(value)) return null;
  if (typeof value !== 'string' || breaksLine(value) || !isContentType(value.trim(), limits)) {
    throw refused('Attachment `content_type` must be a MIME type such as `application/pdf`.');
  }
  return value.trim();
}

function isContentType(text: string, limits: ResendLimits): boolean {
  return text.length <= limits.contentTypeCharsMax && contentTypeSyntax.test(text);
}

function readServedType(servedType: string | null, limits: ResendLimits): string | null {
  const text = servedType?.trim() ?? '';
  return isContentType(text, limits) ? text : null;
}

function defaultFilename(contentType: string | null): string {
  const extension = (contentType !== null && mime.extension(contentType)) || 'bin';
  return forbiddenExtensions.has(extension) ? 'attachment.bin' : `attachment.${extension}`;
}

/** What may stand between the angle brackets of a Content-ID and after `cid:`. */
const contentIdSyntax = /^[!-;=?-~]+$/;

function parseContentId(value: unknown, limits: ResendLimits): string | null {
  if (isAbsent(value)) return null;
  const bare = typeof value === 'string' && !breaksLine(value) ? value.trim().replace(/^<(.*)>$/, '$1') : '';
  if (bare.length > limits.contentIdCharsMax || !contentIdSyntax.test(bare)) {
    throw refused(
      `Attachment \`content_id\` must be 1 to ${limits.contentIdCharsMax} printable ASCII characters without spaces.`,
    );
  }
  return bare;
}

function refuseForbidden(filename: string): void {
  const extension = extensionOf(filename);
  if (extension !== null && forbiddenExtensions.has(extension)) {
    throw refused(`Attachments of type \`.${extension}\` are not supported.`);
  }
}

function refused(message: string): AppError {
  return new AppError('invalid_attachment', message);
}

/** https://resend.com/docs/knowledge-base/what-attachment-types-are-not-supported, read 2026. */
const forbiddenExtensions = new Set(
  (
    'adp app asp bas bat cer chm cmd com cpl crt csh der exe fxp gadget hlp hta inf ins isp its js jse ksh lib lnk mad ' +
    'maf mag mam maq mar mas mat mau mav maw mda mdb mde mdt mdw mdz msc msh msh1 msh2 mshxml msh1xml msh2xml msi msp ' +
    'mst ops pcd pif plg prf prg reg scf scr sct shb shs sys ps1 ps1xml ps2 ps2xml psc1 psc2 tmp url vb vbe vbs vps ' +
    'vsmacros vss vst vsw vxd ws wsc wsf wsh xnk'
  ).split(' '),
);
