/** What may go wrong on the way between an app and the server, each as often as asked for, and the same again under the same seed. */

/** `lose-requests`: the server never sees it. `lose-answers`: it has done what was asked, and nobody hears. */
export const faultNames = [
  'lose-requests',
  'lose-answers',
  'bad-gateways',
  'cut-answers',
  'repeats',
  'delays',
] as const;

export type FaultName = (typeof faultNames)[number];

/** Shares of all requests, from 0 to 1, that add up to 1 at most. */
export type FaultRates = Record<FaultName, number>;

export type Faults = { next(): FaultName | null };

export function createFaults(rates: FaultRates, seed: number): Faults {
  const random = createRandom(seed);
  return {
    next() {
      let left = random();
      for (const name of faultNames) {
        left -= rates[name];
        if (left < 0) return name;
      }
      return null;
    },
  };
}

/** Mulberry32: from 0 to 1, the same for the same seed. https://gist.github.com/tommyettinger/46a874533244883189143505d203312c */
function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
