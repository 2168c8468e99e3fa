/** GET /v3/smtp/statistics/events: every fact about every recipient, in the order it was recorded. */

import { envelopeAddress } from '../../core/address.ts';
import { writeTag } from '../../core/email.ts';
import type { Call, Reply } from '../call.ts';
import { type EmailParts, parseEmail, parseTemplateId } from './emails.ts';
import { parseReportName } from './event-names.ts';
import { type Fact, facts, type Wanted } from './facts.ts';
import { parseSpan } from './parse-dates.ts';
import { parsePage, type Query } from './parse-query.ts';
import { findByMessageId } from './recipients.ts';
import { invalid } from './refusal.ts';

/** docs/brevo.md: pages of 2,500, at most 5,000; the last 30 days, and no more than 90. */
const pageLimits = { limitDefault: 2_500, limitMax: 5_000 };
const spanLimits = { daysDefault: 30, daysMax: 90 };

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
    if (skipped < offset) skipped += 1;
    else events.push(render(fact));
    if (events.length === limit) break;
  }
  return { status: 200, body: JSON.stringify({ events }) };
}

function parseWanted(query: Query): Wanted {
  return {
    email: parseEmail('email', query.email),
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
