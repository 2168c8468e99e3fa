/** Requests of accounts, held in memory and written once a second: a request that is read costs no write. */

import type { Clock } from '../core/clock.ts';
import type { Database } from '../store/database.ts';
import { insertRequestLogs, type RequestLog } from '../store/request-logs.ts';

export type RequestLogs = {
  add(request: Omit<RequestLog, 'id' | 'at'>): void;
  /** A crash, or a database that takes no writes, loses those of the last second. */
  flush(): Promise<void>;
};

/** Of one account between two writes: of a flood the newest stay. */
const keptAtOnce = 100;
const agentCharsMax = 300;

export type RequestLogOptions = {
  database: Database;
  clock: Pick<Clock, 'now'>;
  nextId: (now: number) => string;
};

export function createRequestLogs({ database, clock, nextId }: RequestLogOptions): RequestLogs {
  let kept = new Map<string, RequestLog[]>();
  return {
    // Members are written out: this is done for each request, and a spread costs ten times as much.
    add({ account, method, endpoint, status, userAgent }) {
      const at = clock.now();
      const own = kept.get(account) ?? [];
      const agent = userAgent?.slice(0, agentCharsMax) ?? null;
      own.push({ account, method, endpoint, status, userAgent: agent, id: nextId(at), at });
      // Taken off by halves: one by one would move all the others each time.
      if (own.length >= 2 * keptAtOnce) own.splice(0, keptAtOnce);
      kept.set(account, own);
    },

    async flush() {
      const writing = kept;
      kept = new Map();
      for (const [account, own] of writing) {
        await database.write((tx) => insertRequestLogs(tx, account, own.slice(-keptAtOnce)), {
          about: `requests ${account}`,
        });
      }
    },
  };
}
