/** Success bodies in Resend's words: compact JSON, members in the contract's order (docs/resend.md). */

import type { Email } from '../../core/email.ts';
import type { Event } from '../../store/mail/events.ts';
import type { BatchError } from './parse.ts';

export type EmailSummary = Pick<
  Email,
  'id' | 'messageId' | 'to' | 'from' | 'createdAt' | 'subject' | 'cc' | 'bcc' | 'replyTo' | 'scheduledAt'
> & {
  /** One of the words of docs/resend.md: queued, scheduled, sent, delivered, bounced, canceled … */
  lastEvent: string;
  /** Shown as an extra member, and only when true: SDKs know no such `last_event`. */
  inDoubt?: boolean;
  /** The same: there was no relay, and nobody got it. */
  captured?: boolean;
};

/** A purged email has html and text null. */
export type EmailView = EmailSummary & Pick<Email, 'html' | 'text' | 'tags' | 'topicId'>;

export type AttachmentView = {
  /** A UUID. */
  id: string;
  filename: string;
  contentType: string;
  contentId: string | null;
  sizeBytes: number;
  downloadUrl: string;
  /** Epoch milliseconds. */
  expiresAt: number;
};

/** POST /emails: the id and nothing else. */
export function renderAccepted(id: string): string {
  // A UUID has nothing to escape.
  return `{"id":"${id}"}`;
}

/** POST /emails/batch. Pass `errors` in permissive mode only, even when there are none. */
export function renderBatchAccepted(ids: readonly string[], errors?: readonly BatchError[]): string {
  const data = ids.map((id) => ({ id }));
  if (errors === undefined) return JSON.stringify({ data });
  return JSON.stringify({ data, errors: errors.map(({ index, message }) => ({ index, message })) });
}

/** GET /emails/:id: cc, bcc and reply_to are always present, `[]` where there are none. */
export function renderEmail(email: EmailView): string {
  return JSON.stringify({
    object: 'email',
    id: email.id,
    message_id: email.messageId,
    to: email.to,
    from: email.from,
    created_at: renderTime(email.createdAt),
    subject: email.subject,
    html: email.html,
    text: email.text,
    bcc: email.bcc,
    cc: email.cc,
    reply_to: email.replyTo,
    last_event: email.lastEvent,
    scheduled_at: email.scheduledAt === null ? null : renderTime(email.scheduledAt),
    tags: email.tags.map(({ name, value }) => ({ name, value })),
    topic_id: email.topicId,
    ...ownMembers(email),
  });
}

/** GET /emails: no contents, and null where an email has no cc, bcc or reply_to. */
export function renderEmailList(emails: readonly EmailSummary[], hasMore: boolean): string {
  const data = emails.map((email) => ({
    id: email.id,
    message_id: email.messageId,
    to: email.to,
    from: email.from,
    created_at: renderTime(email.createdAt),
    subject: email.subject,
    bcc: nullIfEmpty(email.bcc),
    cc: nullIfEmpty(email.cc),
    reply_to: nullIfEmpty(email.replyTo),
    last_event: email.lastEvent,
    scheduled_at: email.scheduledAt === null ? null : renderTime(email.scheduledAt),
    ...ownMembers(email),
  }));
  return JSON.stringify({ object: 'list', has_more: hasMore, data });
}

/** PATCH /emails/:id and POST /emails/:id/cancel. */
export function renderEmailRef(id: string): string {
  return JSON.stringify({ object: 'email', id });
}

type Accepted = Pick<Email, 'createdAt' | 'request' | 'traceparent'>;

/** GET /emails/:id/events; that it was queued needs no row of its own, since nothing else can come of accepting. */
export function renderEvents({ createdAt, request, traceparent }: Accepted, events: readonly Event[]): string {
  const trace = traceparent === undefined ? {} : { traceparent };
  const data = events.map(({ type, at, detail }) => {
    const { recipients = [], scheduled_at, said, each: _, ...rest } = detail;
    const captured = said?.captured ? { captured: true } : {};
    const scheduled = scheduled_at === undefined ? {} : { scheduled_at: renderTime(scheduled_at) };
    return { type, created_at: renderTime(at), recipients, ...rest, ...captured, ...scheduled, ...trace };
  });
  const named = request === undefined ? {} : { request_id: request };
  const queued = { type: 'queued', created_at: renderTime(createdAt), recipients: [], ...named, ...trace };
  return JSON.stringify({ object: 'list', has_more: false, data: [queued, ...data] });
}

/** GET /emails/:id/attachments. */
export function renderAttachmentList(attachments: readonly AttachmentView[], hasMore = false): string {
  return JSON.stringify({ object: 'list', has_more: hasMore, data: attachments.map(attachmentMembers) });
}

/** GET /emails/:id/attachments/:aid. */
export function renderAttachment(attachment: AttachmentView): string {
  return JSON.stringify({ object: 'attachment', ...attachmentMembers(attachment) });
}

/**
 * Postgres text: `2026-04-03 22:13:42.674+00`, trailing zeros of the fraction trimmed, no fraction where there is
 * none to show.
 */
export function renderTime(epochMs: number): string {
  const iso = new Date(epochMs).toISOString();
  const fraction = iso.slice(19, 23).replace(/\.?0+$/, '');
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}${fraction}+00`;
}

function ownMembers({ inDoubt, captured }: EmailSummary): { in_doubt?: true; captured?: true } {
  return { ...(captured === true ? { captured: true } : {}), ...(inDoubt === true ? { in_doubt: true } : {}) };
}

function nullIfEmpty(list: string[]): string[] | null {
  return list.length === 0 ? null : list;
}

function attachmentMembers(attachment: AttachmentView): Record<string, unknown> {
  return {
    id: attachment.id,
    filename: attachment.filename,
    content_type: attachment.contentType,
    ...(attachment.contentId === null ? {} : { content_id: attachment.contentId }),
    content_disposition: attachment.contentId === null ? 'attachment' : 'inline',
    download_url: attachment.downloadUrl,
    // Unlike created_at an ISO text.
    expires_at: new Date(attachment.expiresAt).toISOString(),
    size: attachment.sizeBytes,
  };
}
