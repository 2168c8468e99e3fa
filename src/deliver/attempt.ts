/** One attempt of a claimed delivery, from its turn to its outcome: suppressed ones out, compose, ship, gate, settle. */

import { testAddressOutcome } from '../core/address.ts';
import type { Clock } from '../core/clock.ts';
import { type EnvelopeReply, type Outcome, outcomeName } from '../core/outcome.ts';
import { noReply } from '../core/reply.ts';
import { retryDelayMs } from '../core/retry.ts';
import { aloneAfter } from '../core/silence.ts';
import { handBack, markAlone } from '../store/mail/claim.ts';
import { type Delivery, emailName } from '../store/mail/deliveries.ts';
import { openGate } from '../store/mail/settle.ts';
import { settleSimulated, settleSuppressed, siftDelivery } from '../store/mail/suppressed.ts';
import { findLeaving, type Leaving, type LeavingOptions } from './leaving.ts';
import type { Relay } from './relay.ts';
import type { Settler } from './settle.ts';
import { harmlessAfterMs, type Turn, type Turns } from './turns.ts';

export type AttemptOptions = LeavingOptions & {
  clock: Clock;
  relay: Relay;
  settler: Settler;
  /** 0 ≤ x < 1, for jitter. */
  random: () => number;
  /** Told each outcome, for metrics. */
  onOutcome: (name: string) => void;
};

/** After attempts that ended without a word: it is tried alone, and comes last. */
export function isSuspect({ wordless }: Delivery): boolean {
  return wordless >= aloneAfter;
}

export class Attempt {
  readonly delivery: Delivery;
  readonly done: Promise<void>;
  readonly #options: AttemptOptions;
  readonly #isDraining: () => boolean;
  readonly #isAlone: boolean;
  /** Set once the gate was asked. */
  #gate: Promise<boolean> | null = null;
  /** The gate has committed. */
  #isGated = false;

  /** Begins at once. Once `isDraining` no gate opens, and what has not asked for its own is somebody else's to hand back. */
  constructor(delivery: Delivery, options: AttemptOptions, turns: Turns, isDraining: () => boolean) {
    this.delivery = delivery;
    this.#options = options;
    this.#isDraining = isDraining;
    this.#isAlone = isSuspect(delivery);
    this.done = this.#tryAndSettle(turns);
  }

  get hasAskedGate(): boolean {
    return this.#gate !== null;
  }

  /** What throws before the gate (a read that fails, a mail that cannot be composed) waits like an unreachable relay. */
  async #tryAndSettle(turns: Turns): Promise<void> {
    try {
      await this.#tryOnce(turns);
    } catch (error) {
      if (this.#isGated || this.#isDraining()) throw error;
      const reason = `This server could not make the attempt: ${error instanceof Error ? error.message : String(error)}`;
      await this.#options.settler.settle(this.delivery, { phase: 'unreached', reply: noReply(reason, null) });
    }
  }

  /** How far one that is tried alone comes is written down before it goes on. */
  async #tryOnce(turns: Turns): Promise<void> {
    const turn = await (this.#isAlone ? turns.beginAlone() : turns.begin());
    try {
      // Handed back while it waited for its turn.
      if (this.#isDraining()) return;
      if (this.#isAlone && !(await this.#mark('try_alone'))) return;
      await this.#tryInTurn(turn);
    } finally {
      turn.end();
    }
  }

  async #tryInTurn(turn: Turn): Promise<void> {
    const { clock, settler, onOutcome } = this.#options;
    const delivery = await this.#withoutSuppressed();
    if (!delivery) return;
    const simulated = testAddressOutcome(delivery.recipients[0] ?? '');
    if (simulated) {
      await settler.record(delivery, (tx) => settleSimulated(tx, delivery, simulated, clock.now()));
      return onOutcome('simulated');
    }
    const leaving = await findLeaving(this.#options, delivery);
    if ('why' in leaving) {
      return leaving.why === 'later' ? this.#postpone(delivery) : settler.hold(delivery, leaving.reason);
    }
    try {
      if (this.#isAlone && !(await this.#mark('composed_alone'))) return;
      await this.#shipAndSettle(delivery, leaving, turn);
    } finally {
      leaving.passage?.done();
    }
  }

  async #shipAndSettle(delivery: Delivery, leaving: Leaving, turn: Turn): Promise<void> {
    const { settler, onOutcome } = this.#options;
    const outcome = await this.#ship(delivery, leaving, turn);
    // A session may die while its gate is still committing: what to record depends on whether it opened.
    await this.#gate?.catch(() => false);
    // Handed back at the shutdown: it is the next process's now, and the database may be closed already.
    if (this.#isDraining() && this.#gate === null) return;
    onOutcome(outcomeName(outcome));
    await settler.settle(delivery, outcome);
  }

  async #ship(delivery: Delivery, { from, whole, plain }: Leaving, turn: Turn): Promise<Outcome> {
    const shipment = {
      envelope: { from, to: delivery.recipients },
      pieces: whole.pieces,
      plain: plain?.pieces ?? null,
      envelopeId: envelopeId(delivery),
    };
    const shipping = this.#options.relay.ship(shipment, (reply, isPlain) => {
      this.#gate = this.#openGate(((isPlain && plain) || whole).contentHash, reply);
      return this.#gate;
    });
    turn.shipped();
    if (!this.#isAlone) return shipping;
    const harmless = setTimeout(() => {
      turn.letOthers();
      if (this.#gate === null && !this.#isDraining()) void this.#mark('harmless').catch(() => {});
    }, harmlessAfterMs);
    return shipping.finally(() => clearTimeout(harmless));
  }

  #mark(stage: 'try_alone' | 'composed_alone' | 'harmless'): Promise<boolean> {
    const { database, clock } = this.#options;
    const { delivery } = this;
    return database.write((tx) => markAlone(tx, stage, delivery, clock.now()), { about: emailName(delivery) });
  }

  /** Its place is another mail's meanwhile. */
  async #postpone(delivery: Delivery): Promise<void> {
    const { database, clock, largeMails } = this.#options;
    if (this.#isDraining()) return;
    const dueAt = clock.now() + largeMails.limits.largeMailPauseMs;
    await database.write((tx) => handBack(tx, delivery, clock.now(), dueAt), { about: emailName(delivery) });
  }

  /** Recipients that were suppressed since the email was accepted are taken out before the relay hears of them. Null: nobody is left. */
  async #withoutSuppressed(): Promise<Delivery | null> {
    const { database, clock, settler, onOutcome } = this.#options;
    const { delivery } = this;
    const sifted = await siftDelivery(database, delivery);
    if (!sifted) return delivery;
    const isOurs = await settler.record(delivery, (tx) => settleSuppressed(tx, delivery, sifted, clock.now()));
    if (!isOurs) return null;
    onOutcome('suppressed');
    return sifted.clear.length > 0 ? { ...delivery, recipients: sifted.clear } : null;
  }

  async #openGate(contentHash: Uint8Array, reply: EnvelopeReply): Promise<boolean> {
    if (this.#isDraining()) return false;
    const { delivery } = this;
    const { database, clock, random } = this.#options;
    this.#isGated = await database.write(
      (tx) => {
        const now = clock.now();
        const retryAt = now + retryDelayMs(delivery.tries + 1, random());
        return openGate(tx, delivery, reply, { now, contentHash, retryAt });
      },
      { about: emailName(delivery) },
    );
    return this.#isGated;
  }
}

/** Same on every attempt, so that a DSN names the delivery it is about (RFC 3461 4.4). */
function envelopeId(delivery: Delivery): string {
  return `${delivery.emailId}.${delivery.part}`;
}
