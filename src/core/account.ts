/** Accounts as an operator names them, and the sender domains that are given to them. */

import { domainToASCII } from 'node:url';

/** The account of whoever does not make others, and of whoever runs the server. */
export const firstAccount = 'default';

export const accountNameRule =
  'must be 1 to 63 lower-case letters, digits, "-" or "_", and begin with a letter or a digit';

export function isAccountName(text: string): boolean {
  return /^[a-z0-9][a-z0-9_-]{0,62}$/.test(text);
}

/** Any domain that no other account was given. */
export const anyDomain = '*';

export const grantRule = 'must be a domain (acme.com), *.acme.com for those below it, or * for any';

/** What an account is given, in lower case and ASCII; null where it is none of `grantRule`. */
export function parseGrant(text: string): string | null {
  if (text === anyDomain) return text;
  const [, below = '', written = ''] = /^(\*\.)?([^*]+)$/.exec(text) ?? [];
  const domain = domainToASCII(written).toLowerCase();
  const isDomain =
    domain.length <= 253 && domain.split('.').every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
  return isDomain ? below + domain : null;
}

/** The grants that would let somebody send from a domain, the closest first. */
export function grantsFor(domain: string): [string, ...string[]] {
  const name = domain.toLowerCase();
  const labels = name.split('.');
  const above = labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join('.')}`);
  return [name, ...above, anyDomain];
}

export type Limits = {
  requestsPerSecond: number | null;
  /** Accepted ones, from midnight to midnight in UTC. */
  emailsPerDay: number | null;
  /** Of bodies and files that have not been purged. */
  storedBytesMax: number | null;
};
