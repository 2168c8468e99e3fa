/** Lane 1: due deliveries, claimed fairly across accounts, each attempted once and settled by its outcome. */

import { log } from '../log.ts';
import { accountsWithDue, claimDue, handBack, handBackForgotten } from '../store/mail/claim.ts';
import { type Delivery, type DeliveryRef, type InDoubtPolicy, partName } from '../store/mail/deliveries.ts';
import { doubtForgottenHandoffs } from '../store/mail/recover.ts';
import type { Lane } from '../worker.ts';
import { Attempt, type AttemptOptions, isSuspect } from './attempt.ts';
import { claimWithRoutes, isWorthClaiming } from './relays/claims.ts';
import { Turns } from './turns.ts';

export type DeliverOptions = AttemptOptions & {
  /** Names this process in claims. */
  worker: string;
  policy: InDoubtPolicy;
};

/** Longer than any attempt may take up to its gate; only a hung worker loses its claim to it. */
const leaseMs = 15 * 60_000;

/** How often the rows are compared with what is held here: a commit may be gone whose answer came. */
const compareEveryMs = 10_000;

export class DeliverLane implements Lane<Delivery> {
  readonly name = 'deliveries';
  readonly #options: DeliverOptions;
  readonly #underWay = new Set<Attempt>();
  /** Claimed and not done with. */
  readonly #held = new Set<string>();
  /** A claim may have committed without our learning what it took. */
  #isUnsure = false;
  #comparedAt = 0;
  readonly #turns = new Turns();
  #draining = false;
  #isBulkFirst = false;
  /** The last claim has not seen all that is due. */
  #isBehind = false;
  #lastAccount = '';

  constructor(options: DeliverOptions) {
    this.#options = options;
  }

  /** For each session two: the next mail is composed while the last one is answered and settled. */
  get concurrency(): number {
    return 2 * this.#options.relays.sessions;
  }

  /** Where mails have routes, those for each relay are counted beside. */
  get heldMax(): number {
    const { relays } = this.#options;
    return (relays.isRouted ? 4 : 3) * relays.sessions;
  }

  get isBehind(): boolean {
    return this.#isBehind;
  }

  async claim(limit: number): Promise<Delivery[]> {
    const { database, clock, relays } = this.#options;
    const now = clock.now();
    if (now - this.#comparedAt >= compareEveryMs) this.#isUnsure = true;
    this.#isBehind = false;
    if (relays.isRouted && !relays.hasRoom && !this.#isUnsure) return [];
    const due = await accountsWithDue(database, now);
    const isWorthIt =
      due.length > 0 || this.#isUnsure || (relays.isRouted && (await isWorthClaiming(database, relays)));
    if (!isWorthIt) return [];
    const turns = startingAfter(due, this.#lastAccount);
    this.#lastAccount = turns[Math.min(limit, turns.length) - 1] ?? '';
    const claimed = await this.#claimInTurns(turns, limit, now);
    for (const delivery of claimed) {
      this.#held.add(partName(delivery));
      relays.reserve(delivery);
    }
    if (await relays.refill()) this.#isBehind = true;
    // What may end this process comes last, so that the others have begun.
    return claimed.sort((a, b) => Number(isSuspect(a)) - Number(isSuspect(b)));
  }

  async #claimInTurns(turns: string[], limit: number, now: number): Promise<Delivery[]> {
    const { database, worker, policy, relays } = this.#options;
    const wasUnsure = this.#isUnsure;
    this.#isUnsure = true;
    const isBulkFirst = this.#isBulkFirst;
    this.#isBulkFirst = !isBulkFirst;
    let lost: DeliveryRef[] = [];
    const claimed = await database.write(async (tx) => {
      const claimed: Delivery[] = [];
      if (wasUnsure) {
        await handBackForgotten(tx, worker, this.#held, now);
        lost = await doubtForgottenHandoffs(tx, { worker, held: this.#held, now, policy });
      }
      if (relays.isRouted) {
        const routed = await claimWithRoutes(tx, relays, { turns, worker, limit, now, leaseMs, isBulkFirst });
        this.#isBehind = routed.isBehind;
        return routed.claimed;
      }
      // Each account gets its share first; what is left over goes to whoever still has mail due.
      for (const most of [Math.max(1, Math.floor(limit / turns.length)), limit]) {
        for (const account of turns) {
          const room = Math.min(most, limit - claimed.length);
          if (room <= 0) return claimed;
          claimed.push(...(await claimDue(tx, account, worker, { now, leaseMs, limit: room, isBulkFirst })));
        }
      }
      return claimed;
    });
    this.#isUnsure = false;
    if (wasUnsure) this.#comparedAt = now;
    for (const ref of lost) log.inDoubt(ref, 'what its worker recorded of it is gone');
    return claimed;
  }

  async attempt(delivery: Delivery): Promise<void> {
    const one = new Attempt(delivery, this.#options, this.#turns, () => this.#draining);
    this.#underWay.add(one);
    try {
      await one.done;
    } finally {
      this.#underWay.delete(one);
      this.#held.delete(partName(delivery));
      this.#options.relays.leave(delivery);
    }
  }

  /** From here on no gate opens. What has not asked for its gate is handed back; a late ask finds no row. */
  async release(unstarted: Delivery[]): Promise<void> {
    this.#draining = true;
    const { database, clock } = this.#options;
    const ungated = [...this.#underWay].filter((one) => !one.hasAskedGate).map((one) => one.delivery);
    const handedBack = [...unstarted, ...ungated];
    if (handedBack.length === 0) return;
    for (const delivery of unstarted) this.#options.relays.leave(delivery);
    await database.write(async (tx) => {
      for (const delivery of handedBack) await handBack(tx, delivery, clock.now());
    });
  }

  async settled(): Promise<void> {
    const asked = [...this.#underWay].filter((one) => one.hasAskedGate);
    await Promise.allSettled(asked.map((one) => one.done));
  }
}

function startingAfter(accounts: string[], last: string): string[] {
  const next = accounts.findIndex((account) => account > last);
  return next <= 0 ? accounts : [...accounts.slice(next), ...accounts.slice(0, next)];
}
