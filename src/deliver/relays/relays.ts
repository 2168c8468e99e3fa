/** All relays of this process: which of them a mail may take, and what it waits for where it may take none. */

import type { PassedOver } from '../../core/passed-over.ts';
import { type Rates, rateKey, recipientDomains, relayOfKey } from '../../core/rate.ts';
import { type Route, type RouteFacts, relaysFor } from '../../core/route.ts';
import { envelopeId, type Relay, type Shipment } from '../relay.ts';
import { type NoPlace, type Shipped, shipAlong, type TriedGate } from './along.ts';
import type { Hold, Leave, Permits } from './permits.ts';
import { type KnownRelay, RelayRecord, type RelayWatch } from './relay-record.ts';

/**
 * What is known of a mail before it is read. `bound`: the relay that may have it already. `failedAt`: the one that failed it last,
 * which is asked after the others: what fails behind its gate cannot move on within its attempt.
 */
export type Mail = RouteFacts & {
  bound: string | null;
  failedAt?: string | null;
  /** Relays that will never take it. */
  never?: readonly PassedOver[];
};

/** The same where it is to be found a place. */
export type MailToAdmit = Mail & { recipients: readonly string[] };

/**
 * What is to be done with a mail that is due. `isLong`: only rates hold it back, and no relay's return is waited for. `later`: it stays as
 * it is, since something is to be asked first.
 */
export type Admission = { heading: string | null } | { waitsFor: string; isLong?: true } | { later: true };

export type RelaysSetting = {
  known: readonly KnownRelay[];
  routes: readonly Route[];
  /** False: there is one, every mail is its own, and nothing is looked up. */
  isRouted: boolean;
  /** By relay, of those that have any. */
  rates?: ReadonlyMap<string, Rates>;
};

export class Relays {
  readonly #watch: RelayWatch;
  readonly #permits: Permits | null;
  /** Places in the rates that claimed mails have, by envelope. */
  readonly #holds = new Map<string, Hold>();
  #records = new Map<string, RelayRecord>();
  #routes: readonly Route[] = [];
  /** Each way that some mail takes, once. */
  #ways: readonly RelayRecord[][] = [];
  #isRouted = false;
  /** Left the settings, and still at work. */
  readonly #retiring = new Set<Promise<void>>();

  constructor(setting: RelaysSetting, watch: RelayWatch, permits: Permits | null = null) {
    this.#watch = watch;
    this.#permits = permits;
    this.change(setting);
  }

  /** Those whose terms are what they were stay as they are, sessions and all. */
  change({ known, routes, isRouted, rates = new Map() }: RelaysSetting): void {
    this.#permits?.change(rates);
    const before = this.#records;
    this.#records = new Map(known.map((one) => [one.name, this.#kept(before.get(one.name), one)]));
    this.#routes = routes;
    this.#ways = this.#waysOf(routes);
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

  /** Mails that all relays together take at once. */
  get sessions(): number {
    return this.records.reduce((sum, { relay }) => sum + relay.concurrency, 0);
  }

  /** Relays that some mail would take now, and that have room for it. */
  get hasRoom(): boolean {
    return this.#ways.some((way) => this.#nextOf(way)?.hasRoom);
  }

  /** Places that mail could take now, at relays that are the first open one of some way. */
  get room(): number {
    const next = new Set(this.#ways.flatMap((way) => this.#nextOf(way) ?? []));
    return [...next].reduce((sum, record) => sum + this.#roomAt(record), 0);
  }

  /** Asks for what the last claim found wanting. True: there is more than there was. */
  async refill(): Promise<boolean> {
    return (await this.#permits?.refill()) ?? false;
  }

  /** A claim that has committed heads for it. */
  reserve({ heading, ...mail }: Claimed): void {
    if (heading === null) return;
    this.find(heading)?.reserve();
    const hold = this.#permits?.hold(heading, recipientDomains(mail.recipients));
    if (hold) this.#holds.set(envelopeId(mail), hold);
  }

  /** It is done with, or was handed back. */
  leave({ heading, ...mail }: Claimed): void {
    if (heading === null) return;
    this.find(heading)?.leave();
    this.#holds.get(envelopeId(mail))?.end(false);
    this.#holds.delete(envelopeId(mail));
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
    const never = new Set(mail.never?.map(({ relay }) => relay));
    const names = relaysFor(this.#routes, [...this.#records.keys()], mail).filter((name) => !never.has(name));
    const last = names.filter((name) => name === mail.failedAt);
    return this.#recordsOf(last.length === 0 ? names : [...names.filter((name) => name !== mail.failedAt), ...last]);
  }

  /** One claim's view: what it takes is counted in `taken` until it is known to have committed. */
  admit(mail: MailToAdmit, taken: Map<string, number>): Admission {
    const way = this.wayOf(mail);
    // It is taken: what becomes of it is said by its attempt.
    if (!way || way.length === 0) return { heading: null };
    const domains = recipientDomains(mail.recipients);
    // Its attempt makes a delivery of each domain, and those are what waits or goes.
    if (isToSplit(way, mail.recipients)) return { heading: null };
    const waits: string[] = [];
    let isLong = true;
    for (const record of way) {
      const leave = record.isOpen ? this.#look(record, domains, taken) : null;
      if (leave === 'free') return takePlace(record, domains, taken);
      if (leave === 'ask') return { later: true };
      if (leave?.is === 'full') return { waitsFor: leave.key };
      waits.push(leave?.key ?? record.name);
      isLong &&= leave?.is === 'used up';
    }
    return { waitsFor: waits.join(' '), ...(isLong ? { isLong } : {}) };
  }

  /** Of the values that are waited for, those that one of its relays is open for, with room, now. */
  isOpenFor(waitsFor: string, taken: ReadonlyMap<string, number>): boolean {
    return waitsFor.split(' ').some((key) => {
      const record = this.find(relayOfKey(key));
      if (!record?.isOpen) return false;
      const free = record.free - (taken.get(record.name) ?? 0);
      if (free <= 0) return false;
      return [...new Set([record.name, key])].every((one) => this.#permits?.isFree(one, taken, free) ?? true);
    });
  }

  /** What waits for this waits in vain: none of its relays is there. */
  isUnknown(waitsFor: string): boolean {
    return waitsFor.split(' ').every((key) => !this.#records.has(relayOfKey(key)));
  }

  /** Tries the relays of the way in their order until one of them decides, or has asked for the gate. */
  ship(
    way: readonly RelayRecord[],
    shipment: Shipment,
    gate: TriedGate,
    never: readonly PassedOver[] = [],
  ): Promise<Shipped> {
    return shipAlong(way, shipment, {
      gate,
      never,
      isRouted: this.#isRouted,
      holdFor: (record) => this.#holdFor(record, shipment),
      learn: (relay, signs) => this.#permits?.learn(relay, signs),
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.records.map((record) => record.close()), ...this.#retiring]);
  }

  /** The first that mail could take, as far as is known before it is looked at. */
  #nextOf(way: readonly RelayRecord[]): RelayRecord | undefined {
    return way.find((record) => record.isOpen && this.#roomAt(record, Number.POSITIVE_INFINITY) > 0);
  }

  #roomAt({ name, free }: RelayRecord, upTo = Math.max(0, free)): number {
    return this.#permits?.roomFor(name, upTo) ?? upTo;
  }

  /** As much as may be under way to a domain is like a relay that has no place: it is waited for. */
  #look(record: RelayRecord, domains: readonly string[], taken: ReadonlyMap<string, number>): Leave {
    const leave = this.#permits?.look(record.name, domains, taken) ?? 'free';
    if (leave !== 'free') return leave;
    const isFull = record.free - (taken.get(record.name) ?? 0) <= 0;
    return isFull ? { is: 'full', key: record.name } : 'free';
  }

  /** The place it was given when it was claimed, or another one where it has come to another relay. */
  #holdFor({ name }: RelayRecord, { envelopeId, envelope }: Shipment): Hold | NoPlace | null {
    if (!this.#permits || !this.#isRouted) return null;
    const held = this.#holds.get(envelopeId);
    if (held?.relay === name) return held;
    const domains = recipientDomains(envelope.to);
    const hold = this.#permits.hold(name, domains);
    if (hold) return hold;
    const leave = this.#permits.look(name, domains, new Map());
    if (typeof leave !== 'object') return { why: 'Its rate is used up.', key: rateKey(name) };
    return { why: whyNot[leave.is], key: leave.key };
  }

  #kept(before: RelayRecord | undefined, known: KnownRelay): RelayRecord {
    return before?.terms === known.terms ? before : new RelayRecord(known, this.#watch);
  }

  #waysOf(routes: readonly Route[]): RelayRecord[][] {
    const lists = [...routes.map(({ relays }) => relays), [...this.#records.keys()]];
    const distinct = new Map(lists.map((names) => [names.join(' '), names]));
    return [...distinct.values()].map((names) => this.#recordsOf(names));
  }

  #recordsOf(names: readonly string[]): RelayRecord[] {
    return names.flatMap((name) => this.find(name) ?? []);
  }
}

/** Everything goes to this one. */
export function onlyRelay(relay: Relay, secrets: readonly string[] = []): RelaysSetting {
  return { known: [{ name: relay.name, terms: relay.name, secrets, open: () => relay }], routes: [], isRouted: false };
}

/** Some relay of its way takes mail for one domain alone. */
export function isToSplit(way: readonly RelayRecord[], recipients: readonly string[]): boolean {
  return way.some(({ relay }) => relay.isByDomain) && recipientDomains(recipients).length > 1;
}

const whyNot = {
  'used up': 'Its rate is used up.',
  resting: 'A domain of the recipients has put off the mails before: it is left alone for a while.',
  full: 'As much as may be is under way to a domain of the recipients.',
};

type Claimed = { heading: string | null; emailId: string; part: number; recipients: readonly string[] };

function takePlace({ name }: RelayRecord, domains: readonly string[], taken: Map<string, number>): Admission {
  for (const key of [name, ...domains.map((domain) => rateKey(name, domain))]) {
    taken.set(key, (taken.get(key) ?? 0) + 1);
  }
  return { heading: name };
}
