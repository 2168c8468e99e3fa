/** GET /v3/smtp/statistics/aggregatedReport and reports: facts about recipients counted, in all or day by day. */

import type { Span } from '../../store/page/email-search.ts';
import type { Call, Reply } from '../call.ts';
import type { EmailParts } from './emails.ts';
import type { ReportName } from './event-names.ts';
import { facts } from './facts.ts';
import { parseSpan } from './parse-dates.ts';
import { parsePage } from './parse-query.ts';

/** docs/brevo.md: the last 90 days, and no more; pages of 10 days, at most 30. */
const spanLimits = { daysDefault: 90, daysMax: 90 };
const pageLimits = { limitDefault: 10, limitMax: 30 };

export async function aggregated(parts: EmailParts, call: Call): Promise<Reply> {
  const span = parseSpan(call.query(), parts.now(), spanLimits);
  const range = `${dayOf(span.from)}|${dayOf(span.until - 1)}`;
  const counts = noCounts();
  for (const counted of (await countByDay(parts, call, span)).values()) {
    for (const [name, count] of Object.entries(counted)) counts[name as Counter] += count;
  }
  return { status: 200, body: JSON.stringify({ range, ...counts }) };
}

export async function daily(parts: EmailParts, call: Call): Promise<Reply> {
  const query = call.query();
  const { limit, offset, order } = parsePage(query, pageLimits);
  const span = parseSpan(query, parts.now(), spanLimits);
  const days = [...(await countByDay(parts, call, span))].sort(([one], [other]) => (one < other ? -1 : 1));
  if (order === 'desc') days.reverse();
  const reports = days.slice(offset, offset + limit).map(([date, counts]) => ({ date, ...counts }));
  return { status: 200, body: JSON.stringify({ reports }) };
}

/** The days on which something happened. */
async function countByDay(parts: EmailParts, call: Call, span: Span): Promise<Map<string, Counts>> {
  const { tag } = call.query();
  const wanted = { email: null, event: null, tags: tag ? [tag] : [], named: null, templateId: null };
  const days = new Map<string, Counts>();
  for await (const { name, at } of facts(parts, call.caller.account, { span, order: 'asc', wanted })) {
    const counter = counterOf[name];
    if (counter === undefined) continue;
    const day = dayOf(at);
    const counts = days.get(day) ?? noCounts();
    counts[counter] += 1;
    days.set(day, counts);
  }
  return days;
}

function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

const counters = [
  'requests',
  'delivered',
  'hardBounces',
  'softBounces',
  'clicks',
  'uniqueClicks',
  'opens',
  'uniqueOpens',
  'spamReports',
  'blocked',
  'invalid',
  'unsubscribed',
] as const;

type Counter = (typeof counters)[number];
type Counts = Record<Counter, number>;

/** Opens, clicks and unsubscriptions stay zero: nothing is tracked. A deferral and an error have no counter. */
const counterOf: Partial<Record<ReportName, Counter>> = {
  requests: 'requests',
  delivered: 'delivered',
  hardBounces: 'hardBounces',
  softBounces: 'softBounces',
  spam: 'spamReports',
  blocked: 'blocked',
};

function noCounts(): Counts {
  return Object.fromEntries(counters.map((counter) => [counter, 0])) as Counts;
}
