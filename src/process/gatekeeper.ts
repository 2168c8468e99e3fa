/** Who may come in over the API, and how much at once. */

import type { Config } from '../config/config.ts';
import type { Room } from '../core/room.ts';
import { createAuth, type KeyCheck } from '../http/auth.ts';
import { Bodies } from '../http/bodies.ts';
import type { Gatekeeper } from '../http/call.ts';
import { type ClientAddress, createClientAddress } from '../http/client-address.ts';
import { Guesses } from '../http/guesses.ts';
import { createRateLimit } from '../http/rate-limit.ts';
import { log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { DatabaseReader } from '../store/database.ts';
import { type AccountRules, createAccountRules } from '../use-cases/account-rules.ts';

export type AccessParts = {
  config: Config;
  database: DatabaseReader;
  /** Bytes of large requests and mails that are worked on at once. */
  atWork: Room;
  metrics: Pick<Metrics, 'refused' | 'wrongKey'>;
};

type Access = { bodies: Bodies; guesses: Guesses; clientAddress: ClientAddress };

/** What the API and the page share before they know who asks. */
export function createAccess({ config, atWork, metrics }: AccessParts): Access {
  const { limits, trustedProxies } = config;
  const guesses = new Guesses({
    limits,
    onWrong: ({ address, isFirst }) => {
      metrics.wrongKey();
      if (isFirst) log.wrongKeys(address);
    },
    onTurnedAway: () => metrics.refused('wrong_keys'),
  });
  const bodies = new Bodies(limits, atWork, metrics.refused);
  return { bodies, guesses, clientAddress: createClientAddress(trustedProxies) };
}

export function createRules({ config, database }: AccessParts): AccountRules {
  return createAccountRules({
    reader: database,
    cacheMs: config.limits.accountCacheMs,
    firstNeedsGrant: config.requireDomains,
    operators: config.dkim.map(({ domain }) => domain),
  });
}

type GateParts = Access & { checkKey: KeyCheck; onAnswered: Gatekeeper['onAnswered'] };

export function createGatekeeper(
  { rateLimit, limits }: Config,
  { bodies, checkKey, clientAddress, onAnswered }: GateParts,
): Gatekeeper {
  return {
    onAnswered,
    bodies,
    auth: createAuth(checkKey, clientAddress),
    rateLimit: createRateLimit(rateLimit),
    bodyBytesMax: limits.bodyBytesMax,
    shape: {
      depthMax: limits.jsonDepthMax,
      valuesMax: limits.jsonValuesMax,
      membersMax: limits.jsonMembersMax,
      numbersMax: limits.jsonNumbersMax,
    },
  };
}
