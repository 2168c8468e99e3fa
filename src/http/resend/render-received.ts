/** Mail that came, as Resend's API and webhooks show it. */

import type { ReceivedMail } from '../../store/received-mails.ts';

export type RawLink = { downloadUrl: string; expiresAt: number };

/** GET /emails/receiving/:id. */
export type ReceivedView = {
  mail: ReceivedMail;
  html: string | null;
  text: string | null;
  /** Null: its contents are purged. */
  raw: RawLink | null;
};

export function renderReceived({ mail, html, text, raw }: ReceivedView): string {
  return JSON.stringify({
    object: 'email',
    ...membersOf(mail),
    html,
    text,
    headers: mail.headers,
    raw: raw && { download_url: raw.downloadUrl, expires_at: new Date(raw.expiresAt).toISOString() },
  });
}

export function renderReceivedList(mails: readonly ReceivedMail[], hasMore: boolean): string {
  return JSON.stringify({ object: 'list', has_more: hasMore, data: mails.map(membersOf) });
}

/** What `email.received` tells: whom it is from and for, and the names of its files. */
export function renderReceivedEvent(mail: ReceivedMail): Record<string, unknown> {
  const { id, reply_to, attachments, ...named } = membersOf(mail);
  return { email_id: id, ...named, attachments: attachments.map(({ size, ...file }) => file) };
}

function membersOf(mail: ReceivedMail) {
  return {
    id: mail.id,
    to: mail.to,
    from: mail.from,
    // Unlike an email's an ISO text, as the contract has it.
    created_at: new Date(mail.createdAt).toISOString(),
    subject: mail.subject,
    bcc: mail.bcc,
    cc: mail.cc,
    reply_to: mail.replyTo,
    received_for: mail.receivedFor,
    message_id: mail.messageId,
    attachments: mail.files.map(({ id, filename, contentType, contentId, sizeBytes }) => ({
      id,
      filename,
      content_type: contentType,
      content_disposition: contentId === null ? 'attachment' : 'inline',
      content_id: contentId,
      size: sizeBytes,
    })),
  };
}
