/** Ends what dead processes left: at the start where one process serves, otherwise what has had no beat for a while. */

import type { Clock } from '../core/clock.ts';
import { log } from '../log.ts';
import { recoverBroadcasts } from '../store/broadcasts.ts';
import type { Database } from '../store/database.ts';
import { type InDoubtPolicy, never } from '../store/mail/deliveries.ts';
import { doubtLostHandoffs, recover } from '../store/mail/recover.ts';
import { findNewer, refuseOutdated } from '../store/migrate.ts';
import { recoverWebhookDeliveries } from '../store/webhooks/deliveries.ts';
import { beat, deadAfterMs, sayGoodbye } from '../store/workers.ts';

export type RecoveryOptions = {
  database: Database;
  clock: Clock;
  policy: InDoubtPolicy;
  /** Names this process in claims. */
  worker: string;
  /** Told when something was queued again. */
  onQueued: () => void;
  /** Ends this process: a newer version has taken the database over while it stood still. */
  die: () => never;
};

const beatEveryMs = 2_000;

/** After a pause of our own (the database was away, or this process stood still) the others get these many beats to say they live. */
const steadyBeatsMin = 3;

/** Our own beats pause when none was written for so long. What kept them kept the others' for as long, which leaves those as much again. */
const lateAfterMs = deadAfterMs / 2;

/** Deliveries one transaction recovers, two or three statements each: bounds how long others wait, our own beat among them. */
const recoverAtOnce = 100;

export class Recovery {
  readonly #options: RecoveryOptions;
  #lastBeatAt = Number.NEGATIVE_INFINITY;
  #steadyBeats = 0;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Before anything is claimed. */
  async start(): Promise<void> {
    const { database, clock } = this.#options;
    if (database.engine === 'postgres') {
      await this.#beat();
      return refuseOutdated(database);
    }
    await this.#recoverAll(never);
    // Where others may be alive the lease, a minute, tells who is not.
    await database.write(async (tx) => {
      await recoverWebhookDeliveries(tx, clock.now());
      await recoverBroadcasts(tx, clock.now());
    });
  }

  /** About once a second, whatever else is slow: the others take whoever is silent for dead. */
  async beat(): Promise<void> {
    const { database, clock } = this.#options;
    if (database.engine === 'sqlite') return;
    if (clock.now() - this.#lastBeatAt >= beatEveryMs) await this.#beat();
    // Whoever may have been taken for dead may have been succeeded by a newer version.
    if (this.#steadyBeats === 0) await this.#dieIfOutdated();
  }

  /** About once a second, beside the beat. Where one process serves, its start has done it all. */
  async recoverDead(): Promise<void> {
    const { database, clock } = this.#options;
    if (database.engine === 'sqlite') return;
    const now = clock.now();
    if (this.#steadyBeats >= steadyBeatsMin && !this.#isLate(now)) await this.#recoverAll(now - deadAfterMs);
  }

  /** About once a second, where one process serves, too: its worker may hang. */
  async doubtLost(): Promise<void> {
    const { database, clock, policy } = this.#options;
    const terms = { now: clock.now(), policy, limit: recoverAtOnce };
    const lost = await database.write((tx) => doubtLostHandoffs(tx, terms));
    for (const ref of lost) log.inDoubt(ref, 'no verdict was recorded in all the time there was for one');
  }

  /** After the last claim was handed back or settled. */
  async stop(): Promise<void> {
    const { database, worker } = this.#options;
    if (database.engine === 'postgres') await database.write((tx) => sayGoodbye(tx, worker));
  }

  async #beat(): Promise<void> {
    const { database, clock, worker } = this.#options;
    const now = clock.now();
    const isSteady = (await database.write((tx) => beat(tx, worker, now))) && !this.#isLate(now);
    this.#lastBeatAt = now;
    this.#steadyBeats = isSteady ? this.#steadyBeats + 1 : 0;
  }

  async #dieIfOutdated(): Promise<void> {
    const { database, die } = this.#options;
    const newer = await findNewer(database);
    if (newer === null) return;
    log.outdated(newer);
    die();
  }

  #isLate(now: number): boolean {
    return now - this.#lastBeatAt > lateAfterMs;
  }

  async #recoverAll(deadBefore: number): Promise<void> {
    const { database, clock, policy, onQueued } = this.#options;
    let requeued = 0;
    for (;;) {
      const terms = { now: clock.now(), policy, limit: recoverAtOnce, deadBefore };
      const step = await database.write((tx) => recover(tx, terms));
      for (const ref of step.inDoubt) log.inDoubt(ref, 'the process that sent it ended before the relay answered');
      for (const one of step.held) log.inDoubt(one, one.held ?? '');
      requeued += step.requeued.length;
      if (step.requeued.length + step.inDoubt.length + step.held.length === 0) break;
    }
    if (requeued === 0) return;
    log.requeued(requeued);
    onQueued();
  }
}
