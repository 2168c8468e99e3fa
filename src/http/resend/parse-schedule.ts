/** `scheduled_at`: ISO 8601 or natural English to a moment (docs/resend.md), for sends and for rescheduling. */

import { AppError } from '../../core/error.ts';
import type { Rendering } from '../../render/renderer.ts';
import { tooBusy } from '../../render/too-busy.ts';
import type { Awaitable } from '../../store/database.ts';
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

/** What a text says in words; null where it says no moment. @throws AppError where that took too long to find out */
export type ReadWords = (text: string, now: number) => number | null;

export const noWords: ReadWords = () => null;

/**
 * Reads all the dates in words of a request, before it is parsed: chrono-node is not linear in what it reads.
 * @throws AppError `unavailable` where no thread was free for it
 */
export function readDatesInWords(rendering: Rendering, json: unknown, now: number): Awaitable<ReadWords> {
  const items = Array.isArray(json) ? json.slice(0, resendLimits.batchMax) : [json];
  const written = new Set<string>();
  for (const item of items) if (isFields(item) && isText(item.scheduled_at)) written.add(item.scheduled_at.trim());
  const texts = written.size === 0 ? [] : [...written].filter((text) => isInWords(text, now));
  return texts.length === 0 ? noWords : readAll(rendering, texts, now);
}

async function readAll(rendering: Rendering, texts: readonly string[], now: number): Promise<ReadWords> {
  const made = await rendering.run(
    'englishDate',
    texts.map((text) => ({ text, now })),
  );
  if (made.some((one) => one.kind === 'cut' && one.reason === 'busy')) throw tooBusy();
  const read = new Map(texts.map((text, index) => [text, made[index]]));
  return (text) => {
    const one = read.get(text);
    if (one?.kind === 'cut') throw tooSlow();
    return one?.kind === 'made' ? one.value : null;
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= resendLimits.scheduleCharsMax && !breaksLine(value);
}

function isInWords(text: string, now: number): boolean {
  return text !== '' && readIso(text) === null && readDuration(text, now) === null;
}

/** A moment without a zone is read as UTC: the server's own zone would make the same request mean different things. */
export function parseSchedule(value: unknown, now: number, readWords: ReadWords, limits: ResendLimits): Schedule {
  if (isAbsent(value)) return { scheduledText: null, scheduledAt: null };
  if (typeof value !== 'string' || value.length > limits.scheduleCharsMax || breaksLine(value)) throw unreadable();
  const text = value.trim();
  const moment = readIso(text) ?? readDuration(text, now) ?? readWords(text, now);
  if (moment === null || !Number.isFinite(moment)) throw unreadable();
  if (moment > now + limits.scheduleAheadMsMax) {
    const days = Math.floor(limits.scheduleAheadMsMax / 86_400_000);
    throw invalidField('scheduled_at', `Emails can be scheduled at most ${days} days ahead.`);
  }
  if (moment < now - limits.scheduleBehindMsMax) throw invalidField('scheduled_at', 'The time is in the past.');
  return { scheduledText: text, scheduledAt: moment > now ? moment : null };
}

/** The body of PATCH /emails/:id; `id` and `email_id` beside it are ignored (docs/resend.md). */
export function parseReschedule(
  body: unknown,
  now: number,
  readWords: ReadWords = noWords,
  limits: ResendLimits = resendLimits,
): Schedule {
  if (body !== undefined && body !== null && !isFields(body)) {
    throw new AppError('invalid_field', 'The request body must be a JSON object.');
  }
  const fields: Fields = body ?? {};
  if (isAbsent(fields.scheduled_at)) throw missingField('scheduled_at');
  return parseSchedule(fields.scheduled_at, now, readWords, limits);
}

function unreadable(): AppError {
  return invalidField(
    'scheduled_at',
    'It must be an ISO 8601 date such as `2026-08-05T11:52:01.858Z`, or English such as `in 1 hour`, `tomorrow at 9am` or `Friday at 3pm ET`.',
  );
}

function tooSlow(): AppError {
  return invalidField(
    'scheduled_at',
    'It takes too long to find out what moment these words mean. Write an ISO 8601 date such as `2026-08-05T11:52:01.858Z`.',
  );
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const weekMs = 7 * dayMs;

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
