/** The clock of a running process: advances by the monotonic clock, so that nobody who sets the wall clock can make keys expire. */

import type { Clock } from './core/clock.ts';

export type SystemClock = Clock & {
  /** Compares with the wall clock; to be called about once a second. */
  check(): void;
};

export type SystemClockOptions = {
  /** Epoch milliseconds. */
  wall?: () => number;
  /** Milliseconds since any point, never going back. */
  monotonic?: () => number;
  /** Told once for each jump: by how much the wall clock moved beyond what really passed. */
  onJump?: (deltaMs: number) => void;
};

/** Above what NTP steps and leap seconds do, below what anybody schedules mail or retries keys by. */
const jumpMs = 60_000;

/** How fast `now` closes a gap: a minute of drift is gone in ten, and durations measured meanwhile are at most a tenth off. */
const slew = 0.1;

/**
 * `now` follows a jump forward (a laptop that slept: CLOCK_MONOTONIC stood still) at the next check; after a jump backward it goes on,
 * ahead of the wall clock, and lets it catch up. `expiryNow` follows neither and is never ahead of `now`: keys may live longer,
 * but none is forgotten early.
 */
export function createSystemClock(options: SystemClockOptions = {}): SystemClock {
  const { wall = Date.now, monotonic = () => performance.now(), onJump = () => {} } = options;
  let base = wall();
  let baseMonotonic = monotonic();
  /** What `now` is to make up for from `base` on, either way. */
  let gap = 0;
  /** How far `now` is known to be ahead of the wall clock since it jumped back. */
  let lead = 0;
  /** How far `expiryNow` stays behind `now` since the wall clock jumped forward. */
  let frozen = 0;
  // High-water marks: sums of doubles may differ in the last bit before and after a rebase, enough for `floor` to step back.
  let lastNow = 0;
  let lastExpiryNow = 0;

  function slewedSince(elapsed: number): number {
    const most = elapsed * slew;
    return Math.max(-most, Math.min(most, gap));
  }

  function read(): number {
    const elapsed = monotonic() - baseMonotonic;
    return base + elapsed + slewedSince(elapsed);
  }

  function rebase(): void {
    const reading = monotonic();
    const elapsed = reading - baseMonotonic;
    const slewed = slewedSince(elapsed);
    base += elapsed + slewed;
    baseMonotonic = reading;
    // A jump forward that is taken back thaws as `now` is caught up with: `expiryNow` itself keeps its pace.
    if (lead > 0 && slewed < 0) frozen = Math.max(0, frozen + slewed);
  }

  function check(): void {
    rebase();
    const wallNow = wall();
    const ahead = wallNow - base;
    const jump = ahead + lead;
    const jumped = Math.abs(jump) > jumpMs;
    if (ahead > jumpMs) {
      base += ahead;
      frozen += ahead;
    }
    gap = wallNow - base;
    lead = jumped ? Math.max(0, -gap) : Math.min(lead, Math.max(0, -gap));
    if (jumped) onJump(jump);
  }

  return {
    now: () => {
      lastNow = Math.max(lastNow, Math.floor(read()));
      return lastNow;
    },
    expiryNow: () => {
      lastExpiryNow = Math.max(lastExpiryNow, Math.floor(read() - frozen));
      return lastExpiryNow;
    },
    check,
  };
}
