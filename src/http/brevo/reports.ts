/** GET /v3/smtp/statistics/aggregatedReport and reports: facts about recipients counted, in all or day by day. */

import type { Span } from '../../store/page/email-search.ts';
import { readReport } from '../../store/page/report.ts';
import { dayMs, type ReportCounts } from '../../store/page/report-tally.ts';
import type { Call, Reply } from '../call.ts';
import type { EmailParts } from './emails.ts';
import { daysOf, parseSpan } from './parse-dates.ts';
import { parsePage } from './parse-query.ts';

/** docs/brevo.md: the last 90 days, and no more; pages of 10 days, at most 30. */
const spanLimits = { daysDefault: 90, daysMax: 90 };
const pageLimits = { limitDefault: 10, limitMax: 30 };

export async function aggregated(parts: EmailParts, call: Call): Promise<Reply> {
  const span = parseSpan(call.query(), parts.now(), spanLimits);
  const range = `${dayOf(span.from)}|${dayOf(span.until - 1)}`;
  const counts = noCounts();
  for (const counted of (await countByDay(parts, call, span)).values()) {
    for (const [name, count] of Object.entries(toCounts(counted))) counts[name as Counter] += count;
  }
  return { status: 200, body: JSON.stringify({ range, ...counts }) };
}

export async function daily(parts: EmailParts, call: Call): Promise<Reply> {
  const query = call.query();
  const { limit, offset, order } = parsePage(query, pageLimits);
  const span = parseSpan(query, parts.now(), spanLimits);
  const days = [...(await countByDay(parts, call, span))].sort(([one], [other]) => one - other);
  if (order === 'desc') days.reverse();
  const reports = days
    .slice(offset, offset + limit)
    .map(([day, counts]) => ({ date: dayOf(day * dayMs), ...toCounts(counts) }));
  return { status: 200, body: JSON.stringify({ reports }) };
}

/** The days on which something was counted. */
function countByDay({ database }: EmailParts, call: Call, span: Span): Promise<Map<number, ReportCounts>> {
  const { tag } = call.query();
  return readReport(database, call.caller.account, tag ? { tag } : {}, daysOf(span));
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
function toCounts(counts: ReportCounts): Counts {
  return {
    ...noCounts(),
    requests: counts.requests,
    delivered: counts.delivered,
    hardBounces: counts.hard_bounces,
    softBounces: counts.soft_bounces,
    spamReports: counts.complaints,
    blocked: counts.blocked,
  };
}

function noCounts(): Counts {
  return Object.fromEntries(counters.map((counter) => [counter, 0])) as Counts;
}
