/** Reads what a client wrote as a whole mail: its texts and files, for showing. It leaves as it was written, whatever is read in it. */

import PostalMime from 'postal-mime';

export type MailFile = { filename: string; contentType: string; contentId: string | null; sizeBytes: number };
export type MailRead = { html: string | null; text: string | null; files: MailFile[] };

export const nothingRead: MailRead = { html: null, text: null, files: [] };

/** More are not listed. */
const filesMax = 200;
/** Parts that stand in parts. */
const depthMax = 50;

export async function readMail(mail: Uint8Array): Promise<MailRead> {
  const { html, text, attachments } = await parse(mail);
  const files = attachments.slice(0, filesMax).map(({ filename, mimeType, contentId, content }) => ({
    filename: filename || 'attachment',
    contentType: mimeType,
    contentId: contentId?.replace(/^<|>$/g, '') ?? null,
    sizeBytes: sizeOf(content),
  }));
  return { html: html || null, text: text || null, files };
}

/** Null where there is no such file. */
export async function readMailFile({
  mail,
  position,
}: {
  mail: Uint8Array;
  position: number;
}): Promise<Uint8Array | null> {
  const { attachments } = await parse(mail);
  const content = attachments[position]?.content;
  return content instanceof ArrayBuffer ? new Uint8Array(content) : null;
}

function parse(mail: Uint8Array) {
  return PostalMime.parse(mail, {
    maxNestingDepth: depthMax,
    forceRfc822Attachments: true,
    attachmentEncoding: 'arraybuffer',
  });
}

function sizeOf(content: string | ArrayBuffer | Uint8Array): number {
  return typeof content === 'string' ? content.length : content.byteLength;
}
