/** An account too much of whose mail comes back is paused, before its relay or a blocklist does that to everybody. */

import type { Clock } from '../core/clock.ts';
import type { Database } from '../store/database.ts';
import { listCameBack, pauseAccount } from '../store/pauses.ts';

/** Both must be passed within an hour: a share of what was handed over, and a number. Null: nobody is paused for it. */
export type PauseAt = { share: number; number: number } | null;

export type PauseLimits = { pauseAtBounces: PauseAt; pauseAtComplaints: PauseAt };

export type PauseOptions = PauseLimits & {
  database: Database;
  clock: Pick<Clock, 'now'>;
  onPaused: (name: string) => void;
};

export async function pauseAccounts({ database, clock, onPaused, ...limits }: PauseOptions): Promise<void> {
  const { pauseAtBounces, pauseAtComplaints } = limits;
  if (!pauseAtBounces && !pauseAtComplaints) return;
  for (const { account, handed, bounced, complained } of await listCameBack(database, clock.now())) {
    const isOver = isPassed(pauseAtBounces, bounced, handed) || isPassed(pauseAtComplaints, complained, handed);
    if (isOver && (await database.write((tx) => pauseAccount(tx, account, clock.now())))) onPaused(account);
  }
}

function isPassed(at: PauseAt, count: number, handed: number): boolean {
  return at !== null && count >= at.number && count >= at.share * handed;
}
