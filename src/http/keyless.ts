/** Sends without an idempotency key: counted by client and account, and those that look like retries are told what would have protected them. */

import { createHash } from 'node:crypto';
import type { SendRequest } from '../use-cases/submission.ts';

export type KeylessOptions = {
  /** Epoch milliseconds. */
  now: () => number;
  /** Told of each, with the name of its client. */
  onKeyless: (client: string) => void;
};

export type Keyless = {
  /** A sentence, where the account has sent the same bytes to the same endpoint within a minute; null, also where there is a key. */
  warn(request: Pick<SendRequest, 'account' | 'endpoint' | 'key' | 'body' | 'client'>): string | null;
  /** Requests of an account since this process began, those with most keyless ones first. */
  counted(account: string): ClientCount[];
};

export type ClientCount = { client: string; keyless: number; keyed: number };

/** In which a retry comes, and hardly ever a second mail that is meant to be the same. */
const retryMs = 60_000;

/** The latest of all accounts: 1 MB of memory at most. */
const rememberedMax = 10_000;

/** Accounts whose clients are counted: a few MB at most, with fifty names each. */
const accountsMax = 1_000;

/** Names of clients come from senders, and metrics keep them all. */
const clientsMax = 50;

export function createKeyless({ now, onKeyless }: KeylessOptions): Keyless {
  /** The oldest first. */
  const seen = new Map<string, number>();
  const clients = new Set<string>();

  function nameOf(client: string | null): string {
    const name = /^[A-Za-z][\w.@-]{0,39}/.exec(client ?? '')?.[0] ?? 'unknown';
    if (clients.has(name)) return name;
    if (clients.size >= clientsMax) return 'other';
    clients.add(name);
    return name;
  }

  const counts = new Map<string, Map<string, ClientCount>>();

  function count(account: string, client: string, isKeyless: boolean): void {
    if (counts.size >= accountsMax && !counts.has(account)) return;
    const known = counts.get(account) ?? new Map<string, ClientCount>();
    if (known.size === 0) counts.set(account, known);
    const one = known.get(client) ?? { client, keyless: 0, keyed: 0 };
    if (one.keyless + one.keyed === 0) known.set(client, one);
    if (isKeyless) one.keyless += 1;
    else one.keyed += 1;
  }

  function forget(at: number): void {
    for (const [name, before] of seen) {
      if (seen.size <= rememberedMax && before > at - retryMs) return;
      seen.delete(name);
    }
  }

  return {
    warn({ account, endpoint, key, body, client }) {
      const from = nameOf(client);
      count(account, from, key === null);
      if (key !== null) return null;
      onKeyless(from);
      const at = now();
      const name = `${account} ${endpoint.name} ${createHash('sha256').update(body).digest('base64')}`;
      const before = seen.get(name);
      seen.delete(name);
      seen.set(name, at);
      forget(at);
      if (before === undefined || before <= at - retryMs) return null;
      return 'The same request came a moment ago, and neither has an idempotency key: if this is a retry, it is another email. A key makes a retry safe.';
    },

    counted: (account) => [...(counts.get(account)?.values() ?? [])].sort((one, other) => other.keyless - one.keyless),
  };
}
