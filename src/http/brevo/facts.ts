/** What happened to recipients, in one order: that an email to them was accepted, and what came of it. */

import { writeTag } from '../../core/email.ts';
import type { EventType } from '../../core/event.ts';
import type { EmailSummary } from '../../store/mail/emails.ts';
import {
  type LoggedEvent,
  listEventsOf,
  type Named,
  type Order,
  type Span,
  searchEmails,
  searchEvents,
} from '../../store/page/email-search.ts';
import type { EmailParts } from './emails.ts';
import { isWanted, type ReportName, reportedTypes, reportNameOf } from './event-names.ts';
import { recipientsOf } from './recipients.ts';

/** One fact about one recipient. */
export type Fact = { name: ReportName; at: number; address: string; reply: string | null; email: EmailSummary };

export type Wanted = {
  email: string | null;
  event: ReportName | null;
  tags: string[];
  /** The email that was asked for by its messageId. */
  named: EmailSummary | null;
  templateId: number | null;
};

export type Terms = { span: Span; order: Order; wanted: Wanted };

/** Those that are wanted, read no further than asked. */
export async function* facts(parts: EmailParts, account: string, terms: Terms): AsyncGenerator<Fact> {
  for await (const fact of allFacts(parts, account, terms)) if (matches(terms.wanted, fact)) yield fact;
}

/** Acceptances and events in one order. */
async function* allFacts(parts: EmailParts, account: string, terms: Terms): AsyncGenerator<Fact> {
  const few = terms.wanted.named ? [terms.wanted.named] : await findFew(parts, account, terms);
  const accepted = acceptances(parts, account, few, terms);
  const recorded = recordings(parts, account, few, terms);
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

/** Up to here, all that happened to the emails that are named is looked at; of more, there are some wherever one looks. */
const fewMax = 5_000;

/** Null where none are named, or too many are: then what happened is gone through in its order. */
async function findFew({ database }: EmailParts, account: string, { span, wanted }: Terms) {
  const named = namedBy(wanted);
  if (named === null) return null;
  const few: EmailSummary[] = [];
  // Of whatever age: what happened to them may have been in the span.
  const accepted = { span: { from: 0, until: span.until }, order: 'asc' as const, named };
  for await (const email of searchEmails(database, account, accepted)) {
    if (few.length === fewMax) return null;
    few.push(email);
  }
  return few;
}

function namedBy({ email, templateId, tags }: Wanted): Named | null {
  if (email !== null) return { recipient: email };
  if (templateId !== null) return { template: templateId };
  return tags.length === 0 ? null : { tags };
}

type Few = EmailSummary[] | null;

async function* acceptances({ database }: EmailParts, account: string, few: Few, { span, order, wanted }: Terms) {
  if (!isWanted(wanted.event, 'requests')) return;
  const all = few ? inOrder(few, order) : searchEmails(database, account, { span, order, named: null });
  for await (const email of all) {
    if (!isWithin(span, email.createdAt)) continue;
    for (const { address } of recipientsOf(email)) {
      yield { name: 'requests', at: email.createdAt, address, reply: null, email } satisfies Fact;
    }
  }
}

async function* recordings({ database }: EmailParts, account: string, few: Few, { span, order, wanted }: Terms) {
  const types = reportedTypes.filter((type) => mayBe(type, wanted.event));
  if (types.length === 0) return;
  const events = few
    ? inOrder(await listEventsOf(database, account, few), order)
    : searchEvents(database, account, { span, order, types });
  for await (const event of events) {
    if (types.includes(event.type) && isWithin(span, event.at)) yield* factsOf(event);
  }
}

/** Of what is there oldest first. */
function inOrder<T>(list: readonly T[], order: Order): T[] {
  return order === 'asc' ? [...list] : [...list].reverse();
}

function isWithin({ from, until }: Span, at: number): boolean {
  return at >= from && at < until;
}

/** Which kind of bounce it was is only seen in the event. */
function mayBe(type: EventType, wanted: ReportName | null): boolean {
  const names = (['transient', 'permanent'] as const).map((kind) =>
    reportNameOf(type, { class: kind, code: 0, enhanced: null }),
  );
  return names.some((name) => name !== null && isWanted(wanted, name));
}

function* factsOf({ type, at, detail, email }: LoggedEvent): Generator<Fact> {
  const shown = new Set(recipientsOf(email).map(({ address }) => address));
  for (const [index, address] of (detail.recipients ?? []).entries()) {
    const reply = detail.replies?.[index] ?? detail.reply ?? null;
    const name = reportNameOf(type, detail.each?.[index] ?? detail.said ?? null);
    if (name !== null && shown.has(address)) yield { name, at, address, reply, email };
  }
}

function matches(wanted: Wanted, { name, address, email }: Fact): boolean {
  if (!isWanted(wanted.event, name)) return false;
  if (wanted.email !== null && address.toLowerCase() !== wanted.email) return false;
  if (wanted.templateId !== null && email.templateId !== wanted.templateId) return false;
  return wanted.tags.length === 0 || email.tags.some((tag) => wanted.tags.includes(writeTag(tag)));
}
