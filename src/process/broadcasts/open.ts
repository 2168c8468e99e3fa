/** Puts together what makes broadcasts into emails. */

import { randomBytes } from 'node:crypto';
import type { Config } from '../../config/config.ts';
import type { Secrets } from '../../core/secrets.ts';
import { createIdSource } from '../../core/token.ts';
import { createPreferenceLinks } from '../../http/links/preference-links.ts';
import type { Renderer } from '../../render/renderer.ts';
import { Accepting, type AcceptOptions } from '../../use-cases/accept.ts';
import { createAccountRules } from '../../use-cases/account-rules.ts';
import { createSpreading } from '../../use-cases/broadcasts.ts';
import type { SpreadOptions } from './spread.ts';

export type BroadcastParts = Pick<AcceptOptions, 'database' | 'clock' | 'keyUses' | 'onQueued'> & {
  renderer: Pick<Renderer, 'openLater'>;
  secrets: Secrets;
  publicUrl: () => string;
};

export function openBroadcasts(config: Config, { secrets, publicUrl, ...parts }: BroadcastParts): SpreadOptions {
  const { database, clock } = parts;
  const { accountCacheMs: cacheMs } = config.limits;
  const rules = createAccountRules({
    reader: database,
    cacheMs,
    firstNeedsGrant: config.requireDomains,
    operators: config.dkim.map(({ domain }) => domain),
  });
  // No client waits for it.
  const renderer = { open: (account: string) => parts.renderer.openLater(account) };
  const nextId = createIdSource(randomBytes);
  return {
    database,
    clock,
    spreading: createSpreading(database, clock),
    accepting: new Accepting({ ...parts, renderer, rules, nextId, keyLifetimeMs: null }),
    links: createPreferenceLinks(secrets, publicUrl),
  };
}
