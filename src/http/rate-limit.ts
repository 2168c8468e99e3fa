/** Requests per second and account, in strict one-second windows as Resend counts them; each facade writes it in its own headers. */

import { AppError } from '../core/error.ts';

export type RateState = { limit: number; remaining: number; resetSeconds: number };

/** `own` is the account's, instead of the one for all. Null where there is no limit. @throws RateLimited */
export type RateLimit = (account: string, own: number | null) => RateState | null;

export function createRateLimit(forAll: number | null): RateLimit {
  let window = 0;
  let used = new Map<string, number>();
  return (account, own) => {
    const perSecond = own ?? forAll;
    if (perSecond === null) return null;
    const second = Math.floor(performance.now() / 1_000);
    if (second !== window) {
      window = second;
      used = new Map();
    }
    const count = (used.get(account) ?? 0) + 1;
    used.set(account, count);
    const state = { limit: perSecond, remaining: Math.max(0, perSecond - count), resetSeconds: 1 };
    if (count > perSecond) throw new RateLimited(state);
    return state;
  };
}

export class RateLimited extends AppError {
  readonly state: RateState;

  constructor(state: RateState) {
    super(
      'rate_limited',
      `Too many requests. You can only make ${state.limit} requests per second. See rate limit response headers for more information. Or contact support to increase rate limit.`,
      { retryAfterSeconds: state.resetSeconds },
    );
    this.state = state;
  }
}
