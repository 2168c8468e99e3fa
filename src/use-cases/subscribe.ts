/**
 * Who is told of an account's events: webhooks are made, changed, given another secret and deleted here, for every facade and the
 * page. Each is one transaction that decides by the webhook as it is then, not as a request found it.
 */

import { randomBytes } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { createIdSource } from '../core/token.ts';
import { createWebhookSecret } from '../core/webhook-secret.ts';
import type { Database } from '../store/database.ts';
import {
  deleteWebhook,
  insertWebhook,
  rotateSecret,
  updateWebhook,
  type Webhook,
  type WebhookChange,
  type WebhookEvents,
  type WebhookOptions,
} from '../store/webhooks/webhooks.ts';

/** Of an account at one facade. docs/brevo.md has the number; what each event is looked up against stays short. */
export const webhooksMax = 40;

/** What Svix gives: a day to change every receiver. */
const secretOverlapMs = 24 * 60 * 60_000;

export type WantedWebhook = {
  facade: string;
  url: string;
  events: WebhookEvents;
  options?: WebhookOptions;
  /** From `newId`, where it may be asked for more than once. */
  id?: string;
};

export type Subscribe = {
  /** Names a webhook that is yet to be made: a form that carries it makes one, however often it is sent. */
  newId(): string;
  /**
   * Once for each id. Null: the account has `webhooksMax` of them already.
   * @throws AppError `already_exists` where it was deleted since, or the id is another account's.
   */
  make(account: string, wanted: WantedWebhook): Promise<Webhook | null>;
  /** What is left out stays. Null: it was deleted meanwhile, and nothing was changed. */
  change(webhook: Webhook, change: WebhookChange): Promise<Webhook | null>;
  /** The new secret; for a day the former one signs, too, so that receivers can be changed one after the other. Null: it was deleted meanwhile. */
  rotate(webhook: Webhook): Promise<string | null>;
  /** False: another request was faster. */
  remove(webhook: Webhook): Promise<boolean>;
};

/** `wake` is told when something may be due. */
export function createSubscribe(database: Database, clock: Clock, wake: () => void): Subscribe {
  const nextId = createIdSource(randomBytes);
  const newId = () => nextId(clock.now());

  return {
    newId,

    make(account, { facade, url, events, options = {}, id = newId() }) {
      const { names, subjects, perRecipient } = events;
      // Brevo signs nothing; the column wants a secret all the same, and nobody sees it.
      const secret = createWebhookSecret(randomBytes);
      const webhook = {
        id,
        account,
        facade,
        url,
        events: names,
        options,
        secret,
        subjects,
        perRecipient,
        createdAt: clock.now(),
      };
      return database.write((tx) => insertWebhook(tx, webhook, webhooksMax));
    },

    async change({ number }, change) {
      const changed = await database.write((tx) => updateWebhook(tx, number, change, clock.now()));
      if (changed) wake();
      return changed;
    },

    async rotate({ number }) {
      const secret = createWebhookSecret(randomBytes);
      const now = clock.now();
      const terms = { now, previousUntil: now + secretOverlapMs };
      return (await database.write((tx) => rotateSecret(tx, number, secret, terms))) ? secret : null;
    },

    remove({ number }) {
      return database.write((tx) => deleteWebhook(tx, number, clock.now()));
    },
  };
}
