/** Which fields of a request differ from the message first sent under the same idempotency key (docs/resend.md). */

import { type Draft, type DraftAttachment, isRemote, type RemoteAttachment } from '../../core/draft.ts';
import type { Attachment, Message } from '../../core/email.ts';
import type { AttachmentInfo } from '../../store/mail/attachments.ts';
import type { EmailToCompare } from '../../store/mail/email-to-compare.ts';
import { type ResendLimits, resendLimits } from './limits.ts';

/**
 * Wire names, in the order of the contract. Empty where only the writing differs: `"a@b.c"` for `["a@b.c"]`, a field we
 * ignore, an explicit null. `scheduled_at` is compared as text: `in 1 hour` is another moment each time it is read.
 */
export async function diffFields(stored: EmailToCompare, draft: Draft): Promise<string[]> {
  const names: string[] = [];
  if (stored.from !== draft.from) names.push('from');
  if (!sameList(stored.to, draft.to)) names.push('to');
  if (stored.subject !== draft.subject) names.push('subject');
  if (!sameList(stored.bcc, draft.bcc)) names.push('bcc');
  if (!sameList(stored.cc, draft.cc)) names.push('cc');
  if (!sameList(stored.replyTo, draft.replyTo)) names.push('reply_to');
  if (!(await stored.isBody('html', draft.html))) names.push('html');
  if (!(await stored.isBody('text', draft.text))) names.push('text');
  if (!sameList(headerLines(stored).filter(isAuthors(draft)), headerLines(draft))) names.push('headers');
  if (stored.scheduledText !== draft.scheduledText) names.push('scheduled_at');
  if (!(await sameAttachments(stored, draft.attachments))) names.push('attachments');
  if (!sameList(tagLines(stored), tagLines(draft))) names.push('tags');
  if (stored.topicId !== draft.topicId) names.push('topic_id');
  return names;
}

/** `length` first where the counts differ, then `[3].subject` for what both have. */
export async function diffBatch(
  stored: EmailToCompare[],
  drafts: Draft[],
  limits: ResendLimits = resendLimits,
): Promise<string[]> {
  const names = stored.length === drafts.length ? [] : ['length'];
  for (const [index, draft] of drafts.entries()) {
    const message = stored[index];
    if (message === undefined || names.length >= limits.diffNamesMax) break;
    for (const name of await diffFields(message, draft)) names.push(`[${index}].${name}`);
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

/** What lets the readers of a topic leave it was added by us, unless the author wrote it. */
function isAuthors({ topicId, headers }: Draft): (line: string) => boolean {
  const isOwn = headers.some(([name]) => /^list-unsubscribe$/i.test(name));
  return (line) => topicId === null || isOwn || !/^List-Unsubscribe(?:-Post)?:/.test(line);
}

function tagLines(message: Pick<Message, 'tags'>): string[] {
  return message.tags.map((tag) => `${tag.name}:${tag.value}`);
}

async function sameAttachments(stored: EmailToCompare, drafted: DraftAttachment[]): Promise<boolean> {
  if (stored.attachments.length !== drafted.length) return false;
  for (const [index, file] of stored.attachments.entries()) {
    const draft = drafted[index];
    if (draft === undefined || file.contentId !== draft.contentId) return false;
    const isSame = isRemote(draft) ? isSameRemote(file, draft) : await isSameFile(stored, file, draft);
    if (!isSame) return false;
  }
  return true;
}

async function isSameFile(stored: EmailToCompare, file: AttachmentInfo, drafted: Attachment): Promise<boolean> {
  const isNamedAlike = file.filename === drafted.filename && file.contentType === drafted.contentType;
  return file.path === null && isNamedAlike && stored.isFile(file, drafted.content);
}

/** A remote file is not fetched to be compared: its path says which one it is, and what the author left open matches. */
function isSameRemote(stored: AttachmentInfo, drafted: RemoteAttachment): boolean {
  if (stored.path !== drafted.path) return false;
  if (drafted.filename !== null && drafted.filename !== stored.filename) return false;
  return drafted.contentType === null || drafted.contentType === stored.contentType;
}
