/** Addresses an account must not mail, put on the list and taken off it by hand; each request is one transaction, all or nothing. */

import type { Clock } from '../core/clock.ts';
import type { SuppressionOrigin } from '../core/suppression.ts';
import type { Database } from '../store/database.ts';
import {
  blockDomain,
  type Suppression,
  type SuppressionName,
  suppress,
  unblockDomain,
  unsuppress,
  unsuppressBounces,
} from '../store/suppressions.ts';

export type Suppress = {
  /** An address that is suppressed already keeps what was known first. In the order of the addresses. */
  add(account: string, addresses: readonly string[], origin: SuppressionOrigin): Promise<Suppression[]>;
  /** Lets mail through again. In the order of the names; null where it was not suppressed. */
  remove(account: string, names: readonly SuppressionName[]): Promise<(Suppression | null)[]>;
  /** Lets mail through again that bounces of a span (epoch milliseconds, `until` excluded) stopped; to all, where no address is named. */
  removeBounces(account: string, which: { address: string | null; from: number; until: number }): Promise<void>;
  /** No mail goes to any address at this domain. */
  blockDomain(account: string, domain: string): Promise<void>;
  /** False: it was not blocked. */
  unblockDomain(account: string, domain: string): Promise<boolean>;
};

export function createSuppress(database: Database, clock: Pick<Clock, 'now'>): Suppress {
  return {
    add(account, addresses, origin) {
      const terms = { account, origin, sourceId: null, reply: null, createdAt: clock.now() };
      return database.write(async (tx) => {
        const held: Suppression[] = [];
        for (const address of addresses) held.push(await suppress(tx, { ...terms, address }));
        return held;
      });
    },

    remove(account, names) {
      return database.write(async (tx) => {
        const removed: (Suppression | null)[] = [];
        for (const name of names) removed.push(await unsuppress(tx, account, name, clock.now()));
        return removed;
      });
    },

    removeBounces(account, which) {
      return database.write((tx) => unsuppressBounces(tx, account, { ...which, now: clock.now() }));
    },

    blockDomain: (account, domain) => database.write((tx) => blockDomain(tx, account, domain, clock.now())),

    unblockDomain: (account, domain) => database.write((tx) => unblockDomain(tx, account, domain)),
  };
}
