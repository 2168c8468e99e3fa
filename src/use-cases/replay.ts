/** Telling a webhook again what it was told before: one event, or all of a range of time, under the same ids. */

import type { Clock } from '../core/clock.ts';
import type { Database, Transaction } from '../store/database.ts';
import {
  type ReplayRange,
  replayWebhookDeliveries,
  replayWebhookDelivery,
  type WebhookDelivery,
} from '../store/webhooks/deliveries.ts';
import { findWebhook, type Webhook } from '../store/webhooks/webhooks.ts';

/** Why nothing is told again: a webhook that is disabled is told nothing; one that is deleted, or an event that was forgotten, is gone. */
export type NotReplayed = 'disabled' | 'gone';

export type Replay = {
  one(webhook: Webhook, delivery: WebhookDelivery): Promise<'replayed' | NotReplayed>;
  /** How many, and the id after which there is more, or null. */
  range(webhook: Webhook, range: ReplayRange): Promise<{ replayed: number; lastId: string | null } | NotReplayed>;
};

/** `wake` is told when something is due. */
export function createReplay(database: Database, clock: Clock, wake: () => void): Replay {
  async function ifEnabled<T>(webhook: Webhook, work: (tx: Transaction) => Promise<T>): Promise<T | NotReplayed> {
    const done = await database.write(async (tx) => {
      const { account, facade, number } = webhook;
      const found = await findWebhook(tx, account, facade, { number });
      if (!found) return 'gone' as const;
      return found.enabled ? work(tx) : ('disabled' as const);
    });
    if (done !== 'gone' && done !== 'disabled') wake();
    return done;
  }

  return {
    one(webhook, delivery) {
      return ifEnabled(webhook, async (tx) => {
        const isThere = await replayWebhookDelivery(tx, delivery, clock.now());
        return isThere ? 'replayed' : 'gone';
      });
    },

    range(webhook, range) {
      return ifEnabled(webhook, (tx) => replayWebhookDeliveries(tx, webhook, range, clock.now()));
    },
  };
}
