/** The composition root: the only file that knows all parts, and the order they start and stop in. */

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { bootstrap, firstAccount } from './bootstrap.ts';
import { Chores } from './chores.ts';
import type { SystemClock } from './clock.ts';
import type { Config } from './config/config.ts';
import { createDkimSigner, type DkimSigner } from './core/dkim.ts';
import { createIdSource } from './core/token.ts';
import { createCapture } from './deliver/capture.ts';
import { DeliverLane } from './deliver/lane.ts';
import type { Relay } from './deliver/relay.ts';
import { Settler } from './deliver/settle.ts';
import { createSmtpRelay } from './deliver/smtp.ts';
import { parseRelayUrl } from './deliver/smtp-url.ts';
import { createEgress, type Egress } from './egress/egress.ts';
import { createPulse } from './health.ts';
import { type AppParts, createApp, type Health } from './http/app.ts';
import { createAttachmentLinks } from './http/attachment-links.ts';
import { createAuth } from './http/auth.ts';
import { createRateLimit } from './http/rate-limit.ts';
import type { WebhookParts } from './http/resend/webhooks.ts';
import { answerUnreadable } from './http/unreadable.ts';
import { log } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { databaseName, openServed } from './open-database.ts';
import { createLive, type Live } from './page/live.ts';
import { createSessions } from './page/session.ts';
import { createThrottle } from './page/throttle.ts';
import type { DashboardParts } from './page/visit.ts';
import { Recovery } from './recovery.ts';
import { RestoreGuard } from './restore-guard.ts';
import type { Database } from './store/database.ts';
import type { PostgresOptions } from './store/engine/postgres/postgres.ts';
import type { Hearing } from './store/engine/postgres/signals.ts';
import { rewriteLog } from './store/engine/sqlite/log.ts';
import { countOpen } from './store/mail/holds.ts';
import { countWebhooks } from './store/webhooks/history.ts';
import { Accepting } from './use-cases/accept.ts';
import { createAmend } from './use-cases/amend.ts';
import { createKeyUses, type KeyUses } from './use-cases/key-uses.ts';
import { WebhookLane } from './webhook/lane.ts';
import { Worker } from './worker.ts';

/** What comes from outside the program, so that tests can bring their own. */
export type Outside = {
  /** Made from the clock that all processes of the database share, where it does not bring its own. */
  clock: SystemClock | ((wall: () => number) => SystemClock);
  /** Between two rounds of the chores, for clocks that run faster. */
  choresEveryMs?: number;
  /** Ends the process at once, without answering anybody. */
  die: () => never;
  /** Instead of the relay of the settings. */
  relay?: Relay;
  /** Instead of FULL: only tests do, the negative control of syncing above all. */
  synchronous?: 'FULL' | 'NORMAL' | 'OFF';
  /** Takes what a dead process left in the log for written: only a negative control does. */
  trustsLog?: boolean;
  /** Instead of finding out what became of a COMMIT whose answer was lost: only a negative control assumes. */
  assumeLostCommits?: PostgresOptions['assumeLostCommits'];
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
  /** Whether the database answers. */
  pulse: () => Promise<boolean>;
  egress: Egress;
  /** Told after a commit that queued something. */
  onQueued: () => void;
  /** Known once listening. */
  publicUrl: { text: string };
  linkSecret: string;
  durable: boolean;
  live: Live;
  signerFor: (domain: string) => DkimSigner | null;
};

/** What is left undone for a second hurts nobody. */
const choresEveryMs = 1_000;

export async function startServer(config: Config, outside: Outside): Promise<Started> {
  const startedAt = performance.now();
  const relay = outside.relay ?? createRelay(config);
  const { database, clock, release } = await open(config, outside);
  const name = `${process.pid}.${randomBytes(4).toString('hex')}`;
  let workers: Loop[] = [];
  const wake = () => {
    for (const worker of workers) worker.wake();
  };
  const onQueued = () => {
    wake();
    database.announce();
  };
  const guard = new RestoreGuard({ database, clock, stateDir: config.stateDir });
  const recovery = new Recovery({ database, clock, policy: config.inDoubt, worker: name, onQueued });
  // A worker has no use for a key: whoever serves the API makes the first one and shows it.
  const makesKey = config.apiKey === null && config.role !== 'worker';
  const starting = bootstrap(database, { clock, makesKey, guard, recovery });
  const ready = await orClose(starting, database, release);
  const pulse = createPulse(database);
  const metrics = createMetrics({
    isUp: pulse,
    openByState: () => countOpen(database),
    webhooks: () => countWebhooks(database),
  });
  const egress = createEgress({ allow: config.egressAllow });
  const signerFor = loadSigners(config);
  if (config.role !== 'api')
    workers = createWorkers(config, { database, clock, relay, egress, metrics, signerFor, name });
  const keyUses = createKeyUses(database, metrics.keyUsed);
  const publicUrl = { text: config.publicUrl ?? '' };
  const durable = (outside.synchronous ?? 'FULL') === 'FULL';
  const live = createLive(database);
  const stages = { relay, keyUses, metrics, pulse, onQueued, egress, signerFor };
  const parts: Parts = { ...ready, ...stages, config, clock, database, publicUrl, durable, live };
  const http = await listen(config, createApp(appParts(parts)).fetch);
  publicUrl.text ||= urlOf(config.host, http);
  const { retentionDays } = config;
  const { garbagePerSecondMax } = config.limits;
  const keeping = { database, clock, guard, recovery, keyUses, retentionDays, garbagePerSecondMax, onQueued };
  const chores = new Chores({ ...keeping, everyMs: outside.choresEveryMs ?? choresEveryMs });
  chores.start();
  for (const worker of workers) worker.start();
  if (workers.length > 0) database.onAnnounced(wake);
  log.started({
    url: publicUrl.text,
    database: databaseName(config.database),
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
      await Promise.all(workers.map((worker) => worker.drain()));
      await closed;
      await chores.stop();
      await relay.close();
      await database.close();
      release();
      log.stopped();
    },
  };
}

async function open(config: Config, outside: Outside) {
  const { database: own, release } = await openServed(config.database, {
    synchronous: outside.synchronous,
    assumeLostCommits: outside.assumeLostCommits,
    onHearing,
    onUnknownCommit: (error) => {
      log.commitUnknown(error);
      outside.die();
    },
  });
  if (config.database.engine === 'sqlite' && !outside.trustsLog) rewriteLog(config.database.path);
  const database = outside.database?.(own) ?? own;
  const clock = typeof outside.clock === 'function' ? outside.clock(() => database.wall()) : outside.clock;
  return { database, clock, release };
}

function onHearing(hearing: Hearing): void {
  const why = whyNotHeard(hearing);
  if (why === null) log.wakeUpsBack();
  else log.wakeUpsLost(why);
}

function whyNotHeard(hearing: Hearing): string | null {
  switch (hearing.state) {
    case 'works':
      return null;
    case 'pooled':
      return 'a pooler stands between: DATABASE_LISTEN_URL must lead straight to PostgreSQL';
    case 'elsewhere':
      return 'DATABASE_LISTEN_URL leads to another database than DATABASE_URL';
    case 'fails':
      return (hearing.cause as Error).message;
  }
}

/** A start that fails leaves nothing open. */
async function orClose<T>(starting: Promise<T>, database: Database, release: () => void): Promise<T> {
  try {
    return await starting;
  } catch (error) {
    await database.close();
    release();
    throw error;
  }
}

/** What a worker is to whoever starts and stops it, whatever its lane claims. */
type Loop = { start(): void; wake(): void; drain(): Promise<void> };

type WorkerParts = Pick<Parts, 'database' | 'clock' | 'relay' | 'egress' | 'metrics' | 'signerFor'> & {
  /** Names this process in claims. */
  name: string;
};

function createWorkers(
  config: Config,
  { database, clock, relay, egress, metrics, signerFor, name }: WorkerParts,
): Loop[] {
  const { webhookAttempt: onAttempt, webhookDisabled: onDisabled, outcome: onOutcome } = metrics;
  const webhooks = new Worker(new WebhookLane({ database, clock, egress, worker: name, onAttempt, onDisabled }));
  const settler = new Settler({
    database,
    clock,
    policy: config.inDoubt,
    sentCountsAsDelivered: config.sentCountsAsDelivered,
    random: Math.random,
    onRecorded: () => webhooks.wake(),
  });
  const parts = { database, clock, relay, settler, worker: name, signerFor, random: Math.random, onOutcome };
  return [new Worker(new DeliverLane(parts)), webhooks];
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

function appParts(parts: Parts): AppParts {
  const { config, clock, database, egress, keyUses, metrics, onQueued } = parts;
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
      onQueued();
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
    amend: createAmend(database, clock, onQueued),
    now,
    wakeWebhooks: onQueued,
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
    doubt: { database, clock, onQueued },
    database,
    links,
    metrics,
    health: () => healthOf(parts),
    dashboard: { ...sending, ...dashboardParts(parts), links, onQueued },
    servesApi: config.role !== 'worker',
  };
}

function dashboardParts(
  parts: Parts,
): Omit<DashboardParts, keyof WebhookParts | 'accepting' | 'amend' | 'links' | 'onQueued'> {
  const { config, clock, database, keyUses, live, signerFor, relay, durable } = parts;
  const bootstrap = config.apiKey === null ? null : { token: config.apiKey, account: firstAccount };
  const now = () => clock.now();
  return {
    clock,
    live,
    signerFor,
    durable,
    sessions: createSessions({ database, bootstrap, secret: parts.linkSecret, now }),
    throttle: createThrottle(now),
    flushUses: () => keyUses.flush(),
    publicUrl: () => parts.publicUrl.text,
    relay: relay.name,
    inDoubtPolicy: config.inDoubt,
    retentionDays: config.retentionDays,
  };
}

async function healthOf({ config, database, relay, durable, pulse }: Parts): ReturnType<Health> {
  return {
    status: (await pulse()) ? 'ok' : 'unavailable',
    database: database.engine,
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
