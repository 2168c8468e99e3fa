/** The two lanes of a process, each with its worker: deliveries to the relay, events to webhooks. */

import type { Config } from '../config/config.ts';
import type { Clock } from '../core/clock.ts';
import type { SignerFor } from '../core/dkim.ts';
import type { ReturnPaths } from '../core/return-path.ts';
import type { Room } from '../core/room.ts';
import { DeliverLane } from '../deliver/lane.ts';
import { LargeMails } from '../deliver/large-mails.ts';
import type { Relays } from '../deliver/relays/relays.ts';
import { Repeats } from '../deliver/repeats.ts';
import { Settler } from '../deliver/settle.ts';
import type { Egress } from '../egress/egress.ts';
import type { Metrics } from '../metrics.ts';
import type { Composing } from '../render/composer.ts';
import type { Renderer } from '../render/renderer.ts';
import type { Database } from '../store/database.ts';
import type { Delivery } from '../store/mail/deliveries.ts';
import { WebhookLane } from '../webhook/lane.ts';
import type { WebhookContract } from '../webhook/request.ts';
import { Worker } from '../worker.ts';
import type { Part } from './parts.ts';

/** What a worker is to whoever starts, wakes and stops it, whatever its lane claims. */
export type Loop = Part & { wake(): void };

export type LaneOptions = {
  database: Database;
  clock: Clock;
  relays: Relays;
  renderer: Renderer;
  /** Bytes of large requests and mails that are worked on at once. */
  atWork: Room;
  egress: Egress;
  contractOf: (facade: string) => WebhookContract;
  metrics: Metrics;
  signerFor: SignerFor;
  returnPaths: ReturnPaths;
  compose: Composing;
  /** Names this process in claims. */
  name: string;
};

export function createWorkers(
  config: Config,
  { database, clock, relays, renderer, atWork, egress, contractOf, metrics, name, ...options }: LaneOptions,
): Loop[] {
  const { signerFor, compose, returnPaths } = options;
  const { webhookAttempt: onAttempt, webhookDisabled: onDisabled, outcome: onOutcome } = metrics;
  const webhooks = new Worker(
    new WebhookLane({ database, clock, egress, contractOf, worker: name, onAttempt, onDisabled }),
  );
  const settler = new Settler({
    database,
    clock,
    policy: config.inDoubt,
    sentCountsAsDelivered: config.sentCountsAsDelivered,
    random: Math.random,
    onRecorded: () => webhooks.wake(),
  });
  const largeMails = new LargeMails(atWork, config.limits);
  const own = { worker: name, policy: config.inDoubt, signerFor, compose, returnPaths, random: Math.random, onOutcome };
  const repeats = new Repeats({ database, clock, relays, settler });
  const onDoubt = (delivery: Delivery) => repeats.ended(delivery);
  const parts = { database, clock, relays, renderer, largeMails, settler, onDoubt, ...own };
  return [new Worker(new DeliverLane(parts)), webhooks, repeats];
}
