/** A parsed message whose attachments may still have to be fetched: what a facade hands to `accept`. */

import type { Attachment, Message } from './email.ts';

/** A file that is still at its URL; `egress` fetches it before the email is accepted. */
export type RemoteAttachment = {
  /** An absolute http or https URL, as the author wrote it. */
  path: string;
  /** Null: taken from the URL once fetched. */
  filename: string | null;
  /** Null: derived from the filename once fetched. */
  contentType: string | null;
  contentId: string | null;
};

export type DraftAttachment = Attachment | RemoteAttachment;

export type Draft = Omit<Message, 'attachments'> & { attachments: DraftAttachment[] };

/** After Base64, which is how attachments leave; what is still at its URL counts nothing yet. */
export function draftBytes(draft: Pick<Draft, 'subject' | 'html' | 'text' | 'headers' | 'attachments'>): number {
  let bytes =
    Buffer.byteLength(draft.subject) + Buffer.byteLength(draft.html ?? '') + Buffer.byteLength(draft.text ?? '');
  for (const [name, value] of draft.headers) bytes += name.length + Buffer.byteLength(value);
  for (const attachment of draft.attachments) {
    if (!isRemote(attachment)) bytes += Math.ceil(attachment.content.length / 3) * 4;
  }
  return bytes;
}

export function isRemote(attachment: DraftAttachment): attachment is RemoteAttachment {
  return !('content' in attachment);
}
