/** When a delivery is tried again, and when it is given up. */

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/**
 * After the first verdict, the second, and so on. The quick ones get a password reset through a relay that hiccups; from half an
 * hour on we follow RFC 5321 4.5.4.1 ("at least 30 minutes"), and greylisting (usually 5 to 15 minutes) is over by the sixth.
 */
const backOffMs = [1 * secondMs, 5 * secondMs, 30 * secondMs, 2 * minuteMs, 10 * minuteMs, 30 * minuteMs] as const;

/** A day of outage is 24 tries, three days are 72: cheap, and mail moves within the hour once the relay is back. */
const backOffLaterMs = hourMs;

/** Mail deferred together does not come back together. */
const jitter = 0.2;

/** RFC 5321 4.5.4.1 asks for 4 to 5 days at least; a product's mail that is three days late is better reported than sent. */
const giveUpAfterMs = 72 * hourMs;

/**
 * Milliseconds until the next try. `tries` counts the verdicts so far, the latest included: 1 after the first (0 is read as 1).
 * `random01` is in [0, 1).
 */
export function retryDelayMs(tries: number, random01: number): number {
  const delayMs = backOffMs[Math.max(tries, 1) - 1] ?? backOffLaterMs;
  return Math.round(delayMs * (1 - jitter + 2 * jitter * random01));
}

/** When a delivery that was never settled is bounced, in epoch milliseconds. Time spent on hold is the caller's to add. */
export function expiresAt(acceptedAt: number, scheduledAt: number | null): number {
  return Math.max(acceptedAt, scheduledAt ?? acceptedAt) + giveUpAfterMs;
}
