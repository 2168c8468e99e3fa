/** Lane 2: what webhooks are to be told, claimed fairly across endpoints, each told once a try and settled by the answer. */

import assert from 'node:assert';
import { setMaxListeners } from 'node:events';
import type { Clock } from '../core/clock.ts';
import type { Egress } from '../egress/egress.ts';
import { log } from '../log.ts';
import type { Database } from '../store/database.ts';
import {
  claimWebhookDeliveries,
  settleWebhookDelivery,
  unclaimWebhookDelivery,
  type WebhookAttempt,
  type WebhookDelivery,
} from '../store/webhooks/deliveries.ts';
import { noteEndpoint } from '../store/webhooks/endpoint.ts';
import { type Webhook, webhooksWithDue } from '../store/webhooks/webhooks.ts';
import type { Lane } from '../worker.ts';
import { attemptTimeoutMs, attemptWebhook } from './attempt.ts';
import type { Telling, WebhookContract } from './request.ts';
import { patienceMs, webhookRetryAt } from './schedule.ts';
import { findTold } from './told.ts';

/** What goes into one request: one delivery, or several where the webhook takes them together. */
export type Errand = { webhook: Webhook; deliveries: WebhookDelivery[] };

export type WebhookLaneOptions = {
  database: Database;
  clock: Clock;
  egress: Egress;
  /** How webhooks of the facade of this name are told. */
  contractOf: (facade: string) => WebhookContract;
  /** Names this process in claims. */
  worker: string;
  /** Told each attempt: `ok`, or why it failed. */
  onAttempt: (outcome: string) => void;
  onDisabled: () => void;
};

/** Sockets that wait, mostly: what bounds them is memory, not work. */
const concurrency = 256;

/**
 * At one endpoint at once, at most. It begins with one and doubles with each success, and one that fails begins anew: an
 * endpoint that never answers holds one place, so that many dead ones cannot fill them all.
 */
const atOnceMax = 8;

/** In one request, where the webhook takes several: some hundred kilobytes. */
const batchMax = 200;

/** Longer than any attempt may take; whoever has not settled by then has died or hangs. */
const leaseMs = attemptTimeoutMs + 45_000;

/** A stop waits this long for answers; an endpoint that takes longer hears the same event again, under the same id. */
const drainMs = 2_000;

export class WebhookLane implements Lane<Errand> {
  readonly name = 'webhooks';
  readonly concurrency = concurrency;
  readonly #options: WebhookLaneOptions;
  /** Claimed and not settled, by webhook. */
  readonly #held = new Map<number, number>();
  /** How many at once an endpoint has earned, where it is more than one. */
  readonly #earned = new Map<number, number>();
  readonly #underWay = new Map<Errand, Promise<void>>();
  readonly #stopping = new AbortController();
  #lastWebhook = 0;

  constructor(options: WebhookLaneOptions) {
    this.#options = options;
    // Every attempt under way listens.
    setMaxListeners(0, this.#stopping.signal);
  }

  async claim(limit: number): Promise<Errand[]> {
    const { database, clock, worker } = this.#options;
    const now = clock.now();
    const due = (await webhooksWithDue(database, now)).filter((webhook) => this.#room(webhook) > 0);
    if (due.length === 0) return [];
    const turns = startingAfter(due, this.#lastWebhook);
    const shares = shareOut(turns, limit, (webhook) => this.#room(webhook));
    this.#lastWebhook = [...shares.keys()].at(-1)?.number ?? 0;
    const errands = await database.write(async (tx) => {
      const claimed: Errand[] = [];
      for (const [webhook, share] of shares) {
        const size = webhook.options.batched ? batchMax : 1;
        const terms = { now, leaseMs, limit: share * size };
        const deliveries = await claimWebhookDeliveries(tx, webhook, worker, terms);
        for (let start = 0; start < deliveries.length; start += size) {
          claimed.push({ webhook, deliveries: deliveries.slice(start, start + size) });
        }
      }
      return claimed;
    });
    for (const { webhook } of errands) this.#hold(webhook, 1);
    return errands;
  }

  async attempt(errand: Errand): Promise<void> {
    const done = this.#tell(errand).finally(() => {
      this.#underWay.delete(errand);
      this.#hold(errand.webhook, -1);
    });
    this.#underWay.set(errand, done);
    await done;
  }

  async release(unstarted: Errand[]): Promise<void> {
    await this.#giveBack(unstarted);
  }

  /** Nothing here is irrevocable: what has no answer yet is called off and told again, under the same id. */
  async settled(): Promise<void> {
    const answered = Promise.allSettled(this.#underWay.values());
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, drainMs);
    });
    await Promise.race([answered, late]);
    clearTimeout(timer);
    this.#stopping.abort();
    await this.#giveBack([...this.#underWay.keys()]);
    await answered;
  }

  async #giveBack(errands: Errand[]): Promise<void> {
    const { database, clock } = this.#options;
    const deliveries = errands.flatMap((errand) => errand.deliveries);
    if (deliveries.length === 0) return;
    await database.write(async (tx) => {
      for (const delivery of deliveries) await unclaimWebhookDelivery(tx, delivery, clock.now());
    });
  }

  #room(webhook: Webhook): number {
    const { number, failingSince } = webhook;
    const most = failingSince === null ? (this.#earned.get(number) ?? 1) : 1;
    return most - (this.#held.get(number) ?? 0);
  }

  #hold(webhook: Webhook, change: 1 | -1): void {
    const held = (this.#held.get(webhook.number) ?? 0) + change;
    if (held > 0) this.#held.set(webhook.number, held);
    else this.#held.delete(webhook.number);
  }

  #learn({ number }: Webhook, well: boolean): void {
    if (well) this.#earned.set(number, Math.min(atOnceMax, 2 * (this.#earned.get(number) ?? 1)));
    else this.#earned.delete(number);
  }

  async #tell({ webhook, deliveries }: Errand): Promise<void> {
    const { database, clock, egress, contractOf, onAttempt } = this.#options;
    const tellings: Telling[] = [];
    for (const delivery of deliveries) {
      const told = await findTold(database, webhook.account, delivery);
      assert(told, 'events and what they are about stay in the database');
      tellings.push({ delivery, told });
    }
    const request = contractOf(webhook.facade).request(webhook, tellings, clock.now());
    const attempt = await attemptWebhook(egress, request, { now: () => clock.now(), signal: this.#stopping.signal });
    // Called off: it has been given back.
    if (this.#stopping.signal.aborted) return;
    onAttempt(attempt.failure ?? 'ok');
    this.#learn(webhook, attempt.failure === null);
    await this.#settle(webhook, deliveries, attempt);
  }

  async #settle(webhook: Webhook, deliveries: WebhookDelivery[], attempt: WebhookAttempt): Promise<void> {
    const { database, clock, onDisabled } = this.#options;
    const now = clock.now();
    const well = attempt.failure === null;
    const disabled = await database.write(
      async (tx) => {
        let isOurs = false;
        for (const delivery of deliveries) {
          const settled = await settleWebhookDelivery(tx, delivery, attempt, webhookRetryAt(delivery.tries, now));
          isOurs ||= settled;
        }
        return isOurs && (await noteEndpoint(tx, webhook, { well, now, patienceMs }));
      },
      { about: aboutOf(webhook, deliveries, well) },
    );
    if (!disabled) return;
    onDisabled();
    log.webhookDisabled(webhook, attempt.failure ?? '');
  }
}

/** What goes well at an endpoint that is well touches rows of its own only; anything else is about the endpoint, too. */
function aboutOf({ number, failingSince }: Webhook, deliveries: WebhookDelivery[], well: boolean): string {
  const [first] = deliveries;
  return well && failingSince === null ? `webhook ${number} ${first?.id} ${first?.position}` : `webhook ${number}`;
}

function startingAfter(webhooks: Webhook[], last: number): Webhook[] {
  const next = webhooks.findIndex((webhook) => webhook.number > last);
  return next <= 0 ? webhooks : [...webhooks.slice(next), ...webhooks.slice(0, next)];
}

/** Each gets the same share, as far as it has room; where there are more webhooks than places, the last go without. */
function shareOut(turns: Webhook[], limit: number, roomOf: (webhook: Webhook) => number): Map<Webhook, number> {
  const shares = new Map<Webhook, number>();
  const fair = Math.max(1, Math.floor(limit / turns.length));
  let left = limit;
  for (const webhook of turns) {
    const share = Math.min(fair, left, roomOf(webhook));
    if (share <= 0) break;
    shares.set(webhook, share);
    left -= share;
  }
  return shares;
}
