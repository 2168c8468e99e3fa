/** GET /emails/metrics: what became of an account's mail, from counts that are kept as things happen. */

import type { DatabaseReader } from '../../store/database.ts';
import { readReport } from '../../store/page/report.ts';
import { dayMs, type ReportCounts } from '../../store/page/report-tally.ts';
import { type Hour, hourMs, listHours } from '../../store/page/rollups.ts';
import type { Call, Reply } from '../call.ts';
import { invalidField } from './parse-fields.ts';

export type MetricParts = { database: DatabaseReader; now: () => number };

const counters = [
  ...(['received', 'delivered', 'complained', 'suppressed', 'bounced', 'bounced_transient'] as const),
  ...(['bounced_permanent', 'bounced_undetermined', 'opened', 'clicked', 'unsubscribed', 'delivery_delayed'] as const),
  ...(['failed', 'sent', 'unique_opened', 'unique_clicked'] as const),
];
type Counts = Record<(typeof counters)[number], number>;

/** Shares of what left, as a fraction. */
const rates = {
  delivery_rate: ({ delivered, sent, bounced }: Counts) => share(delivered, sent + bounced),
  open_rate: ({ opened, sent }: Counts) => share(opened, sent),
  click_rate: ({ clicked, sent }: Counts) => share(clicked, sent),
  bounce_rate: ({ bounced, sent }: Counts) => share(bounced, sent + bounced),
  complaint_rate: ({ complained, sent }: Counts) => share(complained, sent),
  unsubscribe_rate: ({ unsubscribed, sent }: Counts) => share(unsubscribed, sent),
};

const metricNames: readonly string[] = [...counters, ...Object.keys(rates)];
const granularities = ['hourly', 'daily', 'weekly', 'monthly'] as const;
type Granularity = (typeof granularities)[number];

const periodsMax = 10_000;
/** Hours are counted one by one: ten years of them are read in a moment. */
const spanMaxMs = 3_660 * dayMs;

type Wanted = {
  from: number;
  until: number;
  metrics: readonly string[];
  byPeriod: boolean;
  granularity: Granularity;
  timezone: string;
};

export async function showMetrics({ database, now }: MetricParts, call: Call): Promise<Reply> {
  const wanted = parseWanted(call.query(), now());
  const { from, until, metrics, byPeriod, granularity } = wanted;
  const counted = await countsIn(database, call.caller.account, wanted);
  const shown = (counts: Counts) => Object.fromEntries(metrics.map((name) => [name, figureOf(name, counts)]));
  const answer = {
    object: 'metrics',
    start_date: new Date(from).toISOString(),
    end_date: new Date(until).toISOString(),
    metrics,
    dimensions: byPeriod ? ['period'] : [],
    granularity,
    totals: shown(sumOf(counted.map(({ counts }) => counts))),
    ...(byPeriod ? { data: periodsOf(counted, wanted).map(([period, counts]) => ({ period, ...shown(counts) })) } : {}),
  };
  return { status: 200, body: JSON.stringify(answer) };
}

type Counted = { at: number; counts: Counts };

/** By the hour; kinds of bounces and complaints by the day (UTC), at its first hour that is asked for. */
async function countsIn(database: DatabaseReader, account: string, { from, until }: Wanted): Promise<Counted[]> {
  const hours = await listHours(database, account, Math.floor(from / hourMs));
  const days = { from: Math.floor(from / dayMs), until: Math.floor(until / dayMs) + 1 };
  const report = await readReport(database, account, {}, days);
  return [
    ...hours.filter(({ hour }) => hour * hourMs <= until).map(ofHour),
    ...[...report].map(([day, counts]) => ofDay(Math.max(day * dayMs, from), counts)),
  ];
}

function ofHour({ hour, sent, delivered, bounced, suppressed, failed }: Hour): Counted {
  return { at: hour * hourMs, counts: { ...nothing(), sent, delivered, bounced, suppressed, failed } };
}

function ofDay(at: number, { hard_bounces, soft_bounces, complaints }: ReportCounts): Counted {
  const kinds = { bounced_permanent: hard_bounces, bounced_transient: soft_bounces, complained: complaints };
  return { at, counts: { ...nothing(), ...kinds } };
}

function nothing(): Counts {
  return Object.fromEntries(counters.map((name) => [name, 0])) as Counts;
}

function sumOf(all: readonly Counts[]): Counts {
  const sum = nothing();
  for (const one of all) for (const name of counters) sum[name] += one[name];
  return sum;
}

function share(part: number, whole: number): number {
  return whole <= 0 ? 0 : Math.round((part / whole) * 10_000) / 10_000;
}

function figureOf(name: string, counts: Counts): number {
  const rate = rates[name as keyof typeof rates];
  return rate ? rate(counts) : counts[name as keyof Counts];
}

/** Each in which something was counted, in order, by the calendar of the zone. */
function periodsOf(counted: readonly Counted[], { granularity, timezone }: Wanted): [string, Counts][] {
  const nameOf = createNames(granularity, timezone);
  const periods = new Map<string, Counts[]>();
  for (const { at, counts } of counted) {
    const name = nameOf(at);
    periods.set(name, [...(periods.get(name) ?? []), counts]);
  }
  return [...periods]
    .map(([name, all]): [string, Counts] => [name, sumOf(all)])
    .filter(([, counts]) => counters.some((name) => counts[name] !== 0))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** `2026-07-01`, the first day of a week (Monday) or month, or with the hour: `2026-07-01T13:00`. */
function createNames(granularity: Granularity, timeZone: string): (at: number) => string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  return (at) => {
    const [day = '', time = ''] = format.format(at).split(' ');
    if (granularity === 'hourly') return `${day}T${time.slice(0, 2)}:00`;
    if (granularity === 'monthly') return `${day.slice(0, 7)}-01`;
    if (granularity === 'daily') return day;
    const date = new Date(`${day}T00:00:00Z`);
    return new Date(date.getTime() - ((date.getUTCDay() + 6) % 7) * dayMs).toISOString().slice(0, 10);
  };
}

function parseWanted(query: Readonly<Record<string, string>>, now: number): Wanted {
  for (const name of ['domain_id', 'email_id', 'broadcast_id']) {
    if (query[name]) throw invalidField(name, 'Mail is counted by account here, and not by this.');
  }
  const until = Math.min(parseTime('end_date', query.end_date) ?? now, now);
  const from = parseTime('start_date', query.start_date) ?? until - 6 * dayMs;
  if (from > until) throw invalidField('start_date', 'It must be on or before `end_date`.');
  const granularity = granularities.find((one) => one === (query.granularity || 'daily'));
  if (!granularity) throw invalidField('granularity', `It must be one of ${granularities.join(', ')}.`);
  const dimensions = parseNames('dimensions', query.dimensions, ['period', 'domain', 'email', 'broadcast']) ?? [];
  const other = dimensions.find((one) => one !== 'period');
  if (other) throw invalidField('dimensions', `Mail is counted by \`period\` here, and not by \`${other}\`.`);
  const byPeriod = dimensions.length > 0;
  if (until - from > spanMaxMs || (byPeriod && granularity === 'hourly' && (until - from) / hourMs > periodsMax)) {
    throw invalidField('start_date', `The range must not have more than ${periodsMax} periods.`);
  }
  const metrics = parseNames('metrics', query.metrics, metricNames) ?? metricNames;
  return { from, until, granularity, metrics, byPeriod, timezone: parseZone(query.timezone || 'UTC') };
}

function parseTime(name: string, text: string | undefined): number | null {
  if (!text) return null;
  const at = /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:?\d{2})?)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw invalidField(name, 'It must be an ISO 8601 date or datetime.');
  return at;
}

function parseNames(name: string, text: string | undefined, known: readonly string[]): string[] | null {
  if (!text) return null;
  const named = [...new Set(text.split(',').map((one) => one.trim()))];
  const unknown = named.find((one) => !known.includes(one));
  if (unknown !== undefined) throw invalidField(name, `It must be of ${known.join(', ')}.`);
  return named;
}

function parseZone(timeZone: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return timeZone;
  } catch {
    throw invalidField('timezone', 'It must be an IANA timezone.');
  }
}
