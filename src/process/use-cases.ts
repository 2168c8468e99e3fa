/** What doors may ask for: only use cases write. */

import type { Config } from '../config/config.ts';
import type { Clock } from '../core/clock.ts';
import type { Secrets } from '../core/secrets.ts';
import type { Metrics } from '../metrics.ts';
import type { Renderer } from '../render/renderer.ts';
import type { Database } from '../store/database.ts';
import { Accepting } from '../use-cases/accept.ts';
import type { AccountRules } from '../use-cases/account-rules.ts';
import { createAccounts } from '../use-cases/accounts.ts';
import { createAmend } from '../use-cases/amend.ts';
import { createApiKeys } from '../use-cases/api-keys.ts';
import { createBroadcasts } from '../use-cases/broadcasts.ts';
import { createContacts } from '../use-cases/contacts.ts';
import { createDomains } from '../use-cases/domains.ts';
import { createFindKeyLives, createLookUpKeys } from '../use-cases/key-history.ts';
import type { KeyUses } from '../use-cases/key-uses.ts';
import { createOperatorDomains } from '../use-cases/operator-domains.ts';
import { createPurge } from '../use-cases/purge.ts';
import { createRelayOrders } from '../use-cases/relay-orders.ts';
import { createReplay } from '../use-cases/replay.ts';
import { createProperties, createSegments, createTopics } from '../use-cases/segments.ts';
import { createSenders } from '../use-cases/senders.ts';
import { createSettleDoubt } from '../use-cases/settle-doubt.ts';
import { createSubscribe } from '../use-cases/subscribe.ts';
import { createSuppress } from '../use-cases/suppress.ts';
import { createTemplates } from '../use-cases/templates.ts';
import { createVersionedTemplates } from '../use-cases/versioned-templates.ts';

export type UseCaseParts = {
  config: Config;
  database: Database;
  clock: Clock;
  keyUses: KeyUses;
  renderer: Renderer;
  /** Told after a commit that queued something. */
  onQueued: () => void;
  metrics: Pick<Metrics, 'accepted'>;
  secrets: Secrets;
  /** SPF mechanisms of the relays as they are now. */
  spfSenders: () => readonly string[];
};

/** `nextId`: names of what is made over any door. */
export function createUseCases(options: UseCaseParts, rules: AccountRules, nextId: (now: number) => string) {
  const { config, database, clock, secrets, keyUses, spfSenders, onQueued } = options;
  return {
    accepting: createAccepting(options, rules, nextId),
    accounts: createAccounts(database, clock, onQueued),
    apiKeys: createApiKeys(database, clock),
    amend: createAmend(database, clock, onQueued, config.keyLifetimeMs),
    relayOrders: createRelayOrders(database, clock, onQueued),
    settleDoubt: createSettleDoubt({ database, now: () => clock.now(), onSettled: onQueued }),
    subscribe: createSubscribe(database, clock, onQueued),
    replay: createReplay(database, clock, onQueued),
    suppress: createSuppress(database, clock),
    purge: createPurge(database, clock),
    templates: createTemplates(database, clock),
    versionedTemplates: createVersionedTemplates({ database, clock, nextId }),
    broadcasts: createBroadcasts({ database, clock, nextId }),
    contacts: createContacts({ database, clock, nextId, onChanged: onQueued }),
    segments: createSegments({ database, clock, nextId }),
    topics: createTopics({ database, clock, nextId }),
    properties: createProperties({ database, clock, nextId }),
    domains: createDomains({
      ...{ database, clock, secrets, nextId, senders: spfSenders, onChanged: onQueued },
      operators: createOperatorDomains(config.dkim, database),
    }),
    senders: createSenders(database, clock),
    findKeyLives: createFindKeyLives(database, keyUses),
    lookUpKeys: createLookUpKeys(database),
  };
}

function createAccepting(options: UseCaseParts, rules: AccountRules, nextId: (now: number) => string): Accepting {
  const { config, database, clock, keyUses, renderer, metrics, onQueued } = options;
  return new Accepting({
    keyLifetimeMs: config.keyLifetimeMs,
    database,
    clock,
    nextId,
    keyUses,
    rules,
    renderer,
    onQueued: (emails) => {
      metrics.accepted(emails);
      onQueued();
    },
  });
}
