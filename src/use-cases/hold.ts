/** Holds everything that may leave by itself: an operator's wish, or a database that went back in time. */

import type { Database } from '../store/database.ts';
import { holdables, holdSome } from '../store/mail/hold.ts';

/** In steps, so that others need not wait for long; returns once nothing is left that may leave. Tells how many are held. */
export async function holdOpenDeliveries(database: Database, now: number, reason: string): Promise<number> {
  let total = 0;
  for (const state of holdables) {
    for (;;) {
      const { found, held } = await database.write((tx) => holdSome(tx, state, { now, reason }));
      total += held;
      if (found === 0) break;
    }
  }
  return total;
}
