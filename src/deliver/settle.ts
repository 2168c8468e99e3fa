/** Records what an attempt came to: one outcome, one transition, retried until the database has taken it. */

import type { Clock } from '../core/clock.ts';
import { type Outcome, outcomeName } from '../core/outcome.ts';
import { nobodyTried, type Tried } from '../core/passed-over.ts';
import { ownWords, type Reply } from '../core/reply.ts';
import { retryDelayMs } from '../core/retry.ts';
import { log } from '../log.ts';
import type { Database, Transaction } from '../store/database.ts';
import { type Delivery, type DeliveryRef, emailName, type InDoubtPolicy, never } from '../store/mail/deliveries.ts';
import { verdictWaitMs } from '../store/mail/recover.ts';
import {
  type Handed,
  settleInDoubt,
  settlePutOff,
  settleRefused,
  settleRejected,
  settleTaken,
  settleUnreached,
} from '../store/mail/settle.ts';

/** Which relay it was, and which ones would have to be back for another try to be worth while. */
export type Way = { tried: Tried; waitsFor: string | null };

export type SettleOptions = {
  database: Database;
  clock: Clock;
  policy: InDoubtPolicy;
  sentCountsAsDelivered: boolean;
  /** 0 ≤ x < 1, for jitter. */
  random: () => number;
  /** Told after each commit: somebody may be to be told. */
  onRecorded: () => void;
};

/** Between two tries to record a verdict that the database refused (a full disk). */
const settleRetryMs = 200;

export class Settler {
  readonly #options: SettleOptions;

  constructor(options: SettleOptions) {
    this.#options = options;
  }

  /** False where the delivery is not this attempt's own any more: who has moved it has said what became of it. */
  async settle(
    delivery: Delivery,
    outcome: Outcome,
    way: Way = { tried: nobodyTried, waitsFor: null },
  ): Promise<boolean> {
    switch (outcome.phase) {
      case 'unreached':
        return this.#unreached(delivery, outcome.reply, way);
      case 'refused': {
        const again = { ...this.#retry(delivery.tries + 1), tried: way.tried };
        return this.record(delivery, (tx) => settleRefused(tx, delivery, outcome, again));
      }
      case 'verdict':
        return this.#verdict(delivery, outcome);
      case 'in_doubt':
        void outcome.late?.then((verdict) => this.#late(delivery, verdict));
        return this.#inDoubt(delivery, outcome.reason);
      case 'fenced':
        return false;
      default:
        return outcome satisfies never;
    }
  }

  /** What somebody has learned of a hand-off afterwards; it counts unless somebody else has decided since. */
  settleLate(handed: Handed, verdict: Outcome): Promise<boolean> {
    if (verdict.phase !== 'verdict' || verdict.reply.said.class === 'transient') return Promise.resolve(false);
    const { reply, id, isDelivered } = verdict;
    const isTaken = reply.said.class === 'ok';
    const state = this.#stateOf(isDelivered);
    return this.record(handed, (tx) => {
      const now = this.#options.clock.now();
      return isTaken
        ? settleTaken(tx, handed, { state, reply, now, id: id ?? null })
        : settleRejected(tx, handed, { reply, now });
    });
  }

  /** Holds without asking the policy: sending it again would not be sending the same. */
  async hold(delivery: Delivery, reason: string): Promise<void> {
    await this.#hold(delivery, reason, never);
  }

  /**
   * What is known is recorded, however long the database refuses: only the death of this process makes doubt.
   * False: the delivery is somebody else's by now.
   */
  async record(delivery: DeliveryRef, write: (tx: Transaction) => Promise<boolean>): Promise<boolean> {
    for (;;) {
      try {
        const recorded = await this.#options.database.write(write, { about: emailName(delivery) });
        this.#options.onRecorded();
        return recorded;
      } catch (error) {
        log.settleFailed(error);
        await new Promise((resolve) => setTimeout(resolve, settleRetryMs));
      }
    }
  }

  #stateOf(isDelivered: true | undefined): 'sent' | 'delivered' {
    return isDelivered || this.#options.sentCountsAsDelivered ? 'delivered' : 'sent';
  }

  #verdict(delivery: Delivery, { reply, isDelivered, id }: Outcome & { phase: 'verdict' }): Promise<boolean> {
    const { clock } = this.#options;
    const again = this.#retry(delivery.tries + 1);
    const state = this.#stateOf(isDelivered);
    return this.record(delivery, (tx) => {
      const now = clock.now();
      switch (reply.said.class) {
        case 'ok':
          return settleTaken(tx, delivery, { state, reply, now, id: id ?? null });
        case 'transient':
          return settlePutOff(tx, delivery, { reply, ...again });
        case 'permanent':
          return settleRejected(tx, delivery, { reply, now });
        default:
          return reply.said.class satisfies never;
      }
    });
  }

  #unreached(delivery: Delivery, reply: Reply, { tried, waitsFor }: Way): Promise<boolean> {
    log.unreached(delivery, reply.text);
    const again = { reply, tried, waitsFor, ...this.#retry(delivery.failures + 1) };
    return this.record(delivery, (tx) => settleUnreached(tx, delivery, again));
  }

  #inDoubt(delivery: Delivery, reason: string): Promise<boolean> {
    const sendsAgain = (delivery.policy ?? this.#options.policy) === 'send-again';
    return this.#hold(delivery, reason, sendsAgain ? this.#options.clock.now() + verdictWaitMs : never);
  }

  async #hold(delivery: Delivery, reason: string, runAt: number): Promise<boolean> {
    const now = this.#options.clock.now();
    const doubt = { reason: ownWords(reason), now, runAt };
    const isHeld = await this.record(delivery, (tx) => settleInDoubt(tx, delivery, doubt));
    if (isHeld) log.inDoubt(delivery, reason);
    return isHeld;
  }

  /** A verdict after all, on a session that was still listened to; it counts unless somebody has decided since. */
  async #late(delivery: Delivery, verdict: Outcome): Promise<void> {
    if (verdict.phase === 'in_doubt') return;
    log.lateVerdict(delivery, outcomeName(verdict));
    await this.settle(delivery, verdict);
  }

  #retry(times: number): { now: number; retryAt: number } {
    const now = this.#options.clock.now();
    return { now, retryAt: now + retryDelayMs(times, this.#options.random()) };
  }
}
