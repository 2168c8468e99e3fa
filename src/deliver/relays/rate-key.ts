/** One key of the rates, a relay or a domain through it: what this process has in hand, what is under way, and what has left. */

import type { Rates } from '../../core/rate.ts';
import { type Granted, liveMs, sliceOf, type Taking } from '../../store/rates.ts';

/** Nothing was taken from what is in hand for so long: others may have it. */
const idleMs = 1_000;

/** Asking more often would bring one place at a time; less often would leave places empty. */
const askEvery = { atLeastMs: 1_000, atMostMs: 5_000, soonestMs: 100 };

export class RateKey {
  readonly name: string;
  #terms: Rates['domain'];
  #inHand = 0;
  #underWay = 0;
  /** Of those the ones that were given no place of a ceiling, since there is none. */
  #unceiled = 0;
  #left = new Map<string, Taking['left'][number]>();
  #wants = 0;
  #usedAt = 0;
  /** What the ledger has of that. */
  #written = 0;
  /** What is in hand, or under way, counts until then at least, for every process. */
  #coveredUntil = 0;
  /** What is wanted and not in hand is known to be used up until then. */
  askAt = 0;

  constructor(name: string, terms: Rates['domain']) {
    this.name = name;
    this.#terms = terms;
  }

  change(terms: Rates['domain']): void {
    this.#terms = terms;
    this.askAt = 0;
    this.giveBack();
  }

  look(now: number, taken: number): 'free' | 'ask' | 'used up' | 'full' {
    const { ceilings, connections } = this.#terms;
    if (ceilings.length > 0 && this.#inHandAt(now) - taken <= 0) return now >= this.askAt ? 'ask' : 'used up';
    return connections !== null && this.#underWay + taken >= connections ? 'full' : 'free';
  }

  room(now: number, upTo: number): number {
    if (this.#terms.ceilings.length === 0 || now >= this.askAt) return upTo;
    return Math.min(upTo, this.#inHandAt(now));
  }

  want(mails: number): void {
    this.#wants += mails;
  }

  wantAtLeast(mails: number): void {
    this.#wants = Math.max(this.#wants, mails);
  }

  get isWanting(): boolean {
    return this.#wants > 0;
  }

  begin(now: number): void {
    this.#underWay += 1;
    this.#usedAt = now;
    if (this.#terms.ceilings.length === 0) this.#unceiled += 1;
    else this.#inHand -= 1;
  }

  /** What has not left may be used by another one. */
  end(isUsed: boolean, now: number): void {
    this.#underWay -= 1;
    if (this.#unceiled > 0) {
      this.#unceiled -= 1;
      return;
    }
    if (!isUsed) {
      this.#inHand += 1;
      return;
    }
    for (const ceiling of this.#terms.ceilings) {
      const { slice, endsAt } = sliceOf(ceiling, now);
      const key = `${ceiling.window} ${slice}`;
      const mails = (this.#left.get(key)?.mails ?? 0) + 1;
      this.#left.set(key, { window: ceiling.window, slice, endsAt, mails });
    }
  }

  giveBack(): void {
    this.#inHand = 0;
    this.#wants = 0;
  }

  isWorthWriting(now: number): boolean {
    if (this.#inHand > 0 && now - this.#usedAt > idleMs) return true;
    return (
      this.#left.size > 0 || this.#written !== this.#live || (this.#live > 0 && now > this.#coveredUntil - liveMs / 2)
    );
  }

  isForgettable(now: number): boolean {
    const isIdle = this.#underWay === 0 && this.#left.size === 0 && this.#wants === 0;
    return isIdle && this.#written === 0 && this.#live === 0 && now >= this.askAt;
  }

  /** What is to be written down now. What lies idle is given back with it. */
  taking(now: number): Taking {
    const isIdle = this.#wants === 0 && now - this.#usedAt > idleMs;
    // What was not said again in time others may have taken.
    if (isIdle || now >= this.#coveredUntil) this.#inHand = 0;
    const { ceilings } = this.#terms;
    return { key: this.name, ceilings, live: this.#live, left: [...this.#left.values()], wants: this.#wants };
  }

  /** It is written. Mails may have left meanwhile: those are still among the living. */
  settle({ live, left, wants }: Taking, { more, usedUp }: Granted, now: number): void {
    for (const { window, slice, mails } of left) {
      const key = `${window} ${slice}`;
      const kept = this.#left.get(key);
      if (!kept) continue;
      if (kept.mails > mails) this.#left.set(key, { ...kept, mails: kept.mails - mails });
      else this.#left.delete(key);
    }
    this.#written = live + more;
    this.#coveredUntil = now + liveMs;
    if (wants === 0) return;
    this.#inHand += more;
    this.#usedAt = now;
    this.#wants = 0;
    this.askAt = usedUp ? nextAsk(usedUp, now) : 0;
  }

  putOff(until: number): void {
    this.#wants = 0;
    this.askAt = until;
  }

  get #live(): number {
    return this.#inHand + this.#underWay - this.#unceiled;
  }

  #inHandAt(now: number): number {
    return now < this.#coveredUntil ? this.#inHand : 0;
  }
}

function nextAsk({ ms, nextAt }: NonNullable<Granted['usedUp']>, now: number): number {
  const { atLeastMs, atMostMs, soonestMs } = askEvery;
  const earliest = now + Math.min(ms / 20, atLeastMs);
  const latest = now + Math.min(Math.max(ms / 10, soonestMs), atMostMs);
  return Math.min(Math.max(nextAt ?? latest, earliest), latest);
}
