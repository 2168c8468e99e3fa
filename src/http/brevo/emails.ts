/** GET /v3/smtp/emails and one of them: what was sent to whom, and what became of it. */

import { envelopeAddress, parseMailbox } from '../../core/address.ts';
import { writeTag } from '../../core/email.ts';
import type { DatabaseReader } from '../../store/database.ts';
import { type EmailSummary, findEmail } from '../../store/mail/emails.ts';
import { listEvents } from '../../store/mail/events.ts';
import { type Order, type Span, searchEmails } from '../../store/page/email-search.ts';
import { readReport } from '../../store/page/report.ts';
import type { Call, Reply } from '../call.ts';
import { reportNameOf } from './event-names.ts';
import { daysOf, parseSpan } from './parse-dates.ts';
import { parsePage, type Query } from './parse-query.ts';
import { findByMessageId, findRecipient, type Recipient, recipientsOf } from './recipients.ts';
import { invalid, missing } from './refusal.ts';

export type EmailParts = { database: DatabaseReader; now: () => number };

/** docs/brevo.md: pages of 500, at most 1,000; the last 30 days, and no more than a month. */
const pageLimits = { limitDefault: 500, limitMax: 1_000 };
const spanLimits = { daysDefault: 30, daysMax: 31 };

/** What emails are looked for by; at least one is given. */
type Wanted = { email: string | null; templateId: number | null; messageId: string | null };

export async function list(parts: EmailParts, call: Call): Promise<Reply> {
  const query = call.query();
  const wanted = parseWanted(query);
  const page = parsePage(query, pageLimits);
  const span = parseSpan(query, parts.now(), spanLimits);
  const { account } = call.caller;
  const known = await countKnown(parts, account, wanted, span);
  const shown: Record<string, unknown>[] = [];
  let count = 0;
  for await (const email of find(parts.database, account, wanted, { span, order: page.order })) {
    for (const recipient of recipientsOf(email)) {
      if (wanted.email !== null && recipient.address.toLowerCase() !== wanted.email) continue;
      if (count >= page.offset && shown.length < page.limit) shown.push(render(email, recipient));
      count += 1;
    }
    if (known !== null && (count >= known || count >= page.offset + page.limit)) break;
  }
  return { status: 200, body: JSON.stringify({ count: known ?? count, transactionalEmails: shown }) };
}

/** Those of a template may be millions, and are counted as they come. Null: the others are as many as there are to look at. */
async function countKnown(
  { database }: EmailParts,
  account: string,
  { email, templateId, messageId }: Wanted,
  span: Span,
): Promise<number | null> {
  if (email !== null || messageId !== null || templateId === null) return null;
  const days = await readReport(database, account, { template: templateId }, daysOf(span));
  return [...days.values()].reduce((sum, { requests }) => sum + requests, 0);
}

function parseWanted(query: Query): Wanted {
  const { email, templateId, messageId } = query;
  if (!email && !templateId && !messageId) throw missing('One of email, templateId or messageId');
  return { email: parseEmail('email', email), templateId: parseTemplateId(templateId), messageId: messageId || null };
}

export function parseEmail(field: string, text: string | undefined): string | null {
  if (!text) return null;
  const mailbox = parseMailbox(text);
  if (mailbox === null || mailbox.name !== '') throw invalid(field);
  return mailbox.address.toLowerCase();
}

export function parseTemplateId(text: string | undefined): number | null {
  if (!text) return null;
  if (!/^\d{1,15}$/.test(text)) throw invalid('templateId', 'it must be a number');
  return Number(text);
}

async function* find(
  database: DatabaseReader,
  account: string,
  { email, templateId, messageId }: Wanted,
  within: { span: Span; order: Order },
): AsyncGenerator<EmailSummary> {
  if (messageId !== null) {
    const named = await findByMessageId(database, account, messageId);
    if (named && (templateId === null || named.templateId === templateId)) yield named;
    return;
  }
  const named = email === null ? { template: templateId ?? 0 } : { recipient: email };
  for await (const found of searchEmails(database, account, { ...within, named })) {
    if (templateId === null || found.templateId === templateId) yield found;
  }
}

function render(email: EmailSummary, { address, uuid }: Recipient): Record<string, unknown> {
  return {
    email: address,
    subject: email.subject,
    ...(email.templateId === undefined ? {} : { templateId: email.templateId }),
    messageId: email.messageId,
    uuid,
    date: new Date(email.createdAt).toISOString(),
    from: envelopeAddress(email.from),
    ...(email.tags.length === 0 ? {} : { tags: email.tags.map(writeTag) }),
  };
}

export async function retrieve({ database }: EmailParts, call: Call): Promise<Reply> {
  const { account } = call.caller;
  const { email: summary, recipient } = await findRecipient(database, account, call.param('uuid'));
  const email = await findEmail(database, account, summary.id);
  const events = await listEvents(database, account, summary.id);
  const known = events.filter(({ detail }) => detail.recipients?.includes(recipient.address));
  const body = {
    email: recipient.address,
    subject: summary.subject,
    ...(summary.templateId === undefined ? {} : { templateId: summary.templateId }),
    date: new Date(summary.createdAt).toISOString(),
    events: known.flatMap(({ type, at, detail }) => {
      const name = type === 'sent' ? 'sent' : reportNameOf(type, detail.said ?? null);
      const captured = detail.said?.captured && type === 'delivered' ? { captured: true } : {};
      return name === null ? [] : [{ name, time: new Date(at).toISOString(), ...captured }];
    }),
    // Empty after the purge.
    body: email?.html ?? email?.text ?? '',
    attachmentCount: email?.attachments.length ?? 0,
  };
  return { status: 200, body: JSON.stringify(body) };
}
