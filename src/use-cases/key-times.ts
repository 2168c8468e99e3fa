/** When API keys were used last: noted in memory, and written about once a minute for each, so that no request waits for it. */

import type { Clock } from '../core/clock.ts';
import { noteKeyUsed } from '../store/api-keys.ts';
import type { Database } from '../store/database.ts';

export type KeyTimes = {
  used(id: string): void;
  /** Writes what is due; a crash loses a minute at most. */
  flush(): Promise<void>;
};

const writtenEveryMs = 60_000;

export function createKeyTimes(database: Database, clock: Pick<Clock, 'now'>): KeyTimes {
  /** Only of keys that exist: nobody fills it by guessing. */
  const times = new Map<string, { at: number; writtenAt: number }>();

  return {
    used(id) {
      const at = clock.now();
      const known = times.get(id);
      if (known) known.at = at;
      else times.set(id, { at, writtenAt: Number.NEGATIVE_INFINITY });
    },

    async flush() {
      const due = [...times].filter(([, { at, writtenAt }]) => at >= writtenAt + writtenEveryMs);
      if (due.length === 0) return;
      // In the same order in every process, so that none waits for one that waits for it.
      due.sort(([a], [b]) => (a < b ? -1 : 1));
      await database.write(async (tx) => {
        for (const [id, { at }] of due) await noteKeyUsed(tx, id, at);
      });
      for (const [, one] of due) one.writtenAt = one.at;
    },
  };
}
