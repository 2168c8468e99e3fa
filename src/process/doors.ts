/** The doors of the API and the page, and the use cases they ask. */

import { randomBytes } from 'node:crypto';
import type { Config } from '../config/config.ts';
import { settingsInForce } from '../config/in-force.ts';
import { firstAccount } from '../core/account.ts';
import type { Clock } from '../core/clock.ts';
import type { ReturnPaths } from '../core/return-path.ts';
import type { Room } from '../core/room.ts';
import type { Secrets } from '../core/secrets.ts';
import { createIdSource } from '../core/token.ts';
import type { Egress } from '../egress/egress.ts';
import { type Door, requestLog } from '../http/app.ts';
import { createAttachmentLinks } from '../http/attachment-links.ts';
import { createAuth, createKeyCheck, type KeyCheck } from '../http/auth.ts';
import { Bodies } from '../http/bodies.ts';
import type { Gatekeeper } from '../http/call.ts';
import { type ClientAddress, createClientAddress } from '../http/client-address.ts';
import { openApiDoor } from '../http/docs.ts';
import { type DownloadParts, downloadDoor } from '../http/download.ts';
import { type Facade, type HttpFacade, keyScopesOf } from '../http/facade.ts';
import type { FacadeParts } from '../http/facades.ts';
import { Guesses } from '../http/guesses.ts';
import { createKeyless } from '../http/keyless.ts';
import { type NoticeDoorParts, noticesDoor } from '../http/notices/door.ts';
import { addOwnRoutes } from '../http/own-routes.ts';
import { createPreferenceLinks } from '../http/preference-links.ts';
import { type PreferenceParts, preferencesDoor } from '../http/preferences.ts';
import { createRateLimit } from '../http/rate-limit.ts';
import type { RelayDesk } from '../http/relays.ts';
import { createShareLinks, sharedDoor } from '../http/shared.ts';
import type { SubmissionParts } from '../listen/submission/intake.ts';
import { log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Live } from '../page/frame/live.ts';
import { createSessions } from '../page/frame/session.ts';
import type { PageFacts } from '../page/frame/visit.ts';
import { addPageRoutes } from '../page/routes.tsx';
import { docsDoor } from '../page/server/docs.tsx';
import type { Renderer } from '../render/renderer.ts';
import type { Database } from '../store/database.ts';
import { Accepting } from '../use-cases/accept.ts';
import { type AccountRules, createAccountRules } from '../use-cases/account-rules.ts';
import { createAccounts } from '../use-cases/accounts.ts';
import { createAmend } from '../use-cases/amend.ts';
import { createApiKeys } from '../use-cases/api-keys.ts';
import { createBroadcasts } from '../use-cases/broadcasts.ts';
import { createContacts } from '../use-cases/contacts.ts';
import { createDomains } from '../use-cases/domains.ts';
import { createFindKeyLives, createLookUpKeys } from '../use-cases/key-history.ts';
import type { KeyTimes } from '../use-cases/key-times.ts';
import type { KeyUses } from '../use-cases/key-uses.ts';
import { createOperatorDomains } from '../use-cases/operator-domains.ts';
import { createPurge } from '../use-cases/purge.ts';
import { createRelayOrders } from '../use-cases/relay-orders.ts';
import { createReplay } from '../use-cases/replay.ts';
import type { RequestLogs } from '../use-cases/request-logs.ts';
import { createProperties, createSegments, createTopics } from '../use-cases/segments.ts';
import { createSenders } from '../use-cases/senders.ts';
import { createSignOut } from '../use-cases/sessions.ts';
import { createSettleDoubt } from '../use-cases/settle-doubt.ts';
import { createSubscribe } from '../use-cases/subscribe.ts';
import { createSuppress } from '../use-cases/suppress.ts';
import { createTemplates } from '../use-cases/templates.ts';
import { createVersionedTemplates } from '../use-cases/versioned-templates.ts';
import { mailHostOf, takeReportOf } from './mail.ts';

export type DoorOptions = {
  config: Config;
  facades: readonly HttpFacade<FacadeParts>[];
  /** All there are, those of other protocols too. */
  known: readonly Facade[];
  database: Database;
  clock: Clock;
  egress: Egress;
  keyUses: KeyUses;
  keyTimes: KeyTimes;
  requestLogs: RequestLogs;
  renderer: Renderer;
  /** Bytes of large requests and mails that are worked on at once. */
  atWork: Room;
  /** Told after a commit that queued something. */
  onQueued: () => void;
  metrics: Pick<Metrics, 'accepted' | 'keyless' | 'noticed' | 'refused' | 'wrongKey'>;
  secrets: Secrets;
  /** SPF mechanisms of the relays as they are now. */
  spfSenders: () => readonly string[];
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

/** What doors may ask for: only these write. */
function createUseCases(options: DoorOptions, rules: AccountRules, nextId: (now: number) => string) {
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

type Access = { bodies: Bodies; guesses: Guesses; clientAddress: ClientAddress };

/** What the API and the page share before they know who asks. */
function createAccess({ config, atWork, metrics }: DoorOptions): Access {
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

function createRules({ config, database }: DoorOptions): AccountRules {
  return createAccountRules({
    reader: database,
    cacheMs: config.limits.accountCacheMs,
    firstNeedsGrant: config.requireDomains,
    operators: config.dkim.map(({ domain }) => domain),
  });
}

type GateParts = Access & { checkKey: KeyCheck; onAnswered: Gatekeeper['onAnswered'] };

function createGatekeeper(
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

function createAccepting(options: DoorOptions, rules: AccountRules, nextId: (now: number) => string): Accepting {
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
