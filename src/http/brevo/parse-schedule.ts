/** `scheduledAt` and `batchId`: when an email leaves, and under which name it can be called off with others. */

import { isUuid } from '../../core/token.ts';
import { isAbsent } from '../fields.ts';
import { readIso } from '../iso-date.ts';
import { brevoLimits } from './limits.ts';
import { invalid } from './refusal.ts';

/** `at` in epoch milliseconds, `text` as written. */
export type Schedule = { at: number; text: string; batchId: string | null };

/** Null where nothing is scheduled; a batchId alone is ignored, as Brevo does. */
export function parseSchedule(scheduledAt: unknown, batchId: unknown, now: number): Schedule | null {
  const parsedId = parseBatchId(batchId);
  if (isAbsent(scheduledAt)) return null;
  const text =
    typeof scheduledAt === 'string' && scheduledAt.length <= brevoLimits.scheduleCharsMax ? scheduledAt.trim() : '';
  const at = readIso(text);
  if (at === null || !Number.isFinite(at)) {
    throw invalid('scheduledAt', 'it must be a date and time with its offset, as 2026-04-05T12:30:00+02:00');
  }
  if (at > now + brevoLimits.scheduleAheadMsMax) {
    throw invalid('scheduledAt', `it must be at most ${brevoLimits.scheduleAheadMsMax / 3_600_000} hours ahead`);
  }
  if (at < now - brevoLimits.scheduleBehindMsMax) throw invalid('scheduledAt', 'it is in the past');
  return { at, text, batchId: parsedId };
}

function parseBatchId(value: unknown): string | null {
  if (isAbsent(value)) return null;
  if (typeof value === 'string' && isUuid(value)) return value.toLowerCase();
  throw invalid('batchId', 'it must be a UUID');
}
