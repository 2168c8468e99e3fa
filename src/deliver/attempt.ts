/** One attempt of a claimed delivery, from its turn to its outcome: suppressed ones out, compose, ship, gate, settle. */

import { testAddressOutcome } from '../core/address.ts';
import type { Clock } from '../core/clock.ts';
import { type EnvelopeReply, outcomeName } from '../core/outcome.ts';
import type { Tried } from '../core/passed-over.ts';
import { noReply } from '../core/reply.ts';
import { retryDelayMs } from '../core/retry.ts';
import type { ReturnPaths } from '../core/return-path.ts';
import { aloneAfter } from '../core/silence.ts';
import { handBack, markAlone } from '../store/mail/claim.ts';
import { type Delivery, emailName } from '../store/mail/deliveries.ts';
import { readWhole } from '../store/mail/email-to-compose.ts';
import { openGate } from '../store/mail/settle.ts';
import { splitByDomain } from '../store/mail/split.ts';
import { type Sifted, settleSimulated, settleSuppressed, siftDelivery, siftTopic } from '../store/mail/suppressed.ts';
import { waitFor } from '../store/mail/waiting.ts';
import { findLeaving, type Leaving, type LeavingOptions } from './leaving.ts';
import { envelopeId } from './relay.ts';
import type { Shipped, TriedGate } from './relays/along.ts';
import type { RelayRecord } from './relays/relay-record.ts';
import { isToSplit, type Relays } from './relays/relays.ts';
import type { Settler } from './settle.ts';
import { harmlessAfterMs, type Turn, type Turns } from './turns.ts';

export type AttemptOptions = LeavingOptions & {
  clock: Clock;
  relays: Relays;
  settler: Settler;
  returnPaths: Pick<ReturnPaths, 'returnsOf'>;
  /** 0 ≤ x < 1, for jitter. */
  random: () => number;
  /** Told each outcome, for metrics. */
  onOutcome: (name: string) => void;
  /** Told of a doubt whose connection has ended here. */
  onDoubt: (delivery: Delivery) => void;
};

/** Until what waits for relays is looked at again, whatever they do. */
const waitMs = 10 * 60_000;

/** After attempts that ended without a word: it is tried alone, and comes last. */
export function isSuspect({ wordless }: Delivery): boolean {
  return wordless >= aloneAfter;
}

type GateTerms = { contentHash: Uint8Array; tried: Tried; repeatsForMs: number | undefined };

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
      const staying = leaving.leavable && (await siftTopic(this.#options.database, delivery, leaving.leavable.topic));
      const rest = staying ? await this.#without(staying, delivery) : delivery;
      if (rest) await this.#shipAndSettle(rest, leaving, turn);
    } finally {
      leaving.passage?.done();
    }
  }

  async #shipAndSettle(delivery: Delivery, leaving: Leaving, turn: Turn): Promise<void> {
    const { settler, onOutcome, onDoubt, relays } = this.#options;
    const { account, never, failedAt, boundRelay: bound } = delivery;
    const way = relays.wayOf({ account, never, failedAt, bound, from: leaving.from, tag: leaving.tag });
    if (!way) return settler.hold(delivery, leftBehind(delivery.boundRelay));
    if (isToSplit(way, delivery.recipients)) return this.#split(delivery);
    const shipped = await this.#ship(delivery, leaving, { way, turn });
    const { outcome } = shipped;
    // A session may die while its gate is still committing: what to record depends on whether it opened.
    await this.#gate?.catch(() => false);
    // Handed back at the shutdown: it is the next process's now, and the database may be closed already.
    if (this.#isDraining() && this.#gate === null) return;
    if (shipped.isUntried && shipped.waitsFor !== null && (await this.#wait(delivery, shipped.waitsFor))) return;
    onOutcome(outcomeName(outcome));
    if (outcome.phase === 'in_doubt') onDoubt(delivery);
    await settler.settle(delivery, outcome, shipped);
  }

  /** A delivery for each domain, all of them due now. What may have left once already is not divided any more. */
  async #split(delivery: Delivery): Promise<void> {
    const { database, clock, settler } = this.#options;
    if (delivery.boundTo !== null) return settler.hold(delivery, isUndivided);
    if (this.#isDraining()) return;
    await database.write((tx) => splitByDomain(tx, delivery, clock.now()), { about: emailName(delivery) });
  }

  /** No relay it may take is open: that uses up no try. False where it is too old to wait. */
  async #wait(delivery: Delivery, waitsFor: string): Promise<boolean> {
    const { database, clock } = this.#options;
    const now = clock.now();
    const until = now + waitMs;
    if (until > delivery.giveUpAt) return false;
    await database.write((tx) => waitFor(tx, delivery, { waitsFor, until, now }), { about: emailName(delivery) });
    return true;
  }

  async #ship(
    delivery: Delivery,
    { returnPath, asked, whole, plain }: Leaving,
    { way, turn }: { way: readonly RelayRecord[]; turn: Turn },
  ): Promise<Shipped> {
    const returns = this.#options.returnPaths.returnsOf(delivery);
    const shipment = {
      // A client that wants to be told of nothing names nobody.
      envelope: { from: returnPath === '' ? '' : (returns.address ?? returnPath), to: delivery.recipients },
      returns,
      asked,
      pieces: whole.pieces,
      plain: plain?.pieces ?? null,
      envelopeId: envelopeId(delivery),
      readMail: () => readWhole(this.#options.database, delivery.account, delivery.emailId),
    };
    const gate: TriedGate = (reply, isPlain, by) => {
      this.#gate = this.#openGate(reply, { contentHash: ((isPlain && plain) || whole).contentHash, ...by });
      return this.#gate;
    };
    const shipping = this.#options.relays.ship(way, shipment, gate, delivery.never);
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
    const { delivery } = this;
    const sifted = await siftDelivery(this.#options.database, delivery);
    return sifted ? this.#without(sifted, delivery) : delivery;
  }

  async #without(sifted: Sifted, delivery: Delivery): Promise<Delivery | null> {
    const { clock, settler, onOutcome } = this.#options;
    const isOurs = await settler.record(delivery, (tx) => settleSuppressed(tx, delivery, sifted, clock.now()));
    if (!isOurs) return null;
    onOutcome('suppressed');
    return sifted.clear.length > 0 ? { ...delivery, recipients: sifted.clear } : null;
  }

  async #openGate(reply: EnvelopeReply, by: GateTerms): Promise<boolean> {
    if (this.#isDraining()) return false;
    const { delivery } = this;
    const { database, clock, random } = this.#options;
    this.#isGated = await database.write(
      (tx) => {
        const now = clock.now();
        const retryAt = now + retryDelayMs(delivery.tries + 1, random());
        return openGate(tx, delivery, reply, { now, retryAt, ...by });
      },
      { about: emailName(delivery) },
    );
    return this.#isGated;
  }
}

const isUndivided =
  'An earlier attempt may have handed it over for recipients in several domains. Mail that goes to their own servers (mx:) has one domain each, so it is not sent again by itself.';

function leftBehind(relay: string | null): string {
  return `The relay "${relay}" may have it already, and is not in RELAYS_FILE any more: no other one gets it by itself.`;
}
