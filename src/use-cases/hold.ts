/** Holds everything that may leave by itself: an operator's wish, or a database that went back in time. */

import { afterAllIds } from '../core/token.ts';
import type { Database } from '../store/database.ts';
import { holdables, holdSome } from '../store/mail/hold.ts';
import { holdStep, recordRestored } from '../store/went-back.ts';

/** In steps, so that others need not wait for long; returns once nothing is left that may leave. Tells how many are held. */
export async function holdOpenDeliveries(database: Database, now: number, reason: string): Promise<number> {
  let total = 0;
  for (const state of holdables) {
    for (;;) {
      const { found, held } = await database.write((tx) => holdSome(tx, state, { now, reason, until: afterAllIds }));
      total += held;
      if (found === 0) break;
    }
  }
  return total;
}

/** Of a copy that is put back, witness or not: what it takes for waiting may have left since it was made. Tells how many are held. */
export async function holdRestored(database: Database, at: number, reason: string): Promise<number> {
  const held = await holdOpenDeliveries(database, at, reason);
  await database.write((tx) => recordRestored(tx, { at, held }));
  return held;
}

const wentBackReason =
  'The database went back in time (a backup was restored?): whether this has left since is not known.';

/** Ends what a process that found the database behind has begun, whoever that was. Tells how many are held; null: another ended it. */
export async function finishHold(database: Database, now: () => number): Promise<number | null> {
  for (;;) {
    const step = await database.write((tx) => holdStep(tx, { now: now(), reason: wentBackReason }));
    if (!step) return null;
    if (step.isDone) return step.held;
  }
}
