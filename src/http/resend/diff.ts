/** Which fields of a request differ from the message first sent under the same idempotency key (docs/resend.md). */

import { type Draft, type DraftAttachment, isRemote } from '../../core/draft.ts';
import type { Attachment, Message } from '../../core/email.ts';
import { type ResendLimits, resendLimits } from './limits.ts';

/**
 * Wire names, in the order of the contract. Empty where only the writing differs: `"a@b.c"` for `["a@b.c"]`, a field we
 * ignore, an explicit null. `scheduled_at` is compared as text: `in 1 hour` is another moment each time it is read.
 */
export function diffFields(stored: Message, draft: Draft): string[] {
  const names: string[] = [];
  if (stored.from !== draft.from) names.push('from');
  if (!sameList(stored.to, draft.to)) names.push('to');
  if (stored.subject !== draft.subject) names.push('subject');
  if (!sameList(stored.bcc, draft.bcc)) names.push('bcc');
  if (!sameList(stored.cc, draft.cc)) names.push('cc');
  if (!sameList(stored.replyTo, draft.replyTo)) names.push('reply_to');
  if (stored.html !== draft.html) names.push('html');
  if (stored.text !== draft.text) names.push('text');
  if (!sameList(headerLines(stored), headerLines(draft))) names.push('headers');
  if (stored.scheduledText !== draft.scheduledText) names.push('scheduled_at');
  if (!sameAttachments(stored.attachments, draft.attachments)) names.push('attachments');
  if (!sameList(tagLines(stored), tagLines(draft))) names.push('tags');
  if (stored.topicId !== draft.topicId) names.push('topic_id');
  return names;
}

/** `length` first where the counts differ, then `[3].subject` for what both have. */
export function diffBatch(stored: Message[], drafts: Draft[], limits: ResendLimits = resendLimits): string[] {
  const names = stored.length === drafts.length ? [] : ['length'];
  for (const [index, draft] of drafts.entries()) {
    const message = stored[index];
    if (message === undefined || names.length >= limits.diffNamesMax) break;
    for (const name of diffFields(message, draft)) names.push(`[${index}].${name}`);
  }
  return names.slice(0, limits.diffNamesMax);
}

function sameList(a: string[], b: string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

/** Sorted: Rust writes its header map in a new order each time (docs/resend.md). A colon cannot stand in a name. */
function headerLines(message: Pick<Message, 'headers'>): string[] {
  return message.headers.map(([name, value]) => `${name}:${value}`).sort();
}

function tagLines(message: Pick<Message, 'tags'>): string[] {
  return message.tags.map((tag) => `${tag.name}:${tag.value}`);
}

function sameAttachments(stored: Attachment[], drafted: DraftAttachment[]): boolean {
  return stored.length === drafted.length && stored.every((file, index) => sameAttachment(file, drafted[index]));
}

/** A remote file is not fetched to be compared: its path says which one it is, and what the author left open matches. */
function sameAttachment(stored: Attachment, drafted: DraftAttachment | undefined): boolean {
  if (drafted === undefined || stored.contentId !== drafted.contentId) return false;
  if (!isRemote(drafted)) {
    const sameName = stored.filename === drafted.filename && stored.contentType === drafted.contentType;
    return stored.path === null && sameName && Buffer.compare(stored.content, drafted.content) === 0;
  }
  if (stored.path !== drafted.path) return false;
  if (drafted.filename !== null && drafted.filename !== stored.filename) return false;
  return drafted.contentType === null || drafted.contentType === stored.contentType;
}
