/**
 * Judges each arrival at a server before anything else is done there: whether the database still has what was acknowledged. A
 * promoted standby may lack the last moments; what it takes for open may have left, so it is held before anything is claimed.
 */

import { log } from '../log.ts';
import type { Transaction } from '../store/database.ts';
import type { Arrival, OnArrival } from '../store/engine/postgres/admission.ts';
import { beginGeneration, findProgress } from '../store/progress.ts';
import { beginHold, findHistory, type History, lockHistory, recordHistory } from '../store/went-back.ts';

export type Arrivals = {
  judge: OnArrival;
  /** `listener` is told when this process has found a database that went back. */
  onWentBack(listener: () => void): void;
};

export function createArrivals(): Arrivals {
  /** Of the history this process has last arrived at. */
  let era: number | null = null;
  let tell = () => {};

  /** A commit of ours that is missing proves it, unless it was found and held since. */
  function isLoss(known: History, { timeline, isBehind }: Arrival): boolean {
    // A server that was upgraded begins with the first one again.
    const isPromoted = known.timeline !== null && timeline !== null && known.timeline < timeline;
    // Only a standby that commits have waited for is known to have them all.
    return (known.era === era && isBehind()) || (isPromoted && !known.isSynchronous);
  }

  function isNews(known: History | null, arrival: Arrival): boolean {
    if (!known || isLoss(known, arrival)) return true;
    return known.timeline !== arrival.timeline || known.isSynchronous !== arrival.isSynchronous;
  }

  async function judge(tx: Transaction, arrival: Arrival): Promise<() => void> {
    const seen = await findHistory(tx);
    if (seen && !isNews(seen, arrival)) return () => arrived(seen.era);
    // Whoever is first judges for all; the others find it judged.
    const known = await lockHistory(tx);
    if (known && !isNews(known, arrival)) return () => arrived(known.era);
    const isMissing = arrival.isBehind();
    const hasLost = known !== null && isLoss(known, arrival);
    const { timeline, isSynchronous } = arrival;
    const next = { timeline, isSynchronous, era: (known?.era ?? 0) + (hasLost ? 1 : 0) };
    await recordHistory(tx, next);
    if (hasLost) await beginHoldNow(tx, arrival);
    return () => {
      arrived(next.era);
      if (!hasLost) return;
      log.wentBackFound(
        isMissing ? 'a commit that was acknowledged is missing' : 'an asynchronous standby was promoted',
      );
      tell();
    };
  }

  function arrived(at: number): void {
    era = at;
  }

  return {
    judge,
    onWentBack(listener) {
      tell = listener;
    },
  };
}

/** With a generation of its own, which no witness has seen: it is found once. */
async function beginHoldNow(tx: Transaction, { at }: Arrival): Promise<void> {
  const progress = await findProgress(tx);
  if (!progress) return;
  await beginHold(tx, { at, from: progress });
  await beginGeneration(tx, progress.databaseId, 0);
}
