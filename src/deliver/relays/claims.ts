/** One claim where mails have routes: places for each relay, shared fairly between accounts, and between what waited and what is new. */

import type { Reader, Transaction } from '../../store/database.ts';
import { claimRouted, type DueMail } from '../../store/mail/claim-routed.ts';
import type { Delivery } from '../../store/mail/deliveries.ts';
import { accountsWaiting, listWaitedFor } from '../../store/mail/waiting.ts';
import type { Relays } from './relays.ts';

/** Rows one claim looks at: each that is put aside is a write, and others wait for this commit. */
const lookMax = 500;

export type Turn = {
  turns: readonly string[];
  worker: string;
  limit: number;
  now: number;
  leaseMs: number;
  isBulkFirst: boolean;
};

/** `isBehind`: not all that is due was seen. */
export type Claimed = { claimed: Delivery[]; isBehind: boolean };

/** Whether anything waits that could be taken now. */
export async function isWorthClaiming(reader: Reader, relays: Relays): Promise<boolean> {
  const values = await listWaitedFor(reader);
  return values.some((value) => relays.isOpenFor(value, new Map()));
}

export async function claimWithRoutes(tx: Transaction, relays: Relays, turn: Turn): Promise<Claimed> {
  // More than there are places for would only be put aside, a write each. Where there are none, nothing open is left to wait behind.
  const limit = Math.min(turn.limit, relays.room || turn.limit);
  const round = new Round(tx, relays, { ...turn, limit });
  const { turns } = turn;
  await round.takeWaiting(turns.length > 0 ? Math.ceil(limit / 2) : limit);
  await round.takeDue();
  await round.takeWaiting(limit);
  return { claimed: round.claimed, isBehind: round.looked >= lookMax };
}

class Round {
  readonly claimed: Delivery[] = [];
  looked = 0;
  readonly #tx: Transaction;
  readonly #relays: Relays;
  readonly #turn: Turn;
  /** Places this claim has given away, by relay. */
  readonly #taken = new Map<string, number>();

  constructor(tx: Transaction, relays: Relays, turn: Turn) {
    this.#tx = tx;
    this.#relays = relays;
    this.#turn = turn;
  }

  async takeWaiting(upTo: number): Promise<void> {
    for (const waitsFor of await listWaitedFor(this.#tx)) {
      if (!this.#relays.isOpenFor(waitsFor, this.#taken)) continue;
      await this.#share(await accountsWaiting(this.#tx, waitsFor), upTo, waitsFor);
    }
  }

  /** Each account gets its share first; what is left over goes to whoever still has mail due. */
  takeDue(): Promise<void> {
    return this.#share(this.#turn.turns, this.#turn.limit);
  }

  async #share(accounts: readonly string[], upTo: number, waitsFor?: string): Promise<void> {
    if (accounts.length === 0) return;
    const room = upTo - this.claimed.length;
    for (const most of [Math.max(1, Math.floor(room / accounts.length)), room]) {
      for (const account of accounts) {
        const limit = Math.min(most, upTo - this.claimed.length);
        if (limit <= 0 || this.looked >= lookMax) return;
        await this.#claim(account, limit, waitsFor);
      }
    }
  }

  async #claim(account: string, limit: number, waitsFor?: string): Promise<void> {
    const { worker, now, leaseMs, isBulkFirst } = this.#turn;
    const admit = (mail: DueMail) => this.#relays.admit(mail, this.#taken);
    const isGone = (value: string) => this.#relays.isUnknown(value);
    const wanted = waitsFor === undefined ? {} : { waitsFor };
    const terms = { now, leaseMs, limit, isBulkFirst, admit, isGone, lookMax: lookMax - this.looked, ...wanted };
    const { claimed, looked } = await claimRouted(this.#tx, account, worker, terms);
    this.claimed.push(...claimed);
    if (waitsFor === undefined) this.looked += looked;
  }
}
