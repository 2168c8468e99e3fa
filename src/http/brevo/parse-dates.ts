/** The days a list or a report is about (docs/brevo.md); days are UTC's, there are no account time zones. */

import { AppError } from '../../core/error.ts';
import type { Span } from '../../store/page/email-search.ts';
import type { Days } from '../../store/page/report.ts';
import { dayMs } from '../../store/page/report-tally.ts';
import { readIso } from '../iso-date.ts';
import type { Query } from './parse-query.ts';
import { invalid, missing } from './refusal.ts';

export type SpanLimits = { daysDefault: number; daysMax: number };

/** A span is always of whole days. */
export function daysOf({ from, until }: Span): Days {
  return { from: from / dayMs, until: until / dayMs };
}

/** Null where no days are named. */
export function parseSpanIfNamed(query: Query, now: number): Span | null {
  return query.startDate || query.endDate ? parseSpan(query, now, { daysDefault: 1, daysMax: 36_500 }) : null;
}

/** `startDate` and `endDate`, both included, or `days` up to today; the last days where neither is given. */
export function parseSpan(query: Query, now: number, { daysDefault, daysMax }: SpanLimits): Span {
  const tomorrow = Math.floor(now / dayMs) * dayMs + dayMs;
  const { startDate, endDate, days } = query;
  if (!startDate && !endDate) {
    const span = days ? parseDays(days, daysMax) : daysDefault;
    return { from: tomorrow - span * dayMs, until: tomorrow };
  }
  if (days) throw invalid('days', 'it cannot be used together with startDate and endDate');
  if (!startDate) throw missing('startDate');
  if (!endDate) throw missing('endDate');
  const from = parseDay('startDate', startDate);
  const until = parseDay('endDate', endDate) + dayMs;
  // Byte for byte what clients know.
  if (from >= tomorrow || until > tomorrow) {
    throw new AppError('invalid_field', 'Start/End date should not be greater than current date');
  }
  if (from >= until) throw invalid('startDate', 'it must not be after endDate');
  if (until - from > daysMax * dayMs) throw invalid('startDate', `at most ${daysMax} days can be asked for`);
  return { from, until };
}

function parseDay(name: string, text: string): number {
  const day = /^\d{4}-\d\d-\d\d$/.test(text) ? readIso(text) : null;
  if (day !== null && Number.isFinite(day)) return day;
  throw invalid(name, 'it must be a date as 2026-04-05');
}

function parseDays(text: string, daysMax: number): number {
  const days = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (days >= 1 && days <= daysMax) return days;
  throw invalid('days', `it must be a whole number from 1 to ${daysMax}`);
}
