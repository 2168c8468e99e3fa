/** What has to be done about once a second, each in small bounded steps: the beat, the witness, counts, expired claims, the policy's resends, garbage, the page's index. */

import type { SystemClock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import { log } from '../log.ts';
import type { Database } from '../store/database.ts';
import { deleteExpiredKeys } from '../store/idempotency.ts';
import { purgeContents } from '../store/mail/purge.ts';
import { requeueExpiredClaims, sendAgainDue } from '../store/mail/recover.ts';
import { purgeReceivedMails } from '../store/received-mails.ts';
import { forgetWebhookDeliveries } from '../store/webhooks/history.ts';
import { type LookOptions, lookAtDue } from '../use-cases/domain-looks.ts';
import { emptyLogIfAsked } from '../use-cases/empty-log.ts';
import { forgetSome } from '../use-cases/forget-accounts.ts';
import type { KeyTimes } from '../use-cases/key-times.ts';
import type { KeyUses } from '../use-cases/key-uses.ts';
import { keepPageIndex } from '../use-cases/page-index.ts';
import { type PauseLimits, pauseAccounts } from '../use-cases/pause-accounts.ts';
import type { RequestLogs } from '../use-cases/request-logs.ts';
import { type Attempt, createAttempts } from './attempts.ts';
import { type SpreadOptions, spreadDue } from './broadcasts/spread.ts';
import type { Recovery } from './recovery.ts';
import type { RestoreGuard } from './restore-guard.ts';

export type ChoreOptions = PauseLimits & {
  database: Database;
  clock: SystemClock;
  guard: RestoreGuard;
  recovery: Recovery;
  keyUses: KeyUses;
  keyTimes: KeyTimes;
  requestLogs: RequestLogs;
  /** For domains whose records are due to be looked for. */
  looking: LookOptions;
  /** For broadcasts that are due. */
  spreading: SpreadOptions;
  retentionDays: Config['retentionDays'];
  garbagePerSecondMax: number;
  /** Between two rounds, in milliseconds. */
  everyMs: number;
  /** Told when something was queued again. */
  onQueued: () => void;
  /** Looked for troubles, and told; done more rarely than the rest. */
  alert: () => Promise<void>;
};

/** An operator who is called ten seconds later is called in time. */
const alertEvery = 10;

/** Deliveries one step moves. */
const stepSize = 500;

/** Emails whose contents one transaction forgets: they may be large, and freeing their pages takes time. */
const purgeStep = 20;

/** Of some fifty emails each. */
const accountSteps = 20;

/** Of its time: a process that does less than this has some left for the page's index. */
const idleBelow = 0.3;

/** What catching up may take of a second, and how long it pauses to see whether anybody else has begun to need the time. */
const catchUpMs = 700;
const catchUpPauseMs = 10;

const dayMs = 24 * 60 * 60_000;

/** One transaction forgets this many of them, with their attempts: some ten milliseconds. */
const webhookStep = 250;

/** How long it can be seen, and replayed, what a webhook was told. */
const webhookHistoryMs = 30 * dayMs;

export class Chores {
  readonly #options: ChoreOptions;
  readonly #attempt = createAttempts();
  /** In this order where they are done once. */
  readonly #routines: Routine[];

  constructor(options: ChoreOptions) {
    this.#options = options;
    const { recovery, everyMs } = options;
    this.#routines = [
      // By itself: whoever does not say for too long that it lives is taken for dead, however busy it is.
      new Routine('beat', everyMs, this.#attempt, () => recovery.beat()),
      // As many deliveries as the dead have left.
      new Routine('recovery', everyMs, this.#attempt, () => recovery.recoverDead()),
      new Routine('chores', everyMs, this.#attempt, () => this.#doRest()),
      new Routine('pauses', everyMs * alertEvery, this.#attempt, () => this.#pause()),
      // By itself: after a flood it takes what nobody else needs.
      new Routine('page', everyMs, this.#attempt, () => this.#keepPageIndex()),
      new Routine('alerts', everyMs * alertEvery, this.#attempt, () => this.#options.alert()),
      // By itself: a broadcast may go to many.
      new Routine('broadcasts', everyMs, this.#attempt, () => spreadDue(options.spreading)),
      // By itself: DNS may take its time.
      new Routine('domains', everyMs, this.#attempt, () => lookAtDue(options.looking)),
    ];
  }

  start(): void {
    for (const routine of this.#routines) routine.start();
  }

  /** Does them all once; nothing once they were stopped. */
  async run(): Promise<void> {
    for (const routine of this.#routines) await routine.run();
  }

  /** A chore that fails does not keep the others from being done. */
  async #doRest(): Promise<void> {
    const { clock, guard, keyUses, keyTimes } = this.#options;
    await this.#attempt('clock', async () => clock.check());
    await this.#attempt('witness', () => guard.check());
    await this.#attempt('counts', () => keyUses.flush());
    await this.#attempt('key times', () => keyTimes.flush());
    await this.#attempt('request logs', () => this.#options.requestLogs.flush());
    await this.#attempt('claims', () => this.#requeue());
    await this.#attempt('hand-offs', () => this.#options.recovery.doubtLost());
    await this.#attempt('keys', () => this.#deleteKeys());
    await this.#attempt('retention', () => this.#purge());
    await this.#attempt('webhooks', () => this.#forgetWebhooks());
    await this.#attempt('accounts', () => this.#forgetAccounts());
    await this.#attempt('log', () => emptyLogIfAsked(this.#options.database));
  }

  async stop(): Promise<void> {
    // The beat is the last to end: until the others have ended this process lives.
    for (const routine of this.#routines.toReversed()) await routine.stop();
    await this.#attempt('counts', () => this.#options.keyUses.flush());
    await this.#attempt('witness', () => this.#options.guard.check());
    await this.#attempt('goodbye', () => this.#options.recovery.stop());
  }

  /** Mail goes first: while there is any, the index gets one turn a second. */
  async #keepPageIndex(): Promise<void> {
    const { database, clock } = this.#options;
    const endAt = performance.now() + catchUpMs;
    while (!(await keepPageIndex(database, clock)) && performance.now() < endAt) {
      const before = performance.eventLoopUtilization();
      await new Promise((resolve) => setTimeout(resolve, catchUpPauseMs));
      if (performance.eventLoopUtilization(before).utilization >= idleBelow) return;
    }
  }

  async #requeue(): Promise<void> {
    const { database, clock, onQueued } = this.#options;
    const moved = await database.write(async (tx) => ({
      expired: await requeueExpiredClaims(tx, clock.now(), stepSize),
      again: await sendAgainDue(tx, clock.now(), stepSize),
    }));
    for (const ref of moved.expired) ref.held === null ? log.leaseExpired(ref) : log.inDoubt(ref, ref.held);
    for (const ref of moved.again) log.sentAgain(ref);
    if (moved.expired.length + moved.again.length > 0) onQueued();
  }

  #pause(): Promise<void> {
    return pauseAccounts({ ...this.#options, onPaused: log.accountPaused });
  }

  async #deleteKeys(): Promise<void> {
    const { database, clock, garbagePerSecondMax } = this.#options;
    await database.write((tx) => deleteExpiredKeys(tx, clock.expiryNow(), garbagePerSecondMax));
  }

  async #forgetWebhooks(): Promise<void> {
    const { database, clock } = this.#options;
    const before = clock.now() - webhookHistoryMs;
    await database.write((tx) => forgetWebhookDeliveries(tx, before, webhookStep));
  }

  async #forgetAccounts(): Promise<void> {
    const { database, clock } = this.#options;
    for (let steps = 0; steps < accountSteps; steps += 1) {
      if (!(await forgetSome(database, clock))) return;
    }
  }

  async #purge(): Promise<void> {
    const { database, clock, retentionDays, garbagePerSecondMax } = this.#options;
    if (retentionDays === null) return;
    const now = clock.now();
    const terms = { before: now - retentionDays * dayMs, now, limit: purgeStep };
    for (let purged = 0; purged < garbagePerSecondMax; purged += purgeStep) {
      const some = await database.write((tx) => purgeContents(tx, terms.before, now, purgeStep));
      const others = await database.write((tx) => purgeReceivedMails(tx, terms));
      if (Math.max(some, others) < purgeStep) return;
    }
  }
}

/** Something that is done again and again, never twice at once; one that fails is said, and done again. */
class Routine {
  readonly #name: string;
  readonly #everyMs: number;
  readonly #attempt: Attempt;
  readonly #work: () => Promise<void>;
  #timer: NodeJS.Timeout | null = null;
  #last: Promise<void> = Promise.resolve();
  #open = 0;
  #isStopped = false;

  constructor(name: string, everyMs: number, attempt: Attempt, work: () => Promise<void>) {
    this.#name = name;
    this.#everyMs = everyMs;
    this.#attempt = attempt;
    this.#work = work;
  }

  start(): void {
    this.#timer = setInterval(() => {
      if (this.#open === 0) void this.run();
    }, this.#everyMs);
  }

  /** Once more, after the one under way. */
  run(): Promise<void> {
    this.#open += 1;
    this.#last = this.#last.then(() => this.#once());
    return this.#last;
  }

  async #once(): Promise<void> {
    if (!this.#isStopped) await this.#attempt(this.#name, this.#work);
    this.#open -= 1;
  }

  /** Nothing begins any more, and what has begun has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#timer) clearInterval(this.#timer);
    await this.#last;
  }
}
