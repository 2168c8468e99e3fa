/** What has to be done about once a second, each in small bounded steps: the beat, the witness, counts, expired claims, the policy's resends, garbage, the page's index. */

import type { SystemClock } from './clock.ts';
import type { Config } from './config.ts';
import { uuidv7Floor } from './core/token.ts';
import type { KeyUses } from './key-uses.ts';
import { log } from './log.ts';
import { keepPageIndex } from './page-index.ts';
import type { Recovery } from './recovery.ts';
import type { RestoreGuard } from './restore-guard.ts';
import type { Database } from './store/database.ts';
import { purgeContents } from './store/emails.ts';
import { requeueExpiredClaims, sendAgainDue } from './store/holds.ts';
import { deleteExpiredKeys } from './store/idempotency.ts';
import { forgetWebhookDeliveries } from './store/webhook-history.ts';

export type ChoreOptions = {
  database: Database;
  clock: SystemClock;
  guard: RestoreGuard;
  recovery: Recovery;
  keyUses: KeyUses;
  retentionDays: Config['retentionDays'];
  garbagePerSecondMax: number;
  /** Told when something was queued again. */
  onQueued: () => void;
};

const everyMs = 1_000;

/** Deliveries one step moves. */
const stepSize = 500;

/** Emails whose contents one transaction forgets: they may be large, and freeing their pages takes time. */
const purgeStep = 20;

const dayMs = 24 * 60 * 60_000;

/** One transaction forgets this many of them, with their attempts: some ten milliseconds. */
const webhookStep = 250;

/** How long it can be seen, and replayed, what a webhook was told. */
const webhookHistoryMs = 30 * dayMs;

export class Chores {
  readonly #options: ChoreOptions;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> = Promise.resolve();
  #busy = false;

  constructor(options: ChoreOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => {
      if (!this.#busy) this.#running = this.run();
    }, everyMs);
  }

  /** Does them all once; a chore that fails does not keep the others from being done. */
  async run(): Promise<void> {
    this.#busy = true;
    const { clock, guard, recovery, keyUses } = this.#options;
    clock.check();
    await attempt('beat', () => recovery.check());
    await attempt('witness', () => guard.check());
    await attempt('counts', () => keyUses.flush());
    await attempt('claims', () => this.#requeue());
    await attempt('keys', () => this.#deleteKeys());
    await attempt('retention', () => this.#purge());
    await attempt('webhooks', () => this.#forgetWebhooks());
    await attempt('page', () => keepPageIndex(this.#options.database, clock));
    this.#busy = false;
  }

  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await this.#running;
    await attempt('counts', () => this.#options.keyUses.flush());
    await attempt('witness', () => this.#options.guard.check());
    await attempt('goodbye', () => this.#options.recovery.stop());
  }

  async #requeue(): Promise<void> {
    const { database, clock, onQueued } = this.#options;
    const moved = await database.write(async (tx) => ({
      expired: await requeueExpiredClaims(tx, clock.now(), stepSize),
      again: await sendAgainDue(tx, clock.now(), stepSize),
    }));
    for (const ref of moved.expired) log.leaseExpired(ref);
    for (const ref of moved.again) log.sentAgain(ref);
    if (moved.expired.length + moved.again.length > 0) onQueued();
  }

  async #deleteKeys(): Promise<void> {
    const { database, clock, garbagePerSecondMax } = this.#options;
    await database.write((tx) => deleteExpiredKeys(tx, clock.expiryNow(), garbagePerSecondMax));
  }

  async #forgetWebhooks(): Promise<void> {
    const { database, clock } = this.#options;
    const before = uuidv7Floor(clock.now() - webhookHistoryMs);
    await database.write((tx) => forgetWebhookDeliveries(tx, before, webhookStep));
  }

  async #purge(): Promise<void> {
    const { database, clock, retentionDays, garbagePerSecondMax } = this.#options;
    if (retentionDays === null) return;
    const now = clock.now();
    for (let purged = 0; purged < garbagePerSecondMax; purged += purgeStep) {
      const some = await database.write((tx) => purgeContents(tx, now - retentionDays * dayMs, now, purgeStep));
      if (some < purgeStep) return;
    }
  }
}

async function attempt(chore: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    log.choreFailed(chore, error);
  }
}
