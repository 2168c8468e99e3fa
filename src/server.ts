/** The composition root: the only file that knows all parts, and the order they start and stop in. */

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Accepting } from './accept.ts';
import { createAmend } from './amend.ts';
import { bootstrap, firstAccount } from './bootstrap.ts';
import { Chores } from './chores.ts';
import type { SystemClock } from './clock.ts';
import type { Config } from './config.ts';
import { createDkimSigner, type DkimSigner } from './core/dkim.ts';
import { createIdSource } from './core/token.ts';
import { createCapture } from './deliver/capture.ts';
import { DeliverLane } from './deliver/lane.ts';
import type { Relay } from './deliver/relay.ts';
import { Settler } from './deliver/settle.ts';
import { createSmtpRelay } from './deliver/smtp.ts';
import { parseRelayUrl } from './deliver/smtp-url.ts';
import { createEgress, type Egress } from './egress/egress.ts';
import { type AppParts, createApp } from './http/app.ts';
import { createAttachmentLinks } from './http/attachment-links.ts';
import { createAuth } from './http/auth.ts';
import { createLive, type Live } from './http/dashboard/live.ts';
import { createSessions } from './http/dashboard/session.ts';
import { createThrottle } from './http/dashboard/throttle.ts';
import type { DashboardParts } from './http/dashboard/visit.ts';
import { createRateLimit } from './http/rate-limit.ts';
import { answerUnreadable } from './http/unreadable.ts';
import { createKeyUses, type KeyUses } from './key-uses.ts';
import { log } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { RestoreGuard } from './restore-guard.ts';
import type { Database } from './store/database.ts';
import { countOpen } from './store/holds.ts';
import { openSqlite } from './store/sqlite.ts';
import { acquireServingLock } from './store/sqlite-lock.ts';
import { rewriteLog } from './store/sqlite-log.ts';
import { countWebhooks } from './store/webhook-history.ts';
import { type Errand, WebhookLane } from './webhook/lane.ts';
import { Worker } from './worker.ts';

/** What comes from outside the program, so that tests can bring their own. */
export type Outside = {
  clock: SystemClock;
  /** Ends the process at once, without answering anybody. */
  die: () => never;
  /** Instead of the relay of the settings. */
  relay?: Relay;
  /** Instead of FULL: only tests do, the negative control of syncing above all. */
  synchronous?: 'FULL' | 'NORMAL' | 'OFF';
  /** Takes what a dead process left in the log for written: only a negative control does. */
  trustsLog?: boolean;
  /** Around the database of the settings: only negative controls break it. */
  database?: (own: Database) => Database;
};

export type Started = {
  url: string;
  /** Set when this start made the first API key: shown once, stored only as a hash. */
  newApiKey: string | null;
  /** Looks at the queue and does the chores now; for tests that moved the clock. */
  tick(): Promise<void>;
  /** Refuses new requests and gates, hands claims back, and waits for verdicts. */
  stop(): Promise<void>;
};

/** Parts that live as long as the server. */
type Parts = {
  config: Config;
  clock: SystemClock;
  relay: Relay;
  database: Database;
  keyUses: KeyUses;
  metrics: Metrics;
  egress: Egress;
  /** Something may be due. */
  wake: () => void;
  /** Known once listening. */
  publicUrl: { text: string };
  linkSecret: string;
  durable: boolean;
  live: Live;
  signerFor: (domain: string) => DkimSigner | null;
};

export async function startServer(config: Config, outside: Outside): Promise<Started> {
  const startedAt = performance.now();
  const { clock } = outside;
  const relay = outside.relay ?? createRelay(config);
  const signerFor = loadSigners(config);
  const lock = acquireServingLock(config.databasePath);
  const own = openSqlite({
    path: config.databasePath,
    synchronous: outside.synchronous,
    onUnknownCommit: (error) => {
      log.commitUnknown(error);
      outside.die();
    },
  });
  if (!outside.trustsLog) rewriteLog(config.databasePath);
  const database = outside.database?.(own) ?? own;
  const guard = new RestoreGuard({ database, clock, stateDir: config.stateDir });
  const ready = await bootstrap(database, { clock, policy: config.inDoubt, hasKey: config.apiKey !== null, guard });
  const metrics = createMetrics({ openByState: () => countOpen(database), webhooks: () => countWebhooks(database) });
  const settler = new Settler({
    database,
    clock,
    policy: config.inDoubt,
    sentCountsAsDelivered: config.sentCountsAsDelivered,
    random: Math.random,
    onRecorded: () => webhooks?.wake(),
  });
  const workerName = `${process.pid}.${randomBytes(4).toString('hex')}`;
  const egress = createEgress({ allow: config.egressAllow });
  const webhooks = config.role === 'api' ? null : createWebhookWorker({ database, clock, egress, metrics, workerName });
  const { outcome: onOutcome } = metrics;
  const acting = { database, clock, relay, settler, signerFor, random: Math.random, onOutcome };
  const lane = new DeliverLane({ ...acting, worker: workerName });
  const worker = config.role === 'api' ? null : new Worker(lane);
  const wake = () => wakeAll(worker, webhooks);
  const keyUses = createKeyUses(database, metrics.keyUsed);
  const publicUrl = { text: config.publicUrl ?? '' };
  const durable = (outside.synchronous ?? 'FULL') === 'FULL';
  const live = createLive(database);
  const stages = { relay, keyUses, metrics, wake, egress, signerFor };
  const parts: Parts = { ...ready, ...stages, config, clock, database, publicUrl, durable, live };
  const http = await listen(config, createApp(appParts(parts)).fetch);
  publicUrl.text ||= urlOf(config.host, http);
  const { retentionDays } = config;
  const { garbagePerSecondMax } = config.limits;
  const chores = new Chores({ database, clock, guard, keyUses, retentionDays, garbagePerSecondMax, onQueued: wake });
  chores.start();
  worker?.start();
  webhooks?.start();
  log.started({
    url: publicUrl.text,
    database: config.databasePath,
    relay: relay.name,
    migrated: ready.migrations,
    tookMs: Math.round(performance.now() - startedAt),
  });
  return {
    url: urlOf(config.host, http),
    newApiKey: ready.newApiKey,
    async tick() {
      await chores.run();
      wake();
    },
    async stop() {
      live.close();
      const closed = closeHttp(http);
      await Promise.all([worker?.drain(), webhooks?.drain()]);
      await closed;
      await chores.stop();
      await relay.close();
      await database.close();
      lock.release();
      log.stopped();
    },
  };
}

function createRelay(config: Config): Relay {
  if (config.relayUrl === 'capture:') return createCapture();
  return createSmtpRelay({ ...parseRelayUrl(config.relayUrl), concurrency: config.relayConnections });
}

/** @throws Error naming the setting when a key cannot be read. */
function loadSigners(config: Config): (domain: string) => DkimSigner | null {
  const signers = new Map<string, DkimSigner>();
  for (const { domain, selector, keyFile } of config.dkim) {
    try {
      const privateKeyPem = readFileSync(keyFile, 'utf8');
      signers.set(domain, createDkimSigner({ domain, selector, privateKeyPem }));
    } catch (cause) {
      throw new Error(`DKIM_KEYS: the key of ${domain} cannot be used (${keyFile}): ${(cause as Error).message}`, {
        cause,
      });
    }
  }
  return (domain) => signers.get(domain) ?? null;
}

function wakeAll(...workers: ({ wake(): void } | null)[]): void {
  for (const worker of workers) worker?.wake();
}

function createWebhookWorker(parts: {
  database: Database;
  clock: SystemClock;
  egress: Egress;
  metrics: Metrics;
  workerName: string;
}): Worker<Errand> {
  const { metrics, workerName, ...rest } = parts;
  const { webhookAttempt: onAttempt, webhookDisabled: onDisabled } = metrics;
  return new Worker(new WebhookLane({ ...rest, worker: workerName, onAttempt, onDisabled }));
}

function appParts(parts: Parts): AppParts {
  const { config, clock, database, egress, keyUses, metrics, wake } = parts;
  const { limits } = config;
  const now = () => clock.now();
  const nextId = createIdSource(randomBytes);
  const accepting = new Accepting({
    database,
    clock,
    nextId,
    keyUses,
    onQueued: (emails) => {
      metrics.accepted(emails);
      wake();
    },
  });
  const bootstrapKey = config.apiKey === null ? null : { token: config.apiKey, account: firstAccount };
  const links = createAttachmentLinks({
    secret: parts.linkSecret,
    publicUrl: () => parts.publicUrl.text,
    now,
    lifetimeMs: limits.attachmentLinkMs,
  });
  const sending = {
    accepting,
    egress,
    remote: { maxBytes: limits.remoteBytesMax, timeoutMs: limits.remoteTimeoutMs },
    database,
    amend: createAmend(database, clock, wake),
    now,
    wakeWebhooks: wake,
  };
  return {
    gatekeeper: {
      auth: createAuth({ reader: database, bootstrap: bootstrapKey, cacheMs: limits.apiKeyCacheMs }),
      rateLimit: createRateLimit(config.rateLimit),
      bodyBytesMax: limits.bodyBytesMax,
    },
    resend: { ...sending, links },
    brevo: { ...sending, nextId, keyMustBeUuid: config.brevoKeyMustBeUuid },
    keys: { database, clock, flushUses: () => keyUses.flush() },
    doubt: { database, clock, onQueued: wake },
    database,
    links,
    metrics,
    health: () => healthOf(parts),
    dashboard: { ...sending, ...dashboardParts(parts), links, onQueued: wake },
    servesApi: config.role !== 'worker',
  };
}

function dashboardParts(parts: Parts): Omit<DashboardParts, 'accepting' | 'amend' | 'links' | 'onQueued'> {
  const { config, clock, database, keyUses, live, signerFor, relay, durable } = parts;
  const bootstrap = config.apiKey === null ? null : { token: config.apiKey, account: firstAccount };
  const now = () => clock.now();
  return {
    database,
    clock,
    live,
    signerFor,
    durable,
    sessions: createSessions({ reader: database, bootstrap, secret: parts.linkSecret, now }),
    throttle: createThrottle(now),
    flushUses: () => keyUses.flush(),
    publicUrl: () => parts.publicUrl.text,
    relay: relay.name,
    inDoubtPolicy: config.inDoubt,
    retentionDays: config.retentionDays,
  };
}

function healthOf({ config, relay, durable }: Parts): Record<string, unknown> {
  return {
    status: 'ok',
    database: 'sqlite',
    durable,
    relay: relay.name,
    role: config.role,
    in_doubt_policy: config.inDoubt,
  };
}

function listen(config: Config, fetch: ReturnType<typeof createApp>['fetch']): Promise<Server> {
  const http = createAdaptorServer({ fetch: fetch as never }) as Server;
  http.requestTimeout = config.limits.bodyTimeoutMs;
  answerUnreadable(http);
  return new Promise((resolve, reject) => {
    http.once('error', (error) =>
      reject(new Error(`Cannot listen on ${config.host}:${config.port}: ${error.message}`)),
    );
    http.listen(config.port, config.host, () => resolve(http));
  });
}

function urlOf(host: string, http: Server): string {
  const shown = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${shown}:${(http.address() as AddressInfo).port}`;
}

/** How long a stop waits for requests under way, and how often it looks for connections that fell idle. */
const closeGraceMs = 5_000;
const closeLookMs = 20;

/**
 * Requests under way are answered; connections are closed as they fall idle. One that never sent anything, or stalls in
 * its body, counts as busy and would keep the stop waiting for ever: it ends without a status.
 */
function closeHttp(http: Server): Promise<void> {
  const closing = setInterval(() => http.closeIdleConnections(), closeLookMs);
  const grace = setTimeout(() => http.closeAllConnections(), closeGraceMs);
  return new Promise((resolve) => {
    http.close(() => {
      clearInterval(closing);
      clearTimeout(grace);
      resolve();
    });
    http.closeIdleConnections();
  });
}
