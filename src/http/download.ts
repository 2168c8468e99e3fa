/** The door that signed links to the files of an email lead to. */

import { AppError } from '../core/error.ts';
import type { Reader } from '../store/database.ts';
import { findAttachmentContent } from '../store/mail/emails.ts';
import type { Door } from './app.ts';
import { type AttachmentLinks, downloadPath } from './attachment-links.ts';

export function downloadDoor(reader: Reader, links: AttachmentLinks): Door {
  return (app) => app.get(downloadPath, (context) => download(reader, links, context.req.query()));
}

async function download(reader: Reader, links: AttachmentLinks, query: Record<string, string>): Promise<Response> {
  const ref = links.open(query);
  const found = ref && (await findAttachmentContent(reader, ref.account, ref.email, ref.attachment));
  if (!found) throw new AppError('not_found', 'This link has expired: ask for the attachment again to get a new one.');
  return new Response(Buffer.from(found.content), {
    status: 200,
    headers: {
      // Without parameters, which may hold what a header cannot.
      'content-type': found.contentType.split(';')[0]?.trim() || 'application/octet-stream',
      // Somebody else's file on our origin: never rendered, never sniffed.
      'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(found.filename)}`,
      'content-security-policy': "sandbox; default-src 'none'",
      'x-content-type-options': 'nosniff',
    },
  });
}
