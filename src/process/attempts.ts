/** Work that is done again and again, and may fail each time: what fails the same way is said whole once, then once a minute in a line. */

import { log } from '../log.ts';

const sayAgainMs = 60_000;

type Failing = { text: string; saidAt: number; times: number };

/** Never throws. */
export type Attempt = (chore: string, work: () => Promise<unknown>) => Promise<void>;

export function createAttempts(): Attempt {
  const failing = new Map<string, Failing>();

  function failed(chore: string, error: unknown): void {
    const text = String(error);
    const last = failing.get(chore);
    if (last?.text !== text) {
      failing.set(chore, { text, saidAt: performance.now(), times: 0 });
      log.choreFailed(chore, error);
      return;
    }
    last.times += 1;
    if (performance.now() - last.saidAt < sayAgainMs) return;
    log.choreFailsOn(chore, text, last.times);
    failing.set(chore, { text, saidAt: performance.now(), times: 0 });
  }

  return async (chore, work) => {
    try {
      await work();
      failing.delete(chore);
    } catch (error) {
      failed(chore, error);
    }
  };
}
