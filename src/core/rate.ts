/** How much may go to a relay: ceilings for a second, a minute, a day, for all its mail and for each recipient domain. */

/** Longest last. A ceiling holds in any window of its length, wherever it begins. */
export const rateWindows = [
  { name: 'second', ms: 1_000 },
  { name: 'minute', ms: 60_000 },
  { name: 'day', ms: 24 * 60 * 60_000 },
] as const;

export type WindowName = (typeof rateWindows)[number]['name'];

/** `most` may be infinite where a plan ends. */
export type Ceiling = { window: WindowName; ms: number; most: number; warmUp?: WarmUp };

/** What a day may have on each day from the first one on; after the last one the plan says nothing any more. */
export type WarmUp = { from: number; days: readonly number[] };

const dayMs = 24 * 60 * 60_000;

/** What a window that ends now may have. */
export function mostAt({ most, warmUp }: Ceiling, now: number): number {
  if (!warmUp) return most;
  const day = Math.max(0, Math.floor((now - warmUp.from) / dayMs));
  return Math.min(most, warmUp.days[day] ?? Number.POSITIVE_INFINITY);
}

/** `connections`: mails to a domain that are under way at once, in one process. */
export type Rates = {
  own: readonly Ceiling[];
  domain: { ceilings: readonly Ceiling[]; connections: number | null };
};

export const noRates: Rates = { own: [], domain: { ceilings: [], connections: null } };

/** What ceilings are for: all mail of a relay, or what it is given for one domain. Names of relays have neither "@" nor a space. */
export function rateKey(relay: string, domain?: string): string {
  return domain === undefined ? relay : `${relay}@${domain}`;
}

export function relayOfKey(key: string): string {
  const at = key.indexOf('@');
  return at < 0 ? key : key.slice(0, at);
}

/** One window of a key, as rows and metrics call it. */
export function ceilingName(key: string, window: WindowName): string {
  return `${key} ${window}`;
}

/** Each domain once, in lower case. */
export function recipientDomains(recipients: readonly string[]): string[] {
  return [...new Set(recipients.map((one) => one.slice(one.lastIndexOf('@') + 1).toLowerCase()))];
}
