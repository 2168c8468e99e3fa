/** GET /v3/smtp/statistics/events: every fact about every recipient, in the order it was recorded. */

import { envelopeAddress } from '../../core/address.ts';
import { writeTag } from '../../core/email.ts';
import type { EventType } from '../../core/event.ts';
import { type LoggedEvent, type Order, type Span, searchEmails, searchEvents } from '../../store/email-search.ts';
import type { EmailSummary } from '../../store/emails.ts';
import { listEvents as listEventsOf } from '../../store/events.ts';
import type { Call, Reply } from '../call.ts';
import { type EmailParts, parseEmail, parseTemplateId } from './emails.ts';
import { isWanted, parseReportName, type ReportName, reportedTypes, reportNameOf } from './event-names.ts';
import { parseSpan } from './parse-dates.ts';
import { parsePage, type Query } from './parse-query.ts';
import { findByMessageId, recipientsOf } from './recipients.ts';
import { invalid } from './refusal.ts';

/** docs/brevo.md: pages of 2,500, at most 5,000; the last 30 days, and no more than 90. */
const pageLimits = { limitDefault: 2_500, limitMax: 5_000 };
const spanLimits = { daysDefault: 30, daysMax: 90 };

type Wanted = {
  email: string | null;
  event: ReportName | null;
  tags: string[];
  /** The email that was asked for by its messageId. */
  named: EmailSummary | null;
  templateId: number | null;
};

/** One fact about one recipient. */
type Fact = { name: ReportName; at: number; address: string; reply: string | null; email: EmailSummary };

export async function listEvents(parts: EmailParts, call: Call): Promise<Reply> {
  const query = call.query();
  const wanted = parseWanted(query);
  const { limit, offset, order } = parsePage(query, pageLimits);
  const span = parseSpan(query, parts.now(), spanLimits);
  const events: Record<string, unknown>[] = [];
  let skipped = 0;
  if (query.messageId) wanted.named = await findByMessageId(parts.database, call.caller.account, query.messageId);
  const isNobody = Boolean(query.messageId) && wanted.named === null;
  if (limit === 0 || isNobody) return { status: 200, body: JSON.stringify({ events }) };
  for await (const fact of facts(parts, call.caller.account, { span, order, wanted })) {
    if (!matches(wanted, fact)) continue;
    if (skipped < offset) skipped += 1;
    else events.push(render(fact));
    if (events.length === limit) break;
  }
  return { status: 200, body: JSON.stringify({ events }) };
}

function parseWanted(query: Query): Wanted {
  return {
    email: parseEmail(query.email),
    event: parseReportName(query.event),
    tags: parseTags(query.tags),
    named: null,
    templateId: parseTemplateId(query.templateId),
  };
}

/** A JSON array of texts, or one text: clients disagree on what "serialized" means. */
function parseTags(text: string | undefined): string[] {
  if (!text) return [];
  if (!text.startsWith('[')) return [text];
  try {
    const tags: unknown = JSON.parse(text);
    if (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')) return tags;
  } catch {
    // Falls through to the refusal.
  }
  throw invalid('tags', 'it must be a JSON array of strings');
}

type Terms = { span: Span; order: Order; wanted: Wanted };

/** Acceptances and events in one order, read no further than asked. */
async function* facts(parts: EmailParts, account: string, terms: Terms): AsyncGenerator<Fact> {
  const accepted = acceptances(parts, account, terms);
  const recorded = recordings(parts, account, terms);
  let [one, other] = [await accepted.next(), await recorded.next()];
  while (!one.done || !other.done) {
    if (!one.done && (other.done || comesFirst(one.value, other.value, terms.order))) {
      yield one.value;
      one = await accepted.next();
    } else if (!other.done) {
      yield other.value;
      other = await recorded.next();
    }
  }
}

/** An email is accepted before anything else happens to it. */
function comesFirst(acceptance: Fact, event: Fact, order: Order): boolean {
  return order === 'asc' ? acceptance.at <= event.at : acceptance.at > event.at;
}

async function* acceptances({ database }: EmailParts, account: string, { span, order, wanted }: Terms) {
  if (!isWanted(wanted.event, 'requests')) return;
  const emails = wanted.named ? [wanted.named] : searchEmails(database, account, { span, order, holding: null });
  for await (const email of emails) {
    if (!isWithin(span, email.createdAt)) continue;
    for (const { address } of recipientsOf(email)) {
      yield { name: 'requests', at: email.createdAt, address, reply: null, email } satisfies Fact;
    }
  }
}

async function* recordings(parts: EmailParts, account: string, { span, order, wanted }: Terms) {
  const types = reportedTypes.filter((type) => mayBe(type, wanted.event));
  if (types.length === 0) return;
  const events = wanted.named
    ? await eventsOf(parts, wanted.named, order)
    : searchEvents(parts.database, account, { span, order, types });
  for await (const event of events) if (isWithin(span, event.at)) yield* factsOf(event);
}

async function eventsOf({ database }: EmailParts, email: EmailSummary, order: Order): Promise<LoggedEvent[]> {
  const events = (await listEventsOf(database, email.account, email.id)).map((event) => ({ ...event, email }));
  return order === 'asc' ? events : events.reverse();
}

function isWithin({ from, until }: Span, at: number): boolean {
  return at >= from && at < until;
}

/** Which kind of bounce it was is only seen in the relay's words. */
function mayBe(type: EventType, wanted: ReportName | null): boolean {
  const names = ['4', '5'].map((reply) => reportNameOf(type, reply));
  return names.some((name) => name !== null && isWanted(wanted, name));
}

function* factsOf({ type, at, detail, email }: LoggedEvent): Generator<Fact> {
  const shown = new Set(recipientsOf(email).map(({ address }) => address));
  for (const [index, address] of (detail.recipients ?? []).entries()) {
    const reply = detail.replies?.[index] ?? detail.reply ?? null;
    const name = reportNameOf(type, reply ?? '');
    if (name !== null && shown.has(address)) yield { name, at, address, reply, email };
  }
}

function matches(wanted: Wanted, { name, address, email }: Fact): boolean {
  if (!isWanted(wanted.event, name)) return false;
  if (wanted.email !== null && address.toLowerCase() !== wanted.email) return false;
  if (wanted.templateId !== null && email.templateId !== wanted.templateId) return false;
  return wanted.tags.length === 0 || email.tags.some((tag) => wanted.tags.includes(writeTag(tag)));
}

function render({ name, at, address, reply, email }: Fact): Record<string, unknown> {
  const { tags, templateId } = email;
  return {
    email: address,
    date: new Date(at).toISOString(),
    subject: email.subject,
    messageId: email.messageId,
    event: name,
    ...(reply === null || name === 'delivered' ? {} : { reason: reply }),
    ...(tags.length === 0 ? {} : { tag: tags.map(writeTag).join(',') }),
    from: envelopeAddress(email.from),
    ...(templateId === undefined ? {} : { templateId }),
  };
}
