/** Lane 1: due deliveries, claimed fairly across accounts, each attempted once and settled by its outcome. */

import { hash } from 'node:crypto';
import { testAddressOutcome } from '../core/address.ts';
import type { Clock } from '../core/clock.ts';
import type { DkimSigner, SignerFor } from '../core/dkim.ts';
import type { Email } from '../core/email.ts';
import { senderAddress } from '../core/envelope.ts';
import { type EnvelopeReply, type Outcome, outcomeName } from '../core/outcome.ts';
import { isAsciiText, needsUtf8, plainOf } from '../core/plain.ts';
import { noReply } from '../core/reply.ts';
import { retryDelayMs } from '../core/retry.ts';
import { aloneAfter } from '../core/silence.ts';
import { log } from '../log.ts';
import type { Composing } from '../render/composer.ts';
import type { Renderer } from '../render/renderer.ts';
import { makeTextParts } from '../render/text-parts.ts';
import type { Database } from '../store/database.ts';
import { accountsWithDue, claimDue, handBack, handBackForgotten, markAlone } from '../store/mail/claim.ts';
import { type Delivery, type DeliveryRef, emailName, type InDoubtPolicy, partName } from '../store/mail/deliveries.ts';
import { findEmailToCompose } from '../store/mail/email-to-compose.ts';
import { keepMadeText } from '../store/mail/emails.ts';
import { doubtForgottenHandoffs } from '../store/mail/recover.ts';
import { openGate } from '../store/mail/settle.ts';
import { settleSimulated, settleSuppressed, siftDelivery } from '../store/mail/suppressed.ts';
import type { Lane } from '../worker.ts';
import type { LargeMails, Passage } from './large-mails.ts';
import type { Relay, Shipment } from './relay.ts';
import type { Settler } from './settle.ts';
import { harmlessAfterMs, type Turn, Turns } from './turns.ts';

export type DeliverOptions = {
  database: Database;
  clock: Clock;
  relay: Relay;
  renderer: Pick<Renderer, 'openLater'>;
  compose: Composing;
  largeMails: LargeMails;
  settler: Settler;
  /** Names this process in claims. */
  worker: string;
  policy: InDoubtPolicy;
  signerFor: SignerFor;
  /** 0 ≤ x < 1, for jitter. */
  random: () => number;
  /** Told each outcome, for metrics. */
  onOutcome: (name: string) => void;
};

/** Longer than any attempt may take up to its gate; only a hung worker loses its claim to it. */
const leaseMs = 15 * 60_000;

/** How often the rows are compared with what is held here: a commit may be gone whose answer came. */
const compareEveryMs = 10_000;

/** An attempt under way. `gate` is set once the gate was asked, `gated` once it has committed. */
type Attempt = {
  delivery: Delivery;
  gated: boolean;
  gate: Promise<boolean> | null;
  done: Promise<void>;
  /** Of a large mail. */
  passage: Passage | null;
};

/** More than any email has; PostgreSQL compares lengths with an integer of 32 bits. */
const anyBytes = 2 ** 31 - 1;

export class DeliverLane implements Lane<Delivery> {
  readonly name = 'deliveries';
  readonly concurrency: number;
  readonly #options: DeliverOptions;
  readonly #underWay = new Set<Attempt>();
  /** Claimed and not done with. */
  readonly #held = new Set<string>();
  /** A claim may have committed without our learning what it took. */
  #isUnsure = false;
  #comparedAt = 0;
  readonly #turns = new Turns();
  #draining = false;
  #lastAccount = '';

  constructor(options: DeliverOptions) {
    this.#options = options;
    this.concurrency = options.relay.concurrency;
  }

  async claim(limit: number): Promise<Delivery[]> {
    const { database, clock } = this.#options;
    const now = clock.now();
    if (now - this.#comparedAt >= compareEveryMs) this.#isUnsure = true;
    const due = await accountsWithDue(database, now);
    if (due.length === 0 && !this.#isUnsure) return [];
    const turns = startingAfter(due, this.#lastAccount);
    this.#lastAccount = turns[Math.min(limit, turns.length) - 1] ?? '';
    const claimed = await this.#claimInTurns(turns, limit, now);
    for (const delivery of claimed) this.#held.add(partName(delivery));
    // What may end this process comes last, so that the others have begun.
    return claimed.sort((a, b) => Number(isSuspect(a)) - Number(isSuspect(b)));
  }

  async #claimInTurns(turns: string[], limit: number, now: number): Promise<Delivery[]> {
    const { database, worker, policy } = this.#options;
    const wasUnsure = this.#isUnsure;
    this.#isUnsure = true;
    let lost: DeliveryRef[] = [];
    const claimed = await database.write(async (tx) => {
      const claimed: Delivery[] = [];
      if (wasUnsure) {
        await handBackForgotten(tx, worker, this.#held, now);
        lost = await doubtForgottenHandoffs(tx, { worker, held: this.#held, now, policy });
      }
      // Each account gets its share first; what is left over goes to whoever still has mail due.
      for (const most of [Math.max(1, Math.floor(limit / turns.length)), limit]) {
        for (const account of turns) {
          const room = Math.min(most, limit - claimed.length);
          if (room <= 0) return claimed;
          claimed.push(...(await claimDue(tx, account, worker, { now, leaseMs, limit: room })));
        }
      }
      return claimed;
    });
    this.#isUnsure = false;
    if (wasUnsure) this.#comparedAt = now;
    for (const ref of lost) log.inDoubt(ref, 'what its worker recorded of it is gone');
    return claimed;
  }

  async attempt(delivery: Delivery): Promise<void> {
    const one: Attempt = { delivery, gated: false, gate: null, done: Promise.resolve(), passage: null };
    this.#underWay.add(one);
    one.done = this.#tryAndSettle(one).finally(() => {
      one.passage?.done();
      this.#underWay.delete(one);
      this.#held.delete(partName(delivery));
    });
    await one.done;
  }

  /** From here on no gate opens. What has not asked for its gate is handed back; a late ask finds no row. */
  async release(unstarted: Delivery[]): Promise<void> {
    this.#draining = true;
    const { database, clock } = this.#options;
    const ungated = [...this.#underWay].filter((one) => one.gate === null).map((one) => one.delivery);
    const handedBack = [...unstarted, ...ungated];
    if (handedBack.length === 0) return;
    await database.write(async (tx) => {
      for (const delivery of handedBack) await handBack(tx, delivery, clock.now());
    });
  }

  async settled(): Promise<void> {
    const asked = [...this.#underWay].filter((one) => one.gate !== null);
    await Promise.allSettled(asked.map((one) => one.done));
  }

  /** What throws before the gate (a read that fails, a mail that cannot be composed) waits like an unreachable relay. */
  async #tryAndSettle(one: Attempt): Promise<void> {
    try {
      await this.#tryOnce(one);
    } catch (error) {
      if (one.gated || this.#draining) throw error;
      const reason = `This server could not make the attempt: ${error instanceof Error ? error.message : String(error)}`;
      await this.#options.settler.settle(one.delivery, { phase: 'unreached', reply: noReply(reason, null) });
    }
  }

  /** After attempts that ended without a word it is tried alone, and how far it comes is written down before it goes on. */
  async #tryOnce(one: Attempt): Promise<void> {
    const isAlone = isSuspect(one.delivery);
    const turn = await (isAlone ? this.#turns.beginAlone() : this.#turns.begin());
    try {
      // Handed back while it waited for its turn.
      if (this.#draining) return;
      if (isAlone && !(await this.#mark(one, 'try_alone'))) return;
      await this.#tryInTurn(one, isAlone, turn);
    } finally {
      turn.end();
    }
  }

  async #tryInTurn(one: Attempt, isAlone: boolean, turn: Turn): Promise<void> {
    const { clock, settler, onOutcome } = this.#options;
    const delivery = await this.#withoutSuppressed(one.delivery);
    if (!delivery) return;
    const simulated = testAddressOutcome(delivery.recipients[0] ?? '');
    if (simulated) {
      await settler.record(delivery, (tx) => settleSimulated(tx, delivery, simulated, clock.now()));
      return onOutcome('simulated');
    }
    const email = await this.#findEmail(one, delivery);
    if (email === 'later') return this.#postpone(delivery);
    if (!email) return settler.hold(delivery, 'The contents of this email are gone from the database.');
    const from = senderAddress(email);
    const signer = await this.#options.signerFor(delivery.account, from.split('@').pop() ?? '');
    const made = await this.#compose(email, signer, delivery.recipients);
    one.passage?.composed();
    const leaving = boundTo(delivery, made);
    if (!leaving) {
      return settler.hold(delivery, 'This version composes other bytes than the first attempt handed over.');
    }
    if (isAlone && !(await this.#mark(one, 'composed_alone'))) return;
    const shipment = { envelope: { from, to: delivery.recipients }, ...leaving, envelopeId: envelopeId(delivery) };
    const outcome = await this.#ship(one, isAlone, turn, shipment);
    // A session may die while its gate is still committing: what to record depends on whether it opened.
    await one.gate?.catch(() => false);
    // Handed back at the shutdown: it is the next process's now, and the database may be closed already.
    if (this.#draining && one.gate === null) return;
    onOutcome(outcomeName(outcome));
    await settler.settle(delivery, outcome);
  }

  async #ship(one: Attempt, isAlone: boolean, turn: Turn, shipment: Shipment): Promise<Outcome> {
    const shipping = this.#options.relay.ship(shipment, (reply, isPlain) => {
      one.gate = this.#openGate(one, sha256((isPlain && shipment.plain) || shipment.bytes), reply);
      return one.gate;
    });
    turn.shipped();
    if (!isAlone) return shipping;
    const harmless = setTimeout(() => {
      turn.letOthers();
      if (one.gate === null && !this.#draining) void this.#mark(one, 'harmless').catch(() => {});
    }, harmlessAfterMs);
    return shipping.finally(() => clearTimeout(harmless));
  }

  #mark({ delivery }: Attempt, stage: 'try_alone' | 'composed_alone' | 'harmless'): Promise<boolean> {
    const { database, clock } = this.#options;
    return database.write((tx) => markAlone(tx, stage, delivery, clock.now()), { about: emailName(delivery) });
  }

  /** What an older version accepted has no text part made yet: it is made once, so that every attempt sends the same. */
  async #findEmail(one: Attempt, delivery: Delivery): Promise<Email | 'later' | null> {
    const { database, renderer } = this.#options;
    const email = await this.#readEmail(one, delivery);
    if (email === 'later') return email;
    if (!email || email.madeText !== null) return email;
    const [madeText = null] = await makeTextParts(renderer.openLater(delivery.account), [email]);
    if (madeText === null) return email;
    await database.write((tx) => keepMadeText(tx, email, madeText), { about: emailName(delivery) });
    return { ...email, madeText };
  }

  /** `later`: it is large, and there is no memory for it now. */
  async #readEmail(one: Attempt, { account, emailId }: Delivery): Promise<Email | 'later' | null> {
    const { database, largeMails } = this.#options;
    const found = await findEmailToCompose(database, account, emailId, largeMails.limits.largeMailBytesMin);
    if (typeof found !== 'number') return found;
    one.passage = await largeMails.enter(found);
    if (!one.passage) return 'later';
    const email = await findEmailToCompose(database, account, emailId, anyBytes);
    return typeof email === 'number' ? null : email;
  }

  /** Its place is another mail's meanwhile. */
  async #postpone(delivery: Delivery): Promise<void> {
    const { database, clock, largeMails } = this.#options;
    if (this.#draining) return;
    const dueAt = clock.now() + largeMails.limits.largeMailPauseMs;
    await database.write((tx) => handBack(tx, delivery, clock.now(), dueAt), { about: emailName(delivery) });
  }

  /** Recipients that were suppressed since the email was accepted are taken out before the relay hears of them. Null: nobody is left. */
  async #withoutSuppressed(delivery: Delivery): Promise<Delivery | null> {
    const { database, clock, settler, onOutcome } = this.#options;
    const sifted = await siftDelivery(database, delivery);
    if (!sifted) return delivery;
    const isOurs = await settler.record(delivery, (tx) => settleSuppressed(tx, delivery, sifted, clock.now()));
    if (!isOurs) return null;
    onOutcome('suppressed');
    return sifted.clear.length > 0 ? { ...delivery, recipients: sifted.clear } : null;
  }

  async #compose(email: Email, signer: DkimSigner | null, recipients: readonly string[]): Promise<Made> {
    const { compose } = this.#options;
    const isPlain = !needsUtf8(email) && recipients.every(isAsciiText);
    return {
      bytes: await compose(email, signer),
      plain: isPlain ? null : await compose(plainOf(email), signer),
    };
  }

  async #openGate(one: Attempt, contentHash: Uint8Array, reply: EnvelopeReply): Promise<boolean> {
    if (this.#draining) return false;
    const { delivery } = one;
    const { database, clock, random } = this.#options;
    one.gated = await database.write(
      (tx) => {
        const now = clock.now();
        const retryAt = now + retryDelayMs(delivery.tries + 1, random());
        return openGate(tx, delivery, reply, { now, contentHash, retryAt });
      },
      { about: emailName(delivery) },
    );
    return one.gated;
  }
}

function isSuspect({ wordless }: Delivery): boolean {
  return wordless >= aloneAfter;
}

function startingAfter(accounts: string[], last: string): string[] {
  const next = accounts.findIndex((account) => account > last);
  return next <= 0 ? accounts : [...accounts.slice(next), ...accounts.slice(0, next)];
}

/** Same on every attempt, so that a DSN names the delivery it is about (RFC 3461 4.4). */
function envelopeId(delivery: Delivery): string {
  return `${delivery.emailId}.${delivery.part}`;
}

/** `plain`: without addresses beyond ASCII, where there are any. */
type Made = { bytes: Uint8Array; plain: Uint8Array | null };

/** What an earlier attempt may have handed over is all that may leave. Null: it is not what this version makes. */
function boundTo({ boundTo }: Delivery, { bytes, plain }: Made): Made | null {
  if (!boundTo) return { bytes, plain };
  if (sha256(bytes).equals(boundTo)) return { bytes, plain: null };
  return plain && sha256(plain).equals(boundTo) ? { bytes: plain, plain: null } : null;
}

function sha256(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer');
}
