/** What happened to an email: list, retrieve, reschedule, cancel, and the files that went with it. */

import { AppError } from '../../core/error.ts';
import type { Renderer } from '../../render/renderer.ts';
import type { DatabaseReader } from '../../store/database.ts';
import { type AttachmentInfo, listAttachments } from '../../store/mail/attachments.ts';
import { findEmail, findEmailSummary, listEmails } from '../../store/mail/emails.ts';
import { listEvents } from '../../store/mail/events.ts';
import type { Amend } from '../../use-cases/amend.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import type { AttachmentLinks } from '../links/attachment-links.ts';
import { keyTerms } from './endpoints.ts';
import { refusalTexts } from './errors.ts';
import { parseEmailId, parsePagination, sliceOf } from './parse-query.ts';
import { parseReschedule, readDatesInWords } from './parse-schedule.ts';
import {
  type AttachmentView,
  renderAttachment,
  renderAttachmentList,
  renderEmail,
  renderEmailList,
  renderEmailRef,
  renderEvents,
} from './render.ts';

export type EmailParts = {
  database: DatabaseReader;
  amend: Amend;
  now: () => number;
  links: AttachmentLinks;
  renderer: Pick<Renderer, 'open'>;
};

export async function list({ database }: EmailParts, call: Call): Promise<Reply> {
  const page = parsePagination(call.query());
  const { emails, hasMore } = await listEmails(database, call.caller.account, page);
  return ok(renderEmailList(emails, hasMore));
}

export async function retrieve({ database }: EmailParts, call: Call): Promise<Reply> {
  const email = await findEmail(database, call.caller.account, emailId(call));
  if (!email) throw notFound();
  return ok(renderEmail(email));
}

export async function reschedule({ amend, now: clock, renderer }: EmailParts, call: Call): Promise<Reply> {
  const id = emailId(call);
  const json = parseJson(await call.body());
  const now = clock();
  const readWords = await readDatesInWords(renderer.open(call.caller.account), json, now);
  const { scheduledAt, scheduledText } = parseReschedule(json, now, readWords);
  const at = scheduledAt ?? now;
  await amend.reschedule(call.caller.account, id, { at, text: scheduledText ?? '', keyTerms });
  return ok(renderEmailRef(id));
}

export async function cancel({ amend }: EmailParts, call: Call): Promise<Reply> {
  const id = emailId(call);
  await amend.cancel(call.caller.account, id);
  return ok(renderEmailRef(id));
}

/** Our own: everything that happened, oldest first. */
export async function events({ database }: EmailParts, call: Call): Promise<Reply> {
  const { account } = call.caller;
  const email = await findEmailSummary(database, account, emailId(call));
  if (!email) throw notFound();
  return ok(renderEvents(email, await listEvents(database, account, email.id)));
}

export async function attachments(parts: EmailParts, call: Call): Promise<Reply> {
  const id = emailId(call);
  const page = parsePagination(call.query());
  const { account } = call.caller;
  if (!(await findEmailSummary(parts.database, account, id))) throw notFound();
  const all = (await listAttachments(parts.database, account, id)).map((one) => view(parts, account, id, one));
  const { items, hasMore } = sliceOf(all, page);
  return ok(renderAttachmentList(items, hasMore));
}

export async function attachment(parts: EmailParts, call: Call): Promise<Reply> {
  const id = emailId(call);
  const { account } = call.caller;
  const wanted = call.param('attachment').toLowerCase();
  const found = (await listAttachments(parts.database, account, id)).find((one) => one.id === wanted);
  if (!found) throw new AppError('not_found', refusalTexts.attachmentNotFound);
  return ok(renderAttachment(view(parts, account, id, found)));
}

function view(parts: EmailParts, account: string, email: string, found: AttachmentInfo): AttachmentView {
  return { ...found, ...parts.links.create({ account, email, attachment: found.id }) };
}

function emailId(call: Call): string {
  return parseEmailId(call.param('id')).toLowerCase();
}

function notFound(): AppError {
  return new AppError('not_found', refusalTexts.emailNotFound);
}

function ok(body: string): Reply {
  return { status: 200, body };
}
