/** Puts together what calls an operator, from the settings and what a process has. */

import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import type { Config } from '../../config/config.ts';
import { firstAccount } from '../../core/account.ts';
import type { Clock } from '../../core/clock.ts';
import { createIdSource } from '../../core/token.ts';
import type { Renderer } from '../../render/renderer.ts';
import type { Database } from '../../store/database.ts';
import { Accepting } from '../../use-cases/accept.ts';
import { createAccountRules } from '../../use-cases/account-rules.ts';
import { createAlerts } from '../../use-cases/alerts.ts';
import type { KeyUses } from '../../use-cases/key-uses.ts';
import { Alerting } from './alerts.ts';

export type AlertingParts = {
  database: Database;
  clock: Clock;
  keyUses: KeyUses;
  renderer: Renderer;
  onQueued: () => void;
  instance: () => string;
};

export function openAlerting(config: Config, parts: AlertingParts): Alerting {
  const { database, clock, instance, ...others } = parts;
  // The operator's own mail needs no grant.
  const rules = createAccountRules({ reader: database, cacheMs: config.limits.accountCacheMs, firstNeedsGrant: false });
  const nextId = createIdSource(randomBytes);
  const accepting = new Accepting({ database, clock, rules, nextId, keyLifetimeMs: null, ...others });
  const { alertEmail: to, alertFrom: from, alertWebhook: webhook, stateDir } = config;
  const mail = to.length === 0 ? null : { account: firstAccount, from, to };
  const folder = config.database.engine === 'sqlite' ? dirname(config.database.path) : stateDir;
  const alerts = createAlerts(database, clock);
  return new Alerting({ database, clock, folder, alerts, accepting, webhook, mail, instance });
}
