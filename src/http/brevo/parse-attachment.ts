/** `attachment[]`: Base64 content with a name, or a URL; only of the kinds Brevo lists (docs/brevo.md). */

import type { DraftAttachment, RemoteAttachment } from '../../core/draft.ts';
import type { Attachment } from '../../core/email.ts';
import { AppError } from '../../core/error.ts';
import { contentTypeOf, decodeBase64, extensionOf, filenameFromUrl, isHttpUrl, safeFilename } from '../attachments.ts';
import { isAbsent, isFields } from '../fields.ts';
import { brevoLimits } from './limits.ts';

export function parseAttachments(value: unknown): DraftAttachment[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw refused('attachment is not valid: it must be an array of objects');
  if (value.length > brevoLimits.attachmentsMax) {
    throw refused(`attachment is not valid: there must be at most ${brevoLimits.attachmentsMax}`);
  }
  return value.map(parseAttachment);
}

function parseAttachment(item: unknown): DraftAttachment {
  if (!isFields(item)) throw refused('attachment is not valid: each must be an object with url or content');
  const filename = parseName(item.name);
  if (isAbsent(item.content)) return { path: parseUrl(item.url), filename, contentType: null, contentId: null };
  if (filename === null) throw new AppError('missing_field', 'name is missing in attachment');
  const content = typeof item.content === 'string' ? decodeBase64(item.content) : null;
  if (content === null) throw refused('content is not valid in attachment: it must be Base64');
  return { filename, contentType: knownType(filename), contentId: null, content, path: null };
}

function parseName(value: unknown): string | null {
  if (isAbsent(value)) return null;
  const filename = typeof value === 'string' ? safeFilename(value) : null;
  if (filename === null) throw refused('name is not valid in attachment');
  knownType(filename);
  return filename;
}

function parseUrl(value: unknown): string {
  if (isAbsent(value)) throw new AppError('missing_field', 'One of url or content is missing in attachment');
  if (typeof value === 'string' && isHttpUrl(value)) return value;
  throw refused('url is not valid in attachment: it must be an absolute http or https URL');
}

/** A fetched file needs a name of a known kind, too: the author's, the answer's or the URL's. */
export function completeAttachment(remote: RemoteAttachment, content: Uint8Array): Attachment {
  const filename = remote.filename ?? filenameFromUrl(remote.path);
  if (filename === null) throw new AppError('missing_field', 'name is missing in attachment');
  return { filename, contentType: knownType(filename), contentId: null, content, path: remote.path };
}

/** @throws AppError where the extension is not among those Brevo takes. */
function knownType(filename: string): string {
  const extension = extensionOf(filename);
  if (extension === null || !extensions.has(extension)) {
    throw refused(
      `name is not valid in attachment: ${extension === null ? 'it has no extension' : `.${extension} files are not supported`}`,
    );
  }
  return contentTypeOf(filename) ?? 'application/octet-stream';
}

function refused(message: string): AppError {
  return new AppError('invalid_attachment', message);
}

/** https://developers.brevo.com/reference/sendtransacemail, read 2026. */
const extensions = new Set(
  (
    'xlsx xls ods docx docm doc csv pdf txt gif jpg jpeg png tif tiff rtf bmp cgm css shtml html htm zip xml ppt pptx tar ' +
    'ez ics mobi msg pub eps odt mp3 m4a m4v wma ogg flac wav aif aifc aiff mp4 mov avi mkv mpeg mpg wmv pkpass xlsm'
  ).split(' '),
);
