/** When a delivery is tried again, and when it is given up. */

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * After the first verdict, the second, and so on. The quick ones get a password reset through a relay that hiccups; from half an
 * hour on we follow RFC 5321 4.5.4.1 ("at least 30 minutes"), and greylisting (usually 5 to 15 minutes) is over by the sixth.
 */
const BACK_OFF_MS = [
  1 * SECOND_MS,
  5 * SECOND_MS,
  30 * SECOND_MS,
  2 * MINUTE_MS,
  10 * MINUTE_MS,
  30 * MINUTE_MS,
] as const;

/** A day of outage is 24 tries, three days are 72: cheap, and mail moves within the hour once the relay is back. */
const BACK_OFF_LATER_MS = HOUR_MS;

/** Mail deferred together does not come back together. */
const JITTER = 0.2;

/** RFC 5321 4.5.4.1 asks for 4 to 5 days at least; a product's mail that is three days late is better reported than sent. */
const GIVE_UP_AFTER_MS = 72 * HOUR_MS;

/**
 * Milliseconds until the next try. `tries` counts the verdicts so far, the latest included: 1 after the first (0 is read as 1).
 * `random01` is in [0, 1).
 */
export function retryDelayMs(tries: number, random01: number): number {
  const delayMs = BACK_OFF_MS[Math.max(tries, 1) - 1] ?? BACK_OFF_LATER_MS;
  return Math.round(delayMs * (1 - JITTER + 2 * JITTER * random01));
}

/** When a delivery that was never settled is bounced, in epoch milliseconds. Time spent on hold is the caller's to add. */
export function expiresAt(acceptedAt: number, scheduledAt: number | null): number {
  return Math.max(acceptedAt, scheduledAt ?? acceptedAt) + GIVE_UP_AFTER_MS;
}
