/** Requests per second and account, in strict one-second windows as Resend counts them. */

import { AppError } from '../core/error.ts';

/** Null where there is no limit. */
export type RateLimit = (account: string) => Record<string, string> | null;

/** @returns the `ratelimit-*` headers (plain integers: .NET throws on anything else), or throws `rate_limited`. */
export function createRateLimit(perSecond: number | null): RateLimit {
  if (perSecond === null) return () => null;
  let window = 0;
  let used = new Map<string, number>();
  return (account) => {
    const second = Math.floor(performance.now() / 1_000);
    if (second !== window) {
      window = second;
      used = new Map();
    }
    const count = (used.get(account) ?? 0) + 1;
    used.set(account, count);
    const headers = {
      'ratelimit-limit': String(perSecond),
      'ratelimit-policy': `${perSecond};w=1`,
      'ratelimit-remaining': String(Math.max(0, perSecond - count)),
      'ratelimit-reset': '1',
    };
    if (count > perSecond) throw new RateLimited(perSecond, headers);
    return headers;
  };
}

export class RateLimited extends AppError {
  readonly headers: Record<string, string>;

  constructor(perSecond: number, headers: Record<string, string>) {
    super(
      'rate_limited',
      `Too many requests. You can only make ${perSecond} requests per second. See rate limit response headers for more information. Or contact support to increase rate limit.`,
      { retryAfterSeconds: 1 },
    );
    this.headers = headers;
  }
}
