/** Senders an account has named: each address once, and each change made to the sender as it is then. */

import type { Clock } from '../core/clock.ts';
import type { Database } from '../store/database.ts';
import { deleteSender, insertSender, type Sender, updateSender } from '../store/senders.ts';

export type Senders = {
  /** Null: the account has a sender of this address. */
  make(account: string, sender: Omit<Sender, 'id'>): Promise<number | null>;
  /** What is left out stays. `taken`: another sender of the account has this address. */
  change(account: string, id: number, change: Partial<Omit<Sender, 'id'>>): Promise<'changed' | 'taken' | 'missing'>;
  /** False: there is no such sender. */
  remove(account: string, id: number): Promise<boolean>;
};

export function createSenders(database: Database, clock: Clock): Senders {
  return {
    make: (account, sender) => database.write((tx) => insertSender(tx, account, { ...sender, now: clock.now() })),
    change: (account, id, change) => database.write((tx) => updateSender(tx, account, id, change)),
    remove: (account, id) => database.write((tx) => deleteSender(tx, account, id)),
  };
}
