/** The doors of the API and the page, and the use cases they ask. */

import { randomBytes } from 'node:crypto';
import { settingsInForce } from '../config/in-force.ts';
import { firstAccount } from '../core/account.ts';
import type { ReturnPaths } from '../core/return-path.ts';
import { createIdSource } from '../core/token.ts';
import type { Egress } from '../egress/egress.ts';
import { type Door, requestLog } from '../http/app.ts';
import { createKeyCheck } from '../http/auth.ts';
import type { Gatekeeper } from '../http/call.ts';
import { openApiDoor } from '../http/docs.ts';
import { type Facade, type HttpFacade, keyScopesOf } from '../http/facade.ts';
import type { FacadeParts } from '../http/facades.ts';
import { createKeyless } from '../http/keyless.ts';
import { createAttachmentLinks } from '../http/links/attachment-links.ts';
import { type DownloadParts, downloadDoor } from '../http/links/download.ts';
import { createPreferenceLinks } from '../http/links/preference-links.ts';
import { type PreferenceParts, preferencesDoor } from '../http/links/preferences.ts';
import { createShareLinks, sharedDoor } from '../http/links/shared.ts';
import { type NoticeDoorParts, noticesDoor } from '../http/notices/door.ts';
import { addOwnRoutes } from '../http/own/own-routes.ts';
import type { RelayDesk } from '../http/own/relays.ts';
import type { SubmissionParts } from '../listen/submission/intake.ts';
import type { Metrics } from '../metrics.ts';
import type { Live } from '../page/frame/live.ts';
import { createSessions } from '../page/frame/session.ts';
import type { PageFacts } from '../page/frame/visit.ts';
import { addPageRoutes } from '../page/routes.tsx';
import { docsDoor } from '../page/server/docs.tsx';
import type { KeyTimes } from '../use-cases/key-times.ts';
import type { RequestLogs } from '../use-cases/request-logs.ts';
import { createSignOut } from '../use-cases/sessions.ts';
import { type AccessParts, createAccess, createGatekeeper, createRules } from './gatekeeper.ts';
import { mailHostOf, takeReportOf } from './mail.ts';
import { createUseCases, type UseCaseParts } from './use-cases.ts';

export type DoorOptions = UseCaseParts &
  AccessParts & {
    facades: readonly HttpFacade<FacadeParts>[];
    /** All there are, those of other protocols too. */
    known: readonly Facade[];
    egress: Egress;
    keyTimes: KeyTimes;
    requestLogs: RequestLogs;
    metrics: Pick<Metrics, 'keyless' | 'noticed'>;
    /** Known once the server listens. */
    publicUrl: () => string;
    page: PageOptions;
    relayDesk: RelayDesk;
    returnPaths: ReturnPaths;
    /** Of RELAYS_FILE as it is now; null: there is none of this name. */
    findRelay: NoticeDoorParts['findRelay'];
  };

/** What the page shows beside the database. */
export type PageOptions = Pick<PageFacts, 'relay' | 'durable' | 'signerFor' | 'compose'> & { live: Live };

/** The doors over HTTP, and what the door for mail shares with them. */
export type Api = { auth: Gatekeeper['auth']; doors: Door[]; submission: SubmissionParts };

export function openApi(options: DoorOptions): Api {
  const { config, facades, known, database, clock, egress, keyUses, renderer, relayDesk: desk } = options;
  const bootstrap = config.apiKey === null ? null : { token: config.apiKey, account: firstAccount };
  const access = createAccess(options);
  const rules = createRules(options);
  const checkKey = createKeyCheck({
    reader: database,
    bootstrap,
    rules,
    guesses: access.guesses,
    onUsed: options.keyTimes.used,
    cacheMs: config.limits.apiKeyCacheMs,
  });
  const gatekeeper = createGatekeeper(config, { checkKey, onAnswered: options.requestLogs.add, ...access });
  const now = () => clock.now();
  const nextId = createIdSource(randomBytes);
  const { links, ...ownLinks } = createAllLinks(options, now);
  const use = createUseCases(options, rules, nextId);
  const reading = { database, egress, now, links, renderer };
  const remote = { maxBytes: config.limits.remoteBytesMax, timeoutMs: config.limits.remoteTimeoutMs };
  const keyless = createKeyless({ now, onKeyless: options.metrics.keyless });
  const doors: Door[] = [
    requestLog,
    openApiDoor,
    docsDoor,
    ...keylessDoors(options, { ...reading, ...ownLinks, rules, contacts: use.contacts, bodies: access.bodies }),
    (app) =>
      addOwnRoutes(app, gatekeeper, {
        keys: { clock, findKeyLives: use.findKeyLives, lookUpKeys: use.lookUpKeys, keyScopes: keyScopesOf(known) },
        doubt: { database, settleDoubt: use.settleDoubt },
        accounts: { database, clock, accounts: use.accounts, apiKeys: use.apiKeys },
        relays: { database, clock, desk, orders: use.relayOrders },
      }),
    (app) => {
      const { spfSenders } = options;
      const parts = {
        ...reading,
        ...use,
        remote,
        nextId,
        spfSenders,
        ...ownLinks,
        keyless,
        mailHost: mailHostOf(config),
        keyMustBeUuid: config.brevoKeyMustBeUuid,
      };
      for (const facade of facades) facade.addRoutes(app, gatekeeper, parts);
    },
    (app) => {
      const { live, ...shown } = options.page;
      const { publicUrl, secrets } = options;
      const signOut = createSignOut(database);
      addPageRoutes(app, {
        ...reading,
        facades: known,
        clock,
        live,
        relayDesk: desk,
        keyless,
        access: { ...access, sessions: createSessions({ database, signOut, bootstrap, rules, secrets, now }) },
        use: { ...use, flushUses: () => keyUses.flush() },
        facts: {
          ...shown,
          publicUrl,
          spfSenders: options.spfSenders,
          inDoubtPolicy: config.inDoubt,
          retentionDays: config.retentionDays,
          keyLifetimeMs: config.keyLifetimeMs,
          settings: settingsInForce(config),
        },
      });
    },
  ];
  const { bodies, rateLimit } = gatekeeper;
  return {
    auth: gatekeeper.auth,
    doors,
    submission: { accepting: use.accepting, checkKey, bodies, rateLimit, keyless, reader: database, now },
  };
}

type LinkedParts = DownloadParts &
  Pick<PreferenceParts, 'contacts' | 'bodies'> &
  Omit<ReturnType<typeof createAllLinks>, 'links'>;

/** What works without an API key: what links lead to, and what relays tell. */
function keylessDoors(options: DoorOptions, { preferenceLinks, shareLinks, ...parts }: LinkedParts): Door[] {
  const { findRelay, egress, clock } = options;
  const { bodies } = parts;
  return [
    noticesDoor({ bodies, egress, findRelay, takeReport: takeReportOf(options), now: () => clock.now() }),
    downloadDoor(parts),
    sharedDoor({ ...parts, links: shareLinks }),
    preferencesDoor({ ...parts, links: preferenceLinks }),
  ];
}

function createAllLinks(options: DoorOptions, now: () => number) {
  const { config, secrets, publicUrl } = options;
  const { attachmentLinkMs: lifetimeMs } = config.limits;
  return {
    links: createAttachmentLinks({ secrets, publicUrl, now, lifetimeMs }),
    preferenceLinks: createPreferenceLinks(secrets, publicUrl),
    shareLinks: createShareLinks({ secrets, publicUrl, now }),
  };
}
