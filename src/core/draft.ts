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

export function isRemote(attachment: DraftAttachment): attachment is RemoteAttachment {
  return !('content' in attachment);
}
