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

/** `openByState` is read at each scrape, away from the serving thread. */
export function createMetrics(openByState: () => Promise<Partial<Record<DeliveryState, number>>>): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
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
    render: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
