/** `Resend-Scheduled-At`: the moment a mail is to leave, as Resend's API takes it. */

import type { Message } from '../../core/email.ts';
import { AppError } from '../../core/error.ts';
import { readIso } from '../../http/iso-date.ts';
import type { Rendering } from '../../render/renderer.ts';
import { tooBusy } from '../../render/too-busy.ts';
import { submissionLimits as limits } from './limits.ts';

type Schedule = Pick<Message, 'scheduledAt' | 'scheduledText'>;

const wordsMax = 100;

/** Past moments are now. @throws AppError */
export async function readSchedule(
  [written = '']: readonly string[],
  rendering: Rendering,
  now: number,
): Promise<Schedule> {
  const text = written.trim();
  if (text === '') return { scheduledAt: null, scheduledText: null };
  const moment = readIso(text) ?? (await readWords(text, rendering, now));
  if (moment === null || !Number.isFinite(moment)) {
    throw new AppError(
      'invalid_field',
      'Resend-Scheduled-At must be an ISO 8601 date such as `2026-08-05T11:52:01Z`, or English such as `in 1 hour`.',
    );
  }
  if (moment > now + limits.scheduleAheadMsMax) {
    throw new AppError('invalid_field', 'Mails can be scheduled at most 30 days ahead.');
  }
  return { scheduledText: text, scheduledAt: moment > now ? moment : null };
}

async function readWords(text: string, rendering: Rendering, now: number): Promise<number | null> {
  if (text.length > wordsMax) return null;
  const [made] = await rendering.run('englishDate', [{ text, now }]);
  if (made?.kind === 'cut' && made.reason === 'busy') throw tooBusy();
  return made?.kind === 'made' ? made.value : null;
}
