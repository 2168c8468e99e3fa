/** Doubt that settles itself: while an upstream's key lives, the same request under it tells what became of the first. */

import type { Clock } from '../core/clock.ts';
import { outcomeName } from '../core/outcome.ts';
import { log } from '../log.ts';
import type { Database } from '../store/database.ts';
import { type DeliveryRef, emailName, partName } from '../store/mail/deliveries.ts';
import { readWhole } from '../store/mail/email-to-compose.ts';
import { listRepeatable, type Repeatable, stopRepeating } from '../store/mail/repeats.ts';
import type { Relays } from './relays/relays.ts';
import type { Settler } from './settle.ts';

export type RepeatOptions = { database: Database; clock: Clock; relays: Relays; settler: Settler };

const lookEveryMs = 500;
/** Between one repeat and the next: the first comes within two seconds of the doubt, the last every half minute. */
const waitsMs = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000] as const;
const waitLastMs = 30_000;
/** Looked at in one step, and asked at once. */
const listMax = 1_000;
const atOnceMax = 20;
/** Of those that are forgotten some wait longer than they had to. */
const endedMax = 10_000;

type Plan = { dueAt: number; times: number; isUnderWay: boolean };

export class Repeats {
  readonly #options: RepeatOptions;
  /** By delivery and attempt, in real time: how often it was asked, and when it is again. */
  readonly #plans = new Map<string, Plan>();
  /** Doubts of this process: their connections have ended. */
  readonly #ended = new Set<string>();
  readonly #underWay = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;
  #isStopped = false;

  constructor(options: RepeatOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.wake(), lookEveryMs);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#timer) clearInterval(this.#timer);
    await this.#looking;
    await Promise.all(this.#underWay);
  }

  /** The request this doubt is about is not under way any more: nothing needs to be waited for. */
  ended(ref: DeliveryRef & { attempt: number }): void {
    if (!this.#options.relays.hasKeys) return;
    if (this.#ended.size >= endedMax) this.#ended.clear();
    this.#ended.add(`${partName(ref)} ${ref.attempt}`);
  }

  wake(): void {
    if (this.#isStopped || this.#looking || !this.#options.relays.hasKeys) return;
    this.#looking = this.#look()
      .catch((error: unknown) => log.choreFailed('repeats', error))
      .finally(() => {
        this.#looking = null;
      });
  }

  async #look(): Promise<void> {
    const { database, clock } = this.#options;
    const rows = await listRepeatable(database, clock.now(), listMax);
    this.#forget(rows);
    const now = performance.now();
    for (const one of rows) {
      const plan = this.#planOf(one, now);
      if (this.#underWay.size >= atOnceMax) return;
      if (plan.isUnderWay || plan.dueAt > now) continue;
      plan.isUnderWay = true;
      const repeat = this.#repeat(one, plan).finally(() => this.#underWay.delete(repeat));
      this.#underWay.add(repeat);
    }
  }

  #planOf(one: Repeatable, now: number): Plan {
    const known = this.#plans.get(nameOf(one));
    if (known) return known;
    // Its connection may still be open, at a process that was taken for dead: some upstreams are not to be asked meanwhile.
    const record = this.#options.relays.find(one.relay);
    const patience = this.#ended.has(nameOf(one)) ? 0 : (record?.relay.repeatsAfterMs ?? 0);
    const wait = Math.max(waitsMs[0], one.gatedAt + patience - this.#options.clock.now());
    const plan = { dueAt: now + wait, times: 0, isUnderWay: false };
    this.#plans.set(nameOf(one), plan);
    return plan;
  }

  async #repeat(one: Repeatable, plan: Plan): Promise<void> {
    try {
      await this.#askAgain(one);
    } catch (error) {
      log.choreFailed('repeats', error);
    }
    plan.times += 1;
    plan.dueAt = performance.now() + (waitsMs[plan.times] ?? waitLastMs);
    plan.isUnderWay = false;
  }

  async #askAgain(one: Repeatable): Promise<void> {
    const { database, clock, relays, settler } = this.#options;
    const record = relays.find(one.relay);
    if (!record) return;
    const email = await readWhole(database, one.account, one.emailId);
    // What is read takes time, and beyond its life the key would let a second copy through.
    if (clock.now() >= one.repeatUntil) return;
    const shipment = {
      envelope: { from: '', to: one.recipients },
      pieces: [],
      envelopeId: `${one.emailId}.${one.part}`,
      readMail: async () => email,
    };
    const outcome = await record.repeat(shipment);
    if (!outcome) return;
    if (outcome.phase === 'in_doubt') {
      await database.write((tx) => stopRepeating(tx, one, outcome.reason, clock.now()), { about: emailName(one) });
      return log.inDoubt(one, outcome.reason);
    }
    log.lateVerdict(one, outcomeName(outcome));
    await settler.settleLate(one, outcome);
  }

  #forget(rows: readonly Repeatable[]): void {
    const open = new Set(rows.map(nameOf));
    for (const [name, { isUnderWay }] of this.#plans) {
      if (isUnderWay || open.has(name)) continue;
      this.#plans.delete(name);
      this.#ended.delete(name);
    }
  }
}

function nameOf(one: Repeatable): string {
  return `${partName(one)} ${one.attempt}`;
}
