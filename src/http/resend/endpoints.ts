/** Where this facade takes submissions, how long their keys live, and how two requests under one key are compared. */

import type { Endpoint, KeyTerms } from '../../use-cases/submission.ts';
import { diffBatch, diffFields } from './diff.ts';
import { type BatchMode, parseBatch, parseSend } from './parse.ts';
import { readDatesInWords } from './parse-schedule.ts';

export const facadeName = 'resend';

/** docs/resend.md: 24 hours, or KEY_LIFETIME. */
export const keyTerms: KeyTerms = { lifetimeMs: 24 * 60 * 60_000, followsSchedule: true, mayLiveLonger: true };

export const singleEndpoint: Endpoint = {
  facade: facadeName,
  name: 'POST /emails',
  keyTerms,
  differences: async ([stored], { json }, { now, rendering }) =>
    stored ? diffFields(stored, parseSend(json, now, await readDatesInWords(rendering, json, now))) : [],
};

export const batchEndpoint: Endpoint = {
  facade: facadeName,
  name: 'POST /emails/batch',
  keyTerms,
  differences: async (stored, { json, mode }, { now, rendering }) => {
    const { drafts } = parseBatch(json, mode as BatchMode, now, await readDatesInWords(rendering, json, now));
    return diffBatch(
      stored,
      drafts.map(({ draft }) => draft),
    );
  },
};
