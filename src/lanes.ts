/** The two lanes of a process, each with its worker: deliveries to the relay, events to webhooks. */

import { readFileSync } from 'node:fs';
import type { Config } from './config/config.ts';
import type { Clock } from './core/clock.ts';
import { createDkimSigner, type DkimSigner } from './core/dkim.ts';
import { createCapture } from './deliver/capture.ts';
import { DeliverLane } from './deliver/lane.ts';
import type { Relay } from './deliver/relay.ts';
import { Settler } from './deliver/settle.ts';
import { createSmtpRelay } from './deliver/smtp.ts';
import { parseRelayUrl } from './deliver/smtp-url.ts';
import type { Egress } from './egress/egress.ts';
import type { Metrics } from './metrics.ts';
import type { Part } from './parts.ts';
import type { Database } from './store/database.ts';
import { WebhookLane } from './webhook/lane.ts';
import { Worker } from './worker.ts';

/** What a worker is to whoever starts, wakes and stops it, whatever its lane claims. */
export type Loop = Part & { wake(): void };

export type LaneOptions = {
  database: Database;
  clock: Clock;
  relay: Relay;
  egress: Egress;
  metrics: Metrics;
  signerFor: (domain: string) => DkimSigner | null;
  /** Names this process in claims. */
  name: string;
};

export function createWorkers(
  config: Config,
  { database, clock, relay, egress, metrics, signerFor, name }: LaneOptions,
): Loop[] {
  const { webhookAttempt: onAttempt, webhookDisabled: onDisabled, outcome: onOutcome } = metrics;
  const webhooks = new Worker(new WebhookLane({ database, clock, egress, worker: name, onAttempt, onDisabled }));
  const settler = new Settler({
    database,
    clock,
    policy: config.inDoubt,
    sentCountsAsDelivered: config.sentCountsAsDelivered,
    random: Math.random,
    onRecorded: () => webhooks.wake(),
  });
  const parts = { database, clock, relay, settler, worker: name, signerFor, random: Math.random, onOutcome };
  return [new Worker(new DeliverLane(parts)), webhooks];
}

export function createRelay(config: Config): Relay {
  if (config.relayUrl === 'capture:') return createCapture();
  return createSmtpRelay({ ...parseRelayUrl(config.relayUrl), concurrency: config.relayConnections });
}

/** @throws Error naming the setting when a key cannot be read. */
export function loadSigners(config: Config): (domain: string) => DkimSigner | null {
  const signers = new Map<string, DkimSigner>();
  for (const { domain, selector, keyFile } of config.dkim) {
    try {
      const privateKeyPem = readFileSync(keyFile, 'utf8');
      signers.set(domain, createDkimSigner({ domain, selector, privateKeyPem }));
    } catch (cause) {
      throw new Error(`DKIM_KEYS: the key of ${domain} cannot be used (${keyFile}): ${(cause as Error).message}`, {
        cause,
      });
    }
  }
  return (domain) => signers.get(domain) ?? null;
}
