/** Slows down who tries keys: a few wrong ones are forgiven, then the address has to wait. */

export type Throttle = {
  /** Seconds to wait before another try from there is looked at; 0: now. */
  waitSeconds(address: string): number;
  failed(address: string): void;
  succeeded(address: string): void;
};

/** A person who pastes the wrong thing, twice. */
const freeTries = 5;
const waitMs = 30_000;
/** Addresses remembered: beyond it the oldest are forgotten, whoever has so many needs no forgiveness. */
const addressesMax = 10_000;

export function createThrottle(now: () => number): Throttle {
  const known = new Map<string, { tries: number; until: number }>();
  return {
    waitSeconds(address) {
      const one = known.get(address);
      if (!one || one.tries < freeTries) return 0;
      return Math.max(0, Math.ceil((one.until - now()) / 1_000));
    },
    failed(address) {
      const one = known.get(address);
      const tries = one && one.until > now() - waitMs ? one.tries + 1 : 1;
      known.delete(address);
      known.set(address, { tries, until: now() + waitMs });
      const oldest = known.keys().next();
      if (known.size > addressesMax && !oldest.done) known.delete(oldest.value);
    },
    succeeded(address) {
      known.delete(address);
    },
  };
}
