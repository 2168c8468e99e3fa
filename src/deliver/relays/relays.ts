/** All relays of this process: which of them a mail may take, and how it moves on from one to the next before its gate. */

import type { Outcome } from '../../core/outcome.ts';
import { isPermanent } from '../../core/outcome.ts';
import { type PassedOver, passOver, type Tried } from '../../core/passed-over.ts';
import { noReply } from '../../core/reply.ts';
import { type Route, type RouteFacts, relaysFor } from '../../core/route.ts';
import type { Gate, Relay, Shipment } from '../relay.ts';
import { type KnownRelay, RelayRecord, type RelayWatch } from './relay-record.ts';

/**
 * What is known of a mail before it is read. `bound`: the relay that may have it already. `failedAt`: the one that failed it last,
 * which is asked after the others: what fails behind its gate cannot move on within its attempt.
 */
export type Mail = RouteFacts & { bound: string | null; failedAt?: string | null };

/** As `Gate`, for the relay this attempt has come to. */
export type TriedGate = (
  reply: Parameters<Gate>[0],
  isPlain: boolean | undefined,
  by: { tried: Tried; repeatsForMs: number | undefined },
) => Promise<boolean>;

/**
 * `waitsFor`: relays one of which would have to be back; null where waiting for one would change nothing. `isUntried`: none of
 * them was open.
 */
export type Shipped = { outcome: Outcome; tried: Tried; waitsFor: string | null; isUntried: boolean };

/** What is to be done with a mail that is due. */
export type Admission = { heading: string | null } | { waitsFor: string };

export type RelaysSetting = {
  known: readonly KnownRelay[];
  routes: readonly Route[];
  /** False: there is one, every mail is its own, and nothing is looked up. */
  isRouted: boolean;
};

export class Relays {
  readonly #watch: RelayWatch;
  #records = new Map<string, RelayRecord>();
  #routes: readonly Route[] = [];
  #isRouted = false;
  /** Left the settings, and still at work. */
  readonly #retiring = new Set<Promise<void>>();

  constructor(setting: RelaysSetting, watch: RelayWatch) {
    this.#watch = watch;
    this.change(setting);
  }

  /** Those whose terms are what they were stay as they are, sessions and all. */
  change({ known, routes, isRouted }: RelaysSetting): void {
    const before = this.#records;
    this.#records = new Map(known.map((one) => [one.name, this.#kept(before.get(one.name), one)]));
    this.#routes = routes;
    this.#isRouted = isRouted;
    const kept = new Set(this.#records.values());
    for (const record of before.values()) {
      if (kept.has(record)) continue;
      const gone = record.retire().finally(() => this.#retiring.delete(gone));
      this.#retiring.add(gone);
    }
  }

  get isRouted(): boolean {
    return this.#isRouted;
  }

  get records(): readonly RelayRecord[] {
    return [...this.#records.values()];
  }

  get name(): string {
    return [...this.#records.values()].map(({ relay, name }) => (this.#isRouted ? name : relay.name)).join(', ');
  }

  /** Attempts it is worth having under way at once. Where mails have routes, those for each relay are counted beside. */
  get concurrency(): number {
    const all = this.records.reduce((sum, { relay }) => sum + relay.concurrency, 0);
    return this.#isRouted ? all * 2 : all;
  }

  /** Relays that some mail would take now, and that have room for it. */
  get hasRoom(): boolean {
    return this.#ways().some((way) => way.find(({ isOpen }) => isOpen)?.hasRoom);
  }

  /** Places that mail could take now, at relays that are the first open one of some way. */
  get room(): number {
    const next = new Set(this.#ways().flatMap((way) => way.find(({ isOpen }) => isOpen) ?? []));
    return [...next].reduce((sum, { free }) => sum + Math.max(0, free), 0);
  }

  /** Some relay knows requests by a key. */
  get hasKeys(): boolean {
    return this.records.some(({ relay }) => relay.repeat !== undefined);
  }

  find(name: string): RelayRecord | null {
    return this.#records.get(name) ?? null;
  }

  /** Null: the relay that may have it is not there any more. */
  wayOf(mail: Mail): RelayRecord[] | null {
    if (!this.#isRouted) return this.records.slice();
    if (mail.bound !== null) {
      const bound = this.find(mail.bound);
      return bound && [bound];
    }
    const names = relaysFor(this.#routes, [...this.#records.keys()], mail);
    const last = names.filter((name) => name === mail.failedAt);
    return this.#recordsOf(last.length === 0 ? names : [...names.filter((name) => name !== mail.failedAt), ...last]);
  }

  /** One claim's view: what it takes is counted in `taken` until it is known to have committed. */
  admit(mail: Mail, taken: Map<string, number>): Admission {
    const way = this.wayOf(mail);
    // It is taken, and held: that is said by its attempt.
    if (!way) return { heading: null };
    const next = way.find(({ isOpen }) => isOpen);
    if (!next) return { waitsFor: waitingFor(way) };
    const already = taken.get(next.name) ?? 0;
    if (next.free - already <= 0) return { waitsFor: next.name };
    taken.set(next.name, already + 1);
    return { heading: next.name };
  }

  /** Of the values that are waited for, those that one of its relays is open for, with room, now. */
  isOpenFor(waitsFor: string, taken: ReadonlyMap<string, number>): boolean {
    return waitsFor.split(' ').some((name) => {
      const record = this.find(name);
      return record?.isOpen && record.free - (taken.get(name) ?? 0) > 0;
    });
  }

  /** What waits for this waits in vain: none of its relays is there. */
  isUnknown(waitsFor: string): boolean {
    return waitsFor.split(' ').every((name) => !this.#records.has(name));
  }

  /** Tries the relays of the way in their order until one of them decides, or has asked for the gate. */
  async ship(way: readonly RelayRecord[], shipment: Shipment, gate: TriedGate): Promise<Shipped> {
    const passedOver: PassedOver[] = [];
    let last: Shipped | null = null;
    let isWaiting = true;
    for (const record of way) {
      if (!record.isOpen && (this.#isRouted || record.state === 'paused')) {
        passedOver.push(passOver(record.name, record.reason));
        continue;
      }
      if (last) passedOver.push(passOver(last.tried.relay ?? '', wordsOf(last.outcome)));
      const tried: Tried = { relay: record.name, passedOver: [...passedOver] };
      let wasAsked = false;
      const outcome = await record.ship(shipment, (reply, isPlain) => {
        wasAsked = true;
        return gate(reply, isPlain, { tried, repeatsForMs: record.relay.repeatsForMs });
      });
      isWaiting &&= outcome.phase === 'unreached' && outcome.isAway === true;
      last = { outcome, tried, waitsFor: null, isUntried: false };
      if (way.length === 1) last = { ...last, outcome: nowhereElse(outcome, { wasAsked, to: shipment.envelope.to }) };
      if (wasAsked || !movesOn(outcome)) return last;
    }
    const waitsFor = isWaiting ? waitingFor(way) : null;
    return last ? { ...last, waitsFor } : untried(passedOver, waitsFor);
  }

  async close(): Promise<void> {
    await Promise.all([...this.records.map((record) => record.close()), ...this.#retiring]);
  }

  #kept(before: RelayRecord | undefined, known: KnownRelay): RelayRecord {
    return before?.terms === known.terms ? before : new RelayRecord(known, this.#watch);
  }

  #ways(): RelayRecord[][] {
    return [...this.#routes.map(({ relays }) => this.#recordsOf(relays)), this.records.slice()];
  }

  #recordsOf(names: readonly string[]): RelayRecord[] {
    return names.flatMap((name) => this.find(name) ?? []);
  }
}

/** Everything goes to this one. */
export function onlyRelay(relay: Relay, secrets: readonly string[] = []): RelaysSetting {
  return { known: [{ name: relay.name, terms: relay.name, secrets, open: () => relay }], routes: [], isRouted: false };
}

/** What only this relay will not take bounces where there is no other one. */
function nowhereElse(outcome: Outcome, { wasAsked, to }: { wasAsked: boolean; to: readonly string[] }): Outcome {
  if (outcome.phase !== 'unreached' || !outcome.isOnlyHere) return outcome;
  const reply = { text: outcome.reply.text, said: { class: 'permanent' as const, code: null, enhanced: null } };
  if (wasAsked) return { phase: 'verdict', reply };
  return { phase: 'refused', refused: to.map((address) => ({ address, reply })), isOneReply: true };
}

/** Nothing was decided that another relay could not decide otherwise, and no gate was asked. */
function movesOn(outcome: Outcome): boolean {
  if (outcome.phase === 'unreached') return true;
  return outcome.phase === 'refused' && !outcome.refused.some(isPermanent);
}

function waitingFor(way: readonly RelayRecord[]): string {
  return way.map(({ name }) => name).join(' ');
}

function untried(passedOver: PassedOver[], waitsFor: string | null): Shipped {
  const reasons = passedOver.map(({ relay, reason }) => `${relay}: ${reason}`).join(' ');
  const outcome = { phase: 'unreached' as const, reply: noReply(`None of its relays is open. ${reasons}`) };
  return { outcome, tried: { relay: null, passedOver }, waitsFor, isUntried: true };
}

function wordsOf(outcome: Outcome): string {
  if (outcome.phase === 'unreached') return outcome.reply.text;
  return outcome.phase === 'refused' ? (outcome.refused[0]?.reply.text ?? '') : '';
}
