/** A clock that tests move: real time plus what was added. */

import type { SystemClock } from '../../src/clock.ts';

export type TestClock = SystemClock & { advance(ms: number): void };

export function createTestClock(): TestClock {
  let added = 0;
  const now = () => Date.now() + added;
  return {
    now,
    expiryNow: now,
    check() {},
    confirm() {},
    advance(ms) {
      added += ms;
    },
  };
}
