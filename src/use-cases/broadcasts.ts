/** Broadcasts: written, started once, called off, and made into emails step by step. */

import type { Broadcast, BroadcastContent } from '../core/broadcast.ts';
import type { Clock } from '../core/clock.ts';
import { lockAccount } from '../store/accounts.ts';
import {
  cancelBroadcast,
  claimBroadcast,
  deleteBroadcast,
  endBroadcast,
  findBroadcast,
  findDueBroadcast,
  insertBroadcast,
  putOffBroadcast,
  type Step,
  startBroadcast,
  writeContent,
} from '../store/broadcasts.ts';
import type { Database } from '../store/database.ts';

export type Broadcasts = {
  make(account: string, content: BroadcastContent): Promise<string>;
  /** `missing`: there is none; `started`: it is a draft no more. */
  change(account: string, id: string, change: Partial<BroadcastContent>): Promise<'changed' | 'missing' | 'started'>;
  /** False: somebody has started it before, and nothing more is sent for this. `at`: null for now. */
  start(account: string, id: string, at: number | null): Promise<boolean>;
  /** False: nothing was to be called off. */
  cancel(account: string, id: string): Promise<boolean>;
  /** False: it is going out. */
  remove(account: string, id: string): Promise<boolean>;
};

export type BroadcastOptions = { database: Database; clock: Pick<Clock, 'now'>; nextId: (now: number) => string };

export function createBroadcasts({ database, clock, nextId }: BroadcastOptions): Broadcasts {
  return {
    make: (account, content) =>
      database.write(async (tx) => {
        const createdAt = clock.now();
        const id = nextId(createdAt);
        await insertBroadcast(tx, { account, id, content, createdAt });
        return id;
      }),

    change: (account, id, change) =>
      database.write(async (tx) => {
        await lockAccount(tx, account);
        const found = await findBroadcast(tx, account, id);
        if (!found) return 'missing';
        return (await writeContent(tx, found, { ...found.content, ...change })) ? 'changed' : 'started';
      }),

    start: (account, id, at) => database.write((tx) => startBroadcast(tx, { account, id }, at, clock.now())),
    cancel: (account, id) => database.write((tx) => cancelBroadcast(tx, account, id)),
    remove: (account, id) => database.write((tx) => deleteBroadcast(tx, account, id)),
  };
}

/** What a process does for broadcasts that are due. */
export type Spreading = {
  /** The next one that is due, which is this process's for a while; null: none is. */
  claim(forMs: number): Promise<(Broadcast & { claimedUntil: number }) | null>;
  end(step: Step): Promise<void>;
  putOff(step: Step, later: { until: number; trouble: string | null }): Promise<void>;
};

export function createSpreading(database: Database, clock: Pick<Clock, 'now'>): Spreading {
  return {
    async claim(forMs) {
      const now = clock.now();
      const due = await findDueBroadcast(database, now);
      if (!due) return null;
      const claimedUntil = now + forMs;
      const isOurs = await database.write((tx) => claimBroadcast(tx, due, claimedUntil));
      return isOurs ? { ...due, status: 'queued', claimedUntil } : null;
    },
    end: (step) => database.write((tx) => endBroadcast(tx, step, clock.now())),
    putOff: (step, later) => database.write((tx) => putOffBroadcast(tx, step, later)),
  };
}
