/** A clock that tests move: real time, or time from another moment on, plus what was added. */

import type { SystemClock } from '../../src/clock.ts';

export type TestClock = SystemClock & { advance(ms: number): void };

export function createTestClock(startsAt = Date.now()): TestClock {
  let added = startsAt - Date.now();
  const now = () => Date.now() + added;
  return {
    now,
    expiryNow: now,
    check() {},
    advance(ms) {
      added += ms;
    },
  };
}
