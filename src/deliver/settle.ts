/** Records what an attempt came to: one outcome, one transition, retried until the database has taken it. */

import type { Clock } from '../core/clock.ts';
import type { Outcome } from '../core/outcome.ts';
import { retryDelayMs } from '../core/retry.ts';
import { log } from '../log.ts';
import type { Database, Transaction } from '../store/database.ts';
import {
  type Delivery,
  emailName,
  type InDoubtPolicy,
  never,
  settleDeferredVerdict,
  settleInDoubt,
  settleRefused,
  settleUnreached,
  settleVerdict,
} from '../store/mail/deliveries.ts';
import { verdictWaitMs } from '../store/mail/holds.ts';

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

type Refused = Pick<Outcome & { kind: 'refused' }, 'bounced' | 'deferred'> & { isOneReply?: boolean };

/** Between two tries to record a verdict that the database refused (a full disk). */
const settleRetryMs = 200;

export class Settler {
  readonly #options: SettleOptions;

  constructor(options: SettleOptions) {
    this.#options = options;
  }

  /** `gated` tells whether this attempt's gate has committed: the same reply then settles another state. */
  async settle(delivery: Delivery, gated: boolean, outcome: Outcome): Promise<unknown> {
    switch (outcome.kind) {
      case 'sent':
        return this.#verdict(delivery, this.#options.sentCountsAsDelivered ? 'delivered' : 'sent', outcome.reply);
      case 'delivered':
        return this.#verdict(delivery, 'delivered', outcome.reply);
      case 'bounced':
        if (gated) return this.#verdict(delivery, 'bounced', outcome.reply);
        return this.#refused(delivery, { bounced: repliesTo(delivery, outcome.reply), deferred: [], isOneReply: true });
      case 'deferred':
        if (gated) return this.#deferred(delivery, outcome.reply);
        return this.#refused(delivery, { bounced: [], deferred: repliesTo(delivery, outcome.reply), isOneReply: true });
      case 'refused':
        return this.#refused(delivery, outcome);
      case 'unreached':
        return this.#unreached(delivery, outcome.reason);
      case 'in_doubt':
        await this.#inDoubt(delivery, outcome.reason);
        void outcome.late?.then((verdict) => this.#late(delivery, verdict));
        return;
      case 'fenced':
        return;
      default:
        outcome satisfies never;
    }
  }

  /** Holds without asking the policy: sending it again would not be sending the same. */
  async hold(delivery: Delivery, reason: string): Promise<void> {
    const now = this.#options.clock.now();
    const held = await this.record(delivery, (tx) => settleInDoubt(tx, delivery, { reason, now, runAt: never }));
    if (held) log.inDoubt(delivery, reason);
  }

  /**
   * What is known is recorded, however long the database refuses: only the death of this process makes doubt.
   * False: the delivery is somebody else's by now.
   */
  async record(delivery: Delivery, write: (tx: Transaction) => Promise<boolean>): Promise<boolean> {
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

  #verdict(delivery: Delivery, state: 'sent' | 'delivered' | 'bounced', reply: string): Promise<boolean> {
    return this.record(delivery, (tx) => settleVerdict(tx, delivery, { state, reply, now: this.#options.clock.now() }));
  }

  #deferred(delivery: Delivery, reply: string): Promise<boolean> {
    return this.record(delivery, (tx) =>
      settleDeferredVerdict(tx, delivery, { reply, ...this.#retry(delivery.tries + 1) }),
    );
  }

  #refused(delivery: Delivery, refused: Refused): Promise<boolean> {
    return this.record(delivery, (tx) => settleRefused(tx, delivery, refused, this.#retry(delivery.tries + 1)));
  }

  #unreached(delivery: Delivery, reason: string): Promise<boolean> {
    log.unreached(delivery, reason);
    return this.record(delivery, (tx) =>
      settleUnreached(tx, delivery, { reason, ...this.#retry(delivery.failures + 1) }),
    );
  }

  async #inDoubt(delivery: Delivery, reason: string): Promise<void> {
    const now = this.#options.clock.now();
    const sendsAgain = (delivery.policy ?? this.#options.policy) === 'send-again';
    const runAt = sendsAgain ? now + verdictWaitMs : never;
    const held = await this.record(delivery, (tx) => settleInDoubt(tx, delivery, { reason, now, runAt }));
    if (held) log.inDoubt(delivery, reason);
  }

  /** A verdict after all, on a session that was still listened to; it counts unless somebody has decided since. */
  async #late(delivery: Delivery, verdict: Outcome): Promise<void> {
    if (verdict.kind === 'in_doubt') return;
    log.lateVerdict(delivery, verdict.kind);
    await this.settle(delivery, true, verdict);
  }

  #retry(times: number): { now: number; retryAt: number } {
    const now = this.#options.clock.now();
    return { now, retryAt: now + retryDelayMs(times, this.#options.random()) };
  }
}

function repliesTo(delivery: Delivery, reply: string) {
  return delivery.recipients.map((address) => ({ address, reply }));
}
