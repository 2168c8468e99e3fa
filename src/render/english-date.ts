/** Moments in everyday English, read by chrono-node. Takes seconds on some texts of 100 characters: runs in renderer threads alone. */

import { createRequire } from 'node:module';
import type { ParsedResult } from 'chrono-node/en';

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const weekMs = 7 * dayMs;

/**
 * Null: not English for one moment. What chrono-node found is put together here, not by its own `date()` and `forwardDate`: those
 * calculate in the server's zone, and `Friday at 3pm ET` came out a week apart under TZ=UTC and TZ=America/New_York.
 */
export function readEnglishDate({ text, now }: { text: string; now: number }): number | null {
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

/** Loaded when the first date in words comes: most mails are sent at once. */
function english(): English {
  return createRequire(import.meta.url)('chrono-node/en');
}
