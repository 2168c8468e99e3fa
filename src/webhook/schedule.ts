/** When a webhook is tried again, and when it is given up (docs/resend.md, webhooks). */

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

/** After the first failure, the second, and so on: Resend's documented schedule, eight attempts in 27 and a half hours. */
const backOffMs = [5 * second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 10 * hour] as const;

/** An endpoint that failed for this long without one success is disabled: what Svix, who tells Resend's, waits. */
export const patienceMs = 5 * 24 * hour;

/** `tries` counts the failures before this one. Null: that was the last attempt. */
export function webhookRetryAt(tries: number, now: number): number | null {
  const delayMs = backOffMs[tries];
  return delayMs === undefined ? null : now + delayMs;
}
