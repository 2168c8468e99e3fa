/** Slows down who tries keys: a few wrong ones are forgiven, then an address, or a key's beginning, has one look at a time. */

import { AppError } from '../core/error.ts';
import { hashToken } from '../core/token.ts';
import { networkOf } from '../egress/address.ts';

export type GuessLimits = {
  wrongKeysFree: number;
  wrongKeysWindowMs: number;
  /** Between two looks at keys, once those are used up. */
  wrongKeyEveryMs: number;
  /** How long a key waits for its look; who would have to wait longer is told to come back. */
  wrongKeyWaitMs: number;
};

export type GuessesOptions = {
  limits: GuessLimits;
  /** Told of each wrong key; `isFirst` where it used up what is forgiven. */
  onWrong: (from: { address: string; isFirst: boolean }) => void;
  onTurnedAway: () => void;
};

/** What is remembered of each kind: beyond it the oldest is forgotten. */
const rememberedMax = 10_000;
/** Of a key: enough to tell the keys of one deployment apart, too little to find one by. */
const prefixChars = 8;

type Count = { tries: number; until: number; nextAt: number };

export class Guesses {
  readonly #options: GuessesOptions;
  readonly #byAddress = new Map<string, Count>();
  readonly #byPrefix = new Map<string, Count>();
  /** Right keys, each with an address it came from: they wait for nobody's guesses. */
  readonly #proven = new Map<string, true>();

  constructor(options: GuessesOptions) {
    this.#options = options;
  }

  /** Resolves when the key may be looked at. @throws AppError `wrong_keys` where too many wrong ones came before it. */
  async admit(address: string, token: string): Promise<void> {
    const counts = this.#countsOf(address, token).filter((count) => this.#isUsedUp(count));
    if (counts.length === 0 || this.#proven.has(pairOf(address, token))) return;
    const now = performance.now();
    const at = Math.max(now, ...counts.map(({ nextAt }) => nextAt));
    if (at - now > this.#options.limits.wrongKeyWaitMs) {
      this.#options.onTurnedAway();
      throw tooMany((at - now) / 1_000);
    }
    for (const count of counts) count.nextAt = at + this.#options.limits.wrongKeyEveryMs;
    if (at > now) await new Promise((resolve) => setTimeout(resolve, at - now));
  }

  failed(address: string, token: string): void {
    const { wrongKeysFree, wrongKeysWindowMs } = this.#options.limits;
    let isFirst = false;
    for (const [map, name] of this.#placesOf(address, token)) {
      const now = performance.now();
      const known = map.get(name);
      const count = known && known.until > now ? known : { tries: 0, until: 0, nextAt: now };
      count.tries += 1;
      count.until = now + wrongKeysWindowMs;
      isFirst ||= count.tries === wrongKeysFree;
      remember(map, name, count);
    }
    this.#options.onWrong({ address, isFirst });
  }

  succeeded(address: string, token: string): void {
    remember(this.#proven, pairOf(address, token), true);
  }

  #countsOf(address: string, token: string): Count[] {
    return this.#placesOf(address, token).flatMap(([map, name]) => map.get(name) ?? []);
  }

  #placesOf(address: string, token: string): [Map<string, Count>, string][] {
    return [
      [this.#byAddress, networkOf(address)],
      [this.#byPrefix, token.slice(0, prefixChars)],
    ];
  }

  #isUsedUp({ tries, until }: Count): boolean {
    return tries >= this.#options.limits.wrongKeysFree && until > performance.now();
  }
}

/** No key is kept, only its hash. */
function pairOf(address: string, token: string): string {
  return `${address} ${Buffer.from(hashToken(token)).toString('base64')}`;
}

function remember<V>(map: Map<string, V>, name: string, value: V): void {
  map.delete(name);
  map.set(name, value);
  if (map.size <= rememberedMax) return;
  const oldest = map.keys().next();
  if (!oldest.done) map.delete(oldest.value);
}

function tooMany(seconds: number): AppError {
  const message = 'Too many wrong API keys came from this address, or began like this one. Try again in a moment.';
  return new AppError('wrong_keys', message, { retryAfterSeconds: seconds });
}
