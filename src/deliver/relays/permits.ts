/** What this process may still give to each relay, and to each domain through it: taken in portions from what all share, and used one by one. */

import type { Clock } from '../../core/clock.ts';
import { noRates, type Rates, rateKey, relayOfKey } from '../../core/rate.ts';
import type { Granted, Taking } from '../../store/rates.ts';
import { DomainRests } from './domain-rests.ts';
import { RateKey } from './rate-key.ts';

export type PermitsOptions = {
  clock: Pick<Clock, 'now'>;
  /** Writes down what was used, and takes more (`store/rates.ts`); answers in the order of what is asked. */
  take: (takings: readonly Taking[]) => Promise<Granted[]>;
  /** There may be more now: it is worth claiming again. */
  onMore: () => void;
  onFailure: (error: unknown) => void;
};

/**
 * `ask`: not known; it is asked before the next claim. `used up`: by its `key`. `resting`: the domain has put off what came before.
 * `full`: as much as is allowed is under way.
 */
export type Leave = 'free' | 'ask' | { is: 'used up' | 'resting' | 'full'; key: string };

/** One mail's place in every ceiling it falls under, until it is known whether it has left. */
export type Hold = { relay: string; end(isUsed: boolean): void };

/** How often what was used is written down, and what lies idle given back. */
const tickMs = 500;

/** What failed to be written is tried again after so long. */
const failedMs = 1_000;

export class Permits {
  readonly #options: PermitsOptions;
  readonly #keys = new Map<string, RateKey>();
  readonly #rests = new DomainRests();
  #rates: ReadonlyMap<string, Rates> = new Map();
  #tick: NodeJS.Timeout | null = null;
  #alarm: NodeJS.Timeout | null = null;
  #working: Promise<unknown> = Promise.resolve();

  constructor(options: PermitsOptions) {
    this.#options = options;
  }

  /** By relay; one without rates may be left out. What is under way is still counted as it was. */
  change(rates: ReadonlyMap<string, Rates>): void {
    this.#rates = rates;
    for (const key of this.#keys.values()) key.change(this.#termsOf(key.name));
  }

  start(): void {
    this.#tick = setInterval(() => void this.#sync((key, now) => key.isWorthWriting(now)), tickMs);
  }

  async stop(): Promise<void> {
    if (this.#tick) clearInterval(this.#tick);
    if (this.#alarm) clearTimeout(this.#alarm);
    this.#rates = new Map();
    for (const key of this.#keys.values()) key.giveBack();
    await this.#sync(() => true);
  }

  /** Whether a mail may go now. `taken`: what the claim that asks has given away. */
  look(relay: string, domains: readonly string[], taken: ReadonlyMap<string, number>): Leave {
    const now = this.#options.clock.now();
    const resting = this.#restingOf(relay, domains, taken, now);
    if (resting !== undefined) return { is: 'resting', key: resting };
    const keys = this.#keysOf(relay, domains);
    const seen = keys.map((key) => ({ key, is: key.look(now, taken.get(key.name) ?? 0) }));
    const usedUp = seen.find(({ is }) => is === 'used up');
    if (usedUp) return { is: 'used up', key: usedUp.key.name };
    const unknown = seen.filter(({ is }) => is === 'ask');
    for (const { key } of unknown) key.want(1);
    if (unknown.length > 0) return 'ask';
    const full = seen.find(({ is }) => is === 'full');
    return full ? { is: 'full', key: full.key.name } : 'free';
  }

  /** How many mails may go to a relay now, as far as is known; of what is not known, `upTo`. */
  roomFor(relay: string, upTo: number): number {
    const key = this.#find(rateKey(relay));
    return key ? key.room(this.#options.clock.now(), upTo) : upTo;
  }

  /** Whether what waits for this key may go; what is not known is asked before the next claim. */
  isFree(name: string, taken: ReadonlyMap<string, number>, wanted: number): boolean {
    const now = this.#options.clock.now();
    if (this.#rests.isResting(name, now, taken.get(name) ?? 0)) return false;
    const key = this.#find(name);
    if (!key) return true;
    const is = key.look(now, taken.get(name) ?? 0);
    if (is === 'ask') key.wantAtLeast(wanted);
    return is === 'free';
  }

  /** Null: there is none. */
  hold(relay: string, domains: readonly string[]): Hold | null {
    const keys = this.#keysOf(relay, domains);
    const now = this.#options.clock.now();
    if (this.#restingOf(relay, domains, new Map(), now) !== undefined) return null;
    if (keys.some((key) => key.look(now, 0) !== 'free')) return null;
    for (const key of keys) key.begin(now);
    const rests = domains.map((domain) => rateKey(relay, domain));
    for (const one of rests) this.#rests.begin(one);
    let isOver = false;
    return {
      relay,
      end: (isUsed) => {
        if (isOver) return;
        isOver = true;
        for (const key of keys) key.end(isUsed, this.#options.clock.now());
        for (const one of rests) this.#rests.end(one);
      },
    };
  }

  /** What domains made of one mail, as `signsOf` tells it. */
  learn(relay: string, signs: ReadonlyMap<string, boolean>): void {
    const now = this.#options.clock.now();
    for (const [domain, isPutOff] of signs) this.#rests.learn(rateKey(relay, domain), isPutOff, now);
    if ([...signs.values()].includes(true)) this.#setAlarm(now);
  }

  /** Takes what was found wanting. True: there is more than there was. */
  refill(): Promise<boolean> {
    return this.#sync((key) => key.isWanting);
  }

  #restingOf(
    relay: string,
    domains: readonly string[],
    taken: ReadonlyMap<string, number>,
    now: number,
  ): string | undefined {
    const keys = domains.map((domain) => rateKey(relay, domain));
    return keys.find((key) => this.#rests.isResting(key, now, taken.get(key) ?? 0));
  }

  #keysOf(relay: string, domains: readonly string[]): RateKey[] {
    const { own, domain } = this.#rates.get(relay) ?? noRates;
    const keys = own.length > 0 ? [this.#find(rateKey(relay))] : [];
    if (domain.ceilings.length > 0 || domain.connections !== null) {
      keys.push(...domains.map((one) => this.#find(rateKey(relay, one))));
    }
    return keys.filter((key) => key !== null);
  }

  /** Null: nothing is said of it. */
  #find(name: string): RateKey | null {
    const known = this.#keys.get(name);
    if (known) return known;
    const terms = this.#termsOf(name);
    if (terms.ceilings.length === 0 && terms.connections === null) return null;
    const key = new RateKey(name, terms);
    this.#keys.set(name, key);
    return key;
  }

  #termsOf(name: string): Rates['domain'] {
    const relay = relayOfKey(name);
    const { own, domain } = this.#rates.get(relay) ?? noRates;
    return relay === name ? { ceilings: own, connections: null } : domain;
  }

  /** One after the other: what is under way is not known yet. */
  #sync(isMeant: (key: RateKey, now: number) => boolean): Promise<boolean> {
    const done = this.#working.then(() => this.#syncNow(isMeant));
    this.#working = done;
    return done;
  }

  async #syncNow(isMeant: (key: RateKey, now: number) => boolean): Promise<boolean> {
    const { clock, take, onFailure } = this.#options;
    const now = clock.now();
    for (const key of this.#keys.values()) if (key.isForgettable(now)) this.#keys.delete(key.name);
    // In one order, so that two processes never wait for each other.
    const keys = [...this.#keys.values()].filter((key) => isMeant(key, now)).sort((a, b) => (a.name < b.name ? -1 : 1));
    if (keys.length === 0) return false;
    const takings = keys.map((key) => key.taking(now));
    try {
      const granted = await take(takings);
      for (const [index, key] of keys.entries()) key.settle(takings[index] as Taking, granted[index] as Granted, now);
      return granted.some(({ more }) => more > 0);
    } catch (error) {
      for (const key of keys) key.putOff(now + failedMs);
      onFailure(error);
      return false;
    } finally {
      this.#setAlarm(now);
    }
  }

  /** As soon as one that was wanted in vain may be asked for again. */
  #setAlarm(now: number): void {
    if (this.#alarm) clearTimeout(this.#alarm);
    const asked = [...this.#keys.values()].map(({ askAt }) => askAt).filter((at) => at > now);
    const next = Math.min(this.#rests.nextAfter(now), ...asked);
    if (!Number.isFinite(next)) return;
    this.#alarm = setTimeout(() => {
      this.#setAlarm(this.#options.clock.now());
      this.#options.onMore();
    }, next - now);
    this.#alarm.unref();
  }
}
