/** Counters and gauges for Prometheus, at GET /metrics. */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type TroubleName, troubleNames } from './core/alert.ts';
import type { DeliveryState } from './core/delivery-state.ts';
import { isUnavailable } from './core/error.ts';
import { patiently } from './core/patience.ts';
import type { WebhookCounts } from './store/webhooks/history.ts';
import type { TakenReport } from './use-cases/take-report.ts';

/** Why a request is turned away before it is looked at. */
export type Refused = 'memory' | 'slow' | 'wrong_keys' | 'host';

export type Metrics = {
  accepted(emails: number): void;
  outcome(kind: string): void;
  /** The same, by relay: one that was passed over has had an attempt of its own. */
  relayOutcome(relay: string, kind: string): void;
  /** Told by whoever answers a keyed request. */
  keyUsed(kind: 'replay' | 'conflict'): void;
  /** Told of a request to send that had no key. */
  keyless(client: string): void;
  noticed(taken: TakenReport): void;
  /** What was rendered beside the serving thread, and how long it took from being asked for. */
  rendered(what: string, outcome: string, ms: number): void;
  /** `ok`, or why it failed. */
  webhookAttempt(outcome: string): void;
  webhookDisabled(): void;
  /** Told of a request that was turned away at the door. */
  refused(why: Refused): void;
  wrongKey(): void;
  render(): Promise<string>;
  /** Whether the database answers, and nothing else. */
  renderUp(): Promise<string>;
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

export type MetricSources = {
  /** Whether the database answers: what it says beside is left out where it does not. */
  isUp: () => Promise<boolean>;
  /** Whether mail is kept here instead of sent. */
  captures: () => boolean;
  /** What the others may take. */
  patienceMs: number;
  /** What commits wait for in vain; null while they are answered. */
  hang: () => { cause: string } | null;
  openByState: () => Promise<Partial<Record<DeliveryState, number>>>;
  webhooks: () => Promise<WebhookCounts>;
  /** When what has waited longest was due; null where nothing waits. */
  oldestDue: () => Promise<number | null>;
  now: () => number;
  /** What counts of each relay's ceilings. */
  rates: () => Promise<readonly { relay: string; window: string; used: number; most: number }[]>;
  /** What the operator is called for, as this process last saw it. */
  troubles: () => readonly TroubleName[];
};

function createNoticed(registry: Registry): Metrics['noticed'] {
  const notices = new Counter({
    name: 'sendonce_notices_total',
    help: 'What came back about mail to this process, by kind, and by whether it was told, had been told, or matched nothing.',
    labelNames: ['kind', 'outcome'],
    registers: [registry],
  });
  return ({ notices: taken, stray }) => {
    for (const { kind, noted } of taken) notices.inc({ kind, outcome: noted });
    if (taken.length === 0 && stray !== null) notices.inc({ kind: 'none', outcome: stray });
  };
}

const keylessHelp = 'Requests to send without an idempotency key, by client.';

/** The sources are read at each scrape, away from the serving thread. */
export function createMetrics(sources: MetricSources): Metrics {
  const { isUp, hang, patienceMs, openByState, webhooks } = sources;
  const watched = processRegistry();
  const [registry, stored] = [new Registry(), new Registry()];
  const registers = [registry];
  const accepted = new Counter({ name: 'sendonce_emails_accepted_total', help: 'Emails accepted.', registers });
  const outcomes = counterBy(registry, 'outcome', 'sendonce_attempts_total', 'Delivery attempts by outcome.');
  const relays = createRelayCounter(registry);
  const keys = counterBy(
    registry,
    'kind',
    'sendonce_idempotency_key_uses_total',
    'Requests under a key that was used before: replays answered, conflicts refused.',
  );
  const keyless = counterBy(registry, 'client', 'sendonce_keyless_sends_total', keylessHelp);
  const refused = new Counter({
    name: 'sendonce_requests_refused_total',
    help: 'Requests turned away at the door: memory is used up, the body came too slowly, too many wrong keys, or the Host is not ours.',
    labelNames: ['why'],
    registers,
  });
  const rendered = new Histogram({
    name: 'sendonce_render_seconds',
    help: 'Rendering beside the serving thread, by what and by outcome: made, or cut for time, for size, for want of a thread.',
    labelNames: ['what', 'outcome'],
    buckets: [0.005, 0.025, 0.1, 0.5, 2],
    registers,
  });
  const wrongKeys = new Counter({ name: 'sendonce_wrong_keys_total', help: 'API keys that open nothing.', registers });
  const up = new Gauge({ name: 'sendonce_database_up', help: '1 when the database answers, 0 otherwise.', registers });
  const hanging: Gauge = new Gauge({
    name: 'sendonce_commits_hang',
    help: '1 while commits hang and new work is refused, by what they wait for.',
    labelNames: ['cause'],
    registers,
    collect() {
      hanging.reset();
      const { cause } = hang() ?? {};
      if (cause) hanging.set({ cause }, 1);
    },
  });
  const open: Gauge = new Gauge({
    name: 'sendonce_open_deliveries',
    help: 'Deliveries that are not settled, by state.',
    labelNames: ['state'],
    registers: [stored],
    async collect() {
      const counts = await openByState();
      for (const state of ['queued', 'sending', 'handoff', 'in_doubt'] as const)
        open.set({ state }, counts[state] ?? 0);
    },
  });
  const fromStore = patiently(patienceMs, () => scraped(stored));
  addSourced(registry, stored, sources);
  const { attempts, disabled } = addWebhookMetrics(registry, stored, webhooks);
  return {
    accepted: (emails) => accepted.inc(emails),
    outcome: (kind) => outcomes.inc({ outcome: kind }),
    relayOutcome: (relay, kind) => relays.inc({ relay, outcome: kind }),
    keyUsed: (kind) => keys.inc({ kind }),
    keyless: (client) => keyless.inc({ client }),
    noticed: createNoticed(registry),
    rendered: (what, outcome, ms) => rendered.observe({ what, outcome }, ms / 1_000),
    webhookAttempt: (outcome) => attempts.inc({ outcome }),
    webhookDisabled: () => disabled.inc(),
    refused: (why) => refused.inc({ why }),
    wrongKey: () => wrongKeys.inc(),
    async render() {
      const [isThere, gauges] = await Promise.all([isUp(), fromStore()]);
      const isUpNow = isThere && gauges !== 'away';
      up.set(isUpNow ? 1 : 0);
      const shown = isUpNow ? (gauges ?? '') : '';
      return [await watched.metrics(), await registry.metrics(), shown].join('\n');
    },
    async renderUp() {
      up.set((await isUp()) ? 1 : 0);
      return registry.getSingleMetricAsString('sendonce_database_up');
    },
    contentType: registry.contentType,
  };
}

function createRelayCounter(registry: Registry): Counter<'relay' | 'outcome'> {
  return new Counter({
    name: 'sendonce_relay_attempts_total',
    help: 'Attempts by relay and outcome: a mail that moves on from one relay to the next counts at each.',
    labelNames: ['relay', 'outcome'],
    registers: [registry],
  });
}

function addSourced(registry: Registry, stored: Registry, sources: MetricSources): void {
  addTroubleMetrics(registry, stored, sources);
  addRateMetrics(stored, sources);
}

function addRateMetrics(stored: Registry, { rates }: Pick<MetricSources, 'rates'>): void {
  const registers = [stored];
  const labelNames = ['relay', 'window'] as const;
  const used: Gauge<'relay' | 'window'> = new Gauge({
    name: 'sendonce_relay_rate_used',
    help: 'Mails that count against a ceiling of a relay, by its window.',
    labelNames,
    registers,
    async collect() {
      used.reset();
      for (const { relay, window, ...one } of await rates()) used.set({ relay, window }, one.used);
    },
  });
  const most: Gauge<'relay' | 'window'> = new Gauge({
    name: 'sendonce_relay_rate_ceiling',
    help: 'The ceilings of a relay, by their windows.',
    labelNames,
    registers,
    async collect() {
      most.reset();
      for (const { relay, window, ...one } of await rates()) most.set({ relay, window }, one.most);
    },
  });
}

function counterBy<Label extends string>(registry: Registry, label: Label, name: string, help: string): Counter<Label> {
  return new Counter({ name, help, labelNames: [label], registers: [registry] });
}

async function scraped(stored: Registry): Promise<string | 'away'> {
  try {
    return await stored.metrics();
  } catch (error) {
    if (isUnavailable(error)) return 'away';
    throw error;
  }
}

function addTroubleMetrics(registry: Registry, stored: Registry, sources: MetricSources): void {
  const { captures, troubles, oldestDue, now } = sources;
  const capturing: Gauge = new Gauge({
    name: 'sendonce_captures_mail',
    help: '1 while mail is captured: nothing leaves.',
    registers: [registry],
    collect: () => capturing.set(captures() ? 1 : 0),
  });
  const trouble: Gauge = new Gauge({
    name: 'sendonce_trouble',
    help: '1 while there is something an operator is called for (ALERT_WEBHOOK, ALERT_EMAIL), by what it is.',
    labelNames: ['name'],
    registers: [registry],
    collect() {
      const seen = troubles();
      for (const name of troubleNames) trouble.set({ name }, seen.includes(name) ? 1 : 0);
    },
  });
  const late: Gauge = new Gauge({
    name: 'sendonce_oldest_due_seconds',
    help: 'How long the delivery that has waited longest is due; 0 where none is.',
    registers: [stored],
    async collect() {
      const due = await oldestDue();
      late.set(due === null ? 0 : Math.max(0, (now() - due) / 1_000));
    },
  });
}

function addWebhookMetrics(registry: Registry, stored: Registry, counts: () => Promise<WebhookCounts>) {
  const registers = [registry];
  const attempts = new Counter({
    name: 'sendonce_webhook_attempts_total',
    help: 'Requests to webhooks by outcome: ok, or why they failed.',
    labelNames: ['outcome'],
    registers,
  });
  const disabled = new Counter({
    name: 'sendonce_webhooks_disabled_total',
    help: 'Webhooks disabled because they failed for days.',
    registers,
  });
  const endpoints: Gauge = new Gauge({
    name: 'sendonce_webhooks',
    help: 'Webhooks by how they fare.',
    labelNames: ['state'],
    registers: [stored],
    async collect() {
      const { pending: _, ...states } = await counts();
      for (const [state, count] of Object.entries(states)) endpoints.set({ state }, count);
    },
  });
  const pending: Gauge = new Gauge({
    name: 'sendonce_webhook_deliveries_pending',
    help: 'Events that webhooks are still to be told.',
    registers: [stored],
    // Of its own: what another gauge's `collect` sets may be read before it is set.
    async collect() {
      pending.set((await counts()).pending);
    },
  });
  return { attempts, disabled };
}
