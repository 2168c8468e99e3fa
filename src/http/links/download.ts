/** The door that signed links to the files of an email lead to. */

import { AppError } from '../../core/error.ts';
import { bufferOf } from '../../core/pieces.ts';
import type { Renderer, Rendering } from '../../render/renderer.ts';
import { tooBusy } from '../../render/too-busy.ts';
import type { Reader } from '../../store/database.ts';
import { findAttachmentContent } from '../../store/mail/attachments.ts';
import { findReceivedBytes, findReceivedMail } from '../../store/received-mails.ts';
import { type AccountRules, isActive } from '../../use-cases/account-rules.ts';
import type { Door } from '../app.ts';
import { type AttachmentLinks, type AttachmentRef, downloadPath, wholeMail } from './attachment-links.ts';

export type DownloadParts = {
  database: Reader;
  links: AttachmentLinks;
  rules: Pick<AccountRules, 'find'>;
  renderer: Pick<Renderer, 'openLater'>;
};

export function downloadDoor(parts: DownloadParts): Door {
  return (app) => app.get(downloadPath, (context) => download(parts, context.req.query()));
}

async function download(
  { database, links, rules, renderer }: DownloadParts,
  query: Record<string, string>,
): Promise<Response> {
  const ref = links.open(query);
  const isOpen = ref && isActive(await rules.find(ref.account));
  const found =
    isOpen &&
    ((await findAttachmentContent(database, ref.account, ref.email, ref.attachment)) ??
      (await findReceivedFile(database, ref)));
  if (!found) throw new AppError('not_found', 'This link has expired: ask for the attachment again to get a new one.');
  const { inMail } = found;
  const content = inMail ? await contentIn(renderer.openLater(ref.account), inMail) : found.content;
  return new Response(bufferOf(content), { headers: downloadHeaders(found.contentType, found.filename) });
}

type InMail = { mail: Uint8Array; position: number };
type Found = { filename: string; contentType: string; content: Uint8Array; inMail: InMail | null };

/** Of a mail that came: one of its files, or all of it. */
async function findReceivedFile(reader: Reader, { account, email, attachment }: AttachmentRef): Promise<Found | null> {
  const mail = await findReceivedMail(reader, account, email);
  const position = mail?.files.findIndex(({ id }) => id === attachment) ?? -1;
  const file = mail?.files[position];
  if (!mail || (!file && attachment !== wholeMail)) return null;
  const bytes = await findReceivedBytes(reader, account, email);
  if (!bytes) return null;
  if (!file) return { filename: 'message.eml', contentType: 'message/rfc822', content: bytes, inMail: null };
  return { ...file, content: nothing, inMail: { mail: bytes, position } };
}

const nothing = new Uint8Array();

/** The files of a mail that was written whole are kept in it alone. */
async function contentIn(rendering: Rendering, file: InMail): Promise<Uint8Array> {
  const [made] = await rendering.run('mailFile', [file]);
  if (made?.kind === 'made' && made.value) return made.value;
  throw tooBusy();
}

/** A stranger's file on our origin: never rendered, never sniffed, never a script, a style or a frame of any page's, and kept nowhere. */
export function downloadHeaders(contentType: string, filename: string): Record<string, string> {
  return {
    'content-type': harmlessType(contentType),
    'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(filename)}`,
    'content-security-policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  };
}

/** Types that no browser runs, reads as a style or renders as a page; without parameters, which may hold what a header cannot. */
const harmless =
  /^(?:(?:audio|video|font)\/[\w.+-]+|image\/(?!svg)[\w.-]+|text\/(?:plain|csv|calendar|vcard)|message\/rfc822|application\/(?:pdf|zip|gzip|rtf|msword|vnd\.(?:ms-|openxmlformats|oasis)[\w.-]+))$/;

function harmlessType(contentType: string): string {
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  return harmless.test(type) ? type : 'application/octet-stream';
}
