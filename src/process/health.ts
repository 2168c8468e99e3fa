/** Whether the database answers: one small read with little patience, whatever asks, and however often. */

import { patiently } from '../core/patience.ts';
import type { Reader } from '../store/database.ts';

export function createPulse(database: Reader, patienceMs: number): () => Promise<boolean> {
  const ask = patiently(patienceMs, () => answers(database));
  return async () => (await ask()) ?? false;
}

/** A row of a table: without one SQLite would not look into its file. */
async function answers(database: Reader): Promise<boolean> {
  try {
    await database.all('select id from accounts limit 1');
    return true;
  } catch {
    return false;
  }
}
