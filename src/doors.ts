/** The doors of the API and the page, and what each is given: nothing it does not use. */

import { randomBytes } from 'node:crypto';
import { firstAccount } from './bootstrap.ts';
import type { Config } from './config/config.ts';
import type { Clock } from './core/clock.ts';
import type { DkimSigner } from './core/dkim.ts';
import { createIdSource } from './core/token.ts';
import type { Egress } from './egress/egress.ts';
import { type Door, requestLog } from './http/app.ts';
import { type AttachmentLinks, createAttachmentLinks } from './http/attachment-links.ts';
import { createAuth } from './http/auth.ts';
import type { Gatekeeper } from './http/call.ts';
import { downloadDoor } from './http/download.ts';
import { type HttpFacade, keyScopesOf } from './http/facade.ts';
import type { FacadeParts } from './http/facades.ts';
import { addOwnRoutes } from './http/own-routes.ts';
import { createRateLimit } from './http/rate-limit.ts';
import type { Live } from './page/live.ts';
import { addDashboardRoutes } from './page/routes.tsx';
import { createSessions } from './page/session.ts';
import { createThrottle } from './page/throttle.ts';
import type { Database } from './store/database.ts';
import { Accepting } from './use-cases/accept.ts';
import { createAmend } from './use-cases/amend.ts';
import { createFindKeyLives } from './use-cases/key-history.ts';
import type { KeyUses } from './use-cases/key-uses.ts';
import { createPurge } from './use-cases/purge.ts';
import { createReplay } from './use-cases/replay.ts';
import { createSenders } from './use-cases/senders.ts';
import { createSignOut } from './use-cases/sessions.ts';
import { createSettleDoubt } from './use-cases/settle-doubt.ts';
import { createSubscribe } from './use-cases/subscribe.ts';
import { createSuppress } from './use-cases/suppress.ts';
import { createTemplates } from './use-cases/templates.ts';

export type DoorOptions = {
  config: Config;
  facades: readonly HttpFacade<FacadeParts>[];
  database: Database;
  clock: Clock;
  egress: Egress;
  keyUses: KeyUses;
  /** Told after a commit that queued something. */
  onQueued: () => void;
  onAccepted: (emails: number) => void;
  /** Signs links and sessions. */
  secret: string;
  /** Known once the server listens. */
  publicUrl: () => string;
  page: PageOptions;
};

/** What the page shows beside the database. */
export type PageOptions = {
  live: Live;
  /** The relay as logs name it: without its password. */
  relay: string;
  durable: boolean;
  signerFor: (domain: string) => DkimSigner | null;
};

export function apiDoors(options: DoorOptions): Door[] {
  const { config, facades, database, clock, egress, keyUses, onQueued } = options;
  const bootstrap = config.apiKey === null ? null : { token: config.apiKey, account: firstAccount };
  const gatekeeper = createGatekeeper(config, database, bootstrap);
  const now = () => clock.now();
  const nextId = createIdSource(randomBytes);
  const links = createLinks(options, now);
  const findKeyLives = createFindKeyLives(database, keyUses);
  const settleDoubt = createSettleDoubt({ database, now, onSettled: onQueued });
  const sending = {
    database,
    egress,
    now,
    accepting: createAccepting(options, nextId),
    amend: createAmend(database, clock, onQueued),
    remote: { maxBytes: config.limits.remoteBytesMax, timeoutMs: config.limits.remoteTimeoutMs },
    subscribe: createSubscribe(database, clock, onQueued),
    replay: createReplay(database, clock, onQueued),
    suppress: createSuppress(database, clock),
    purge: createPurge(database, clock),
    templates: createTemplates(database, clock),
    senders: createSenders(database, clock),
  };
  return [
    requestLog,
    downloadDoor(database, links),
    (app) =>
      addOwnRoutes(app, gatekeeper, {
        keys: { clock, findKeyLives, keyScopes: keyScopesOf(facades) },
        doubt: { database, settleDoubt },
      }),
    (app) => {
      const parts = { ...sending, links, nextId, keyMustBeUuid: config.brevoKeyMustBeUuid };
      for (const facade of facades) facade.addRoutes(app, gatekeeper, parts);
    },
    (app) =>
      addDashboardRoutes(app, {
        ...sending,
        ...options.page,
        facades,
        settleDoubt,
        clock,
        links,
        findKeyLives,
        flushUses: () => keyUses.flush(),
        publicUrl: options.publicUrl,
        sessions: createSessions({
          database,
          signOut: createSignOut(database),
          bootstrap,
          secret: options.secret,
          now,
        }),
        throttle: createThrottle(now),
        inDoubtPolicy: config.inDoubt,
        retentionDays: config.retentionDays,
      }),
  ];
}

type BootstrapKey = { token: string; account: string } | null;

function createGatekeeper({ rateLimit, limits }: Config, reader: Database, bootstrap: BootstrapKey): Gatekeeper {
  return {
    auth: createAuth({ reader, bootstrap, cacheMs: limits.apiKeyCacheMs }),
    rateLimit: createRateLimit(rateLimit),
    bodyBytesMax: limits.bodyBytesMax,
  };
}

function createLinks({ config, secret, publicUrl }: DoorOptions, now: () => number): AttachmentLinks {
  return createAttachmentLinks({ secret, publicUrl, now, lifetimeMs: config.limits.attachmentLinkMs });
}

function createAccepting(options: DoorOptions, nextId: (now: number) => string): Accepting {
  const { database, clock, keyUses, onAccepted, onQueued } = options;
  return new Accepting({
    database,
    clock,
    nextId,
    keyUses,
    onQueued: (emails) => {
      onAccepted(emails);
      onQueued();
    },
  });
}
