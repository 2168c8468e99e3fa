/** Counters and gauges for Prometheus, at GET /metrics. */

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { DeliveryState } from './core/event.ts';

export type Metrics = {
  accepted(emails: number): void;
  outcome(kind: string): void;
  /** Told by whoever answers a keyed request. */
  keyUsed(kind: 'replay' | 'conflict'): void;
  render(): Promise<string>;
  readonly contentType: string;
};

/** The process is one, however many servers tests start in it: what watches it stays for ever, timers included. */
let ofProcess: Registry | null = null;

function processRegistry(): Registry {
  if (ofProcess) return ofProcess;
  ofProcess = new Registry();
  collectDefaultMetrics({ register: ofProcess });
  return ofProcess;
}

/** `openByState` is read at each scrape, away from the serving thread. */
export function createMetrics(openByState: () => Promise<Partial<Record<DeliveryState, number>>>): Metrics {
  const watched = processRegistry();
  const registry = new Registry();
  const registers = [registry];
  const accepted = new Counter({ name: 'sendonce_emails_accepted_total', help: 'Emails accepted.', registers });
  const outcomes = new Counter({
    name: 'sendonce_attempts_total',
    help: 'Delivery attempts by outcome.',
    labelNames: ['outcome'],
    registers,
  });
  const keys = new Counter({
    name: 'sendonce_idempotency_key_uses_total',
    help: 'Requests under a key that was used before: replays answered, conflicts refused.',
    labelNames: ['kind'],
    registers,
  });
  const open: Gauge = new Gauge({
    name: 'sendonce_open_deliveries',
    help: 'Deliveries that are not settled, by state.',
    labelNames: ['state'],
    registers,
    async collect() {
      const counts = await openByState();
      for (const state of ['queued', 'sending', 'handoff', 'in_doubt'] as const)
        open.set({ state }, counts[state] ?? 0);
    },
  });
  return {
    accepted: (emails) => accepted.inc(emails),
    outcome: (kind) => outcomes.inc({ outcome: kind }),
    keyUsed: (kind) => keys.inc({ kind }),
    render: async () => `${await watched.metrics()}\n${await registry.metrics()}`,
    contentType: registry.contentType,
  };
}
