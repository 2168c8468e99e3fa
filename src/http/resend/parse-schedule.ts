/** `scheduled_at`: ISO 8601 or natural English to a moment (docs/resend.md), for sends and for rescheduling. */

import { createRequire } from 'node:module';
import type { ParsedResult } from 'chrono-node/en';
import { AppError } from '../../core/error.ts';
import { breaksLine, type Fields, isAbsent, isFields } from '../fields.ts';
import { readIso } from '../iso-date.ts';
import { type ResendLimits, resendLimits } from './limits.ts';
import { invalidField, missingField } from './parse-fields.ts';

export type Schedule = {
  /** As written; null where absent. */
  scheduledText: string | null;
  /** Epoch milliseconds; null means now. */
  scheduledAt: number | null;
};

/** A moment without a zone is read as UTC: the server's own zone would make the same request mean different things. */
export function parseSchedule(value: unknown, now: number, limits: ResendLimits): Schedule {
  if (isAbsent(value)) return { scheduledText: null, scheduledAt: null };
  if (typeof value !== 'string' || value.length > limits.scheduleCharsMax || breaksLine(value)) throw unreadable();
  const text = value.trim();
  const moment = readIso(text) ?? readEnglish(text, now);
  if (moment === null || !Number.isFinite(moment)) throw unreadable();
  if (moment > now + limits.scheduleAheadMsMax) {
    const days = Math.floor(limits.scheduleAheadMsMax / 86_400_000);
    throw invalidField('scheduled_at', `Emails can be scheduled at most ${days} days ahead.`);
  }
  if (moment < now - limits.scheduleBehindMsMax) throw invalidField('scheduled_at', 'The time is in the past.');
  return { scheduledText: text, scheduledAt: moment > now ? moment : null };
}

/** The body of PATCH /emails/:id; `id` and `email_id` beside it are ignored (docs/resend.md). */
export function parseReschedule(body: unknown, now: number, limits: ResendLimits = resendLimits): Schedule {
  if (body !== undefined && body !== null && !isFields(body)) {
    throw new AppError('invalid_field', 'The request body must be a JSON object.');
  }
  const fields: Fields = body ?? {};
  if (isAbsent(fields.scheduled_at)) throw missingField('scheduled_at');
  return parseSchedule(fields.scheduled_at, now, limits);
}

function unreadable(): AppError {
  return invalidField(
    'scheduled_at',
    'It must be an ISO 8601 date such as `2026-08-05T11:52:01.858Z`, or English such as `in 1 hour`, `tomorrow at 9am` or `Friday at 3pm ET`.',
  );
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const weekMs = 7 * dayMs;

/** Null: not English for one moment. */
function readEnglish(text: string, now: number): number | null {
  return readDuration(text, now) ?? readCalendar(text, now);
}

const duration =
  /^in (\d{1,9}|an?|one) (?:(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?)|(d|days?)|(w|weeks?))$/i;

/** The commonest form, read here: exact whatever the server's own zone, and a hundred times as fast as chrono-node. */
function readDuration(text: string, now: number): number | null {
  const match = duration.exec(text);
  if (match === null) return null;
  const unitMs = [1000, minuteMs, 60 * minuteMs, dayMs, weekMs][match.slice(2).findIndex((unit) => unit)] ?? 0;
  const count = Number(match[1]);
  return now + (Number.isNaN(count) ? 1 : count) * unitMs;
}

/**
 * Everything else is chrono-node's. What it found is put together here, not by its own `date()` and `forwardDate`: those
 * calculate in the server's zone, and `Friday at 3pm ET` came out a week apart under TZ=UTC and TZ=America/New_York.
 */
function readCalendar(text: string, now: number): number | null {
  if (longNumber.test(text)) return null;
  const start = findStart(text, now, 0);
  if (start === null) return null;
  // `tomorrow at 9am ET` is tomorrow as ET sees it.
  const offset = start.get('timezoneOffset') ?? 0;
  const zoned = offset === 0 ? start : findStart(text, now, offset);
  if (zoned === null) return null;
  const stepMs = momentOf(zoned) > now ? 0 : recurrenceMs(zoned, text);
  if (stepMs === 0) return momentOf(zoned);
  // Read again from a later day rather than added to, so that ET is the ET of that day.
  const later = findStart(text, now + stepMs, offset);
  return later === null ? null : momentOf(later);
}

/** chrono-node counts `999999999 day` day by day, for minutes; nothing that is meant has more digits than a year. */
const longNumber = /\d{5}/;

const before = /^(?:(?:at|on|in|by)\s+)?$/i;
const after = /^[\s.]*$/;

/**
 * chrono-node finds a date anywhere in a text; here the whole text must be one, and no range. Otherwise `tomorrow at 25:00`
 * would be read as tomorrow and go out at a time nobody asked for.
 */
function findStart(text: string, now: number, zoneMinutes: number): ParsedResult['start'] | null {
  const found = english().parse(text, { instant: new Date(now), timezone: zoneMinutes });
  const result = found[0];
  if (found.length !== 1 || result === undefined || result.end) return null;
  const isWhole = before.test(text.slice(0, result.index)) && after.test(text.slice(result.index + result.text.length));
  return isWhole ? result.start : null;
}

function momentOf(start: ParsedResult['start']): number {
  const [year, month, day, hour, minute, second, millisecond, zoneMinutes] = components.map(
    (name) => start.get(name) ?? 0,
  );
  const wall = Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute, second, millisecond);
  return wall - (zoneMinutes ?? 0) * minuteMs;
}

const components = ['year', 'month', 'day', 'hour', 'minute', 'second', 'millisecond', 'timezoneOffset'] as const;

/** How often what was said comes round again: `9am` daily, `Friday` weekly, a date never. */
function recurrenceMs(start: ParsedResult['start'], text: string): number {
  const isDated = start.isCertain('day') || start.isCertain('month');
  if (isDated || looksBack.test(text)) return 0;
  if (start.isCertain('weekday')) return weekMs;
  return start.isCertain('hour') ? dayMs : 0;
}

/** `last friday` is never the next one, nor `this morning` tomorrow's. */
const looksBack = /\b(?:last|past|this)\b/i;

type English = typeof import('chrono-node/en');

/** Loaded when the first date in words comes: most mails are sent at once, and a start should not wait for it. */
function english(): English {
  return createRequire(import.meta.url)('chrono-node/en');
}
