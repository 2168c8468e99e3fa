/** A relay that is told how to behave, and a ledger of what it took that outlives the processes which speak to it. */

import type { Outcome } from '../../src/core/outcome.ts';
import type { Gate, Relay, Shipment } from '../../src/deliver/relay.ts';
import { replyOf } from '../support/reply.ts';

/** Where an attempt gets stuck, or what it is told. */
export const relayModes = [
  'prompt',
  'unreachable',
  'refuses the envelope',
  'defers at the dot',
  'hangs before the gate',
  'hangs before the dot',
  'hangs after the dot',
] as const;

export type RelayMode = (typeof relayModes)[number];

/** What the relay's own log says, by email id. */
export class Ledger {
  readonly #copies = new Map<string, number>();
  /** Gates that were asked: only these may end in doubt. */
  readonly asked = new Set<string>();
  /** Emails that were not taken at least once: only these may bounce for their age. */
  readonly putOff = new Set<string>();

  take(email: string): void {
    this.#copies.set(email, this.copies(email) + 1);
  }

  copies(email: string): number {
    return this.#copies.get(email) ?? 0;
  }

  /** Emails taken, and those taken more than once. */
  taken(): string[] {
    return [...this.#copies.keys()];
  }

  duplicates(): string[] {
    return [...this.#copies].filter(([, copies]) => copies > 1).map(([email]) => email);
  }
}

/** One process' view of the relay. After `cut` nothing reaches the ledger through it any more. */
export class ScriptedRelay implements Relay {
  readonly name = 'scripted';
  readonly concurrency = 4;
  readonly #ledger: Ledger;
  #mode: RelayMode;
  #isCut = false;
  #stuck: (() => void)[] = [];

  constructor(ledger: Ledger, mode: RelayMode) {
    this.#ledger = ledger;
    this.#mode = mode;
  }

  get mode(): RelayMode {
    return this.#mode;
  }

  /** Whoever is stuck goes on. */
  behave(mode: RelayMode): void {
    this.#mode = mode;
    for (const goOn of this.#stuck.splice(0)) goOn();
  }

  /** The process at the other end has died: what it had under way ends where it was. */
  cut(): void {
    this.#isCut = true;
    for (const goOn of this.#stuck.splice(0)) goOn();
  }

  async ship({ envelopeId }: Shipment, gate: Gate): Promise<Outcome> {
    const [email = ''] = envelopeId.split('.');
    if (this.#isCut) return nothingMoreHappens();
    const refusal = this.#beforeGate();
    if (refusal) {
      this.#ledger.putOff.add(email);
      return refusal;
    }
    await this.#stickAt('hangs before the gate');
    if (this.#isCut) return nothingMoreHappens();
    this.#ledger.asked.add(email);
    if (!(await gate({ accepted: ['to@example.com'], refused: [] }))) return { phase: 'fenced' };
    await this.#stickAt('hangs before the dot');
    if (this.#isCut) return { phase: 'in_doubt', reason: 'cut before the dot' };
    if (this.#mode === 'defers at the dot') {
      this.#ledger.putOff.add(email);
      return { phase: 'verdict', reply: replyOf('451 4.3.0 later') };
    }
    this.#ledger.take(email);
    await this.#stickAt('hangs after the dot');
    return this.#isCut
      ? { phase: 'in_doubt', reason: 'cut after the dot' }
      : { phase: 'verdict', reply: replyOf('250 2.0.0 taken') };
  }

  async close(): Promise<void> {}

  #beforeGate(): Outcome | null {
    if (this.#mode === 'unreachable') return { phase: 'unreached', reply: replyOf('connection refused') };
    if (this.#mode === 'refuses the envelope') return refusedForNow;
    return null;
  }

  async #stickAt(mode: RelayMode): Promise<void> {
    if (this.#mode === mode && !this.#isCut) await new Promise<void>((resolve) => this.#stuck.push(resolve));
  }
}

const refusedForNow: Outcome = {
  phase: 'refused',
  refused: [{ address: 'to@example.com', reply: replyOf('451 4.7.1 greylisted') }],
  isOneReply: true,
};

function nothingMoreHappens(): Promise<never> {
  return new Promise(() => {});
}
