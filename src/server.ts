/** The composition root: which parts there are, and the order they start and stop in. */

import { randomBytes } from 'node:crypto';
import type { Config } from './config/config.ts';
import type { RelaySetting } from './config/relays-file.ts';
import { createReturnPaths } from './core/return-path.ts';
import { Room } from './core/room.ts';
import { createIdSource } from './core/token.ts';
import { onlyRelay, type RelaysSetting } from './deliver/relays/relays.ts';
import { createEgress } from './egress/egress.ts';
import { createFindTexts } from './egress/txt-records.ts';
import { createApp, guarded, wordingOf } from './http/app.ts';
import { createDirect } from './http/direct.ts';
import { contractOf } from './http/facade.ts';
import { httpFacades } from './http/facades.ts';
import { createHostCheck, type HostCheck } from './http/host.ts';
import { Listener, type ListenerOptions } from './http/listener.ts';
import { directRoutes } from './http/route-table.ts';
import { watchDoor } from './http/watch.ts';
import type { MailListener } from './listen/mail-listener.ts';
import { smtp } from './listen/submission/facade.ts';
import { log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { createLive } from './page/frame/live.ts';
import { openAlerting } from './process/alerts/open.ts';
import { bootstrap } from './process/bootstrap.ts';
import { openBroadcasts } from './process/broadcasts/open.ts';
import { type ChoreOptions, Chores } from './process/chores.ts';
import { openApi } from './process/doors.ts';
import { createPulse, healthOf } from './process/health.ts';
import { createWorkers } from './process/lanes.ts';
import { createMailListeners } from './process/mail.ts';
import { createMailboxIntakes } from './process/mailbox.ts';
import { metricsOf } from './process/measuring.ts';
import { databaseName } from './process/open-database.ts';
import { openStore } from './process/open-store.ts';
import type { Outside } from './process/outside.ts';
import { Parts, together } from './process/parts.ts';
import { Recovery } from './process/recovery.ts';
import { createRelayDesk } from './process/relay-facts.ts';
import { findEntry, RelayKeeper, relaysOf, spfSendersOf } from './process/relays.ts';
import { RestoreGuard } from './process/restore-guard.ts';
import { createSigners } from './process/signers.ts';
import { WakeUps } from './process/wake-ups.ts';
import { Composer } from './render/composer.ts';
import { Renderer } from './render/renderer.ts';
import type { LookOptions } from './use-cases/domain-looks.ts';
import { createKeyTimes } from './use-cases/key-times.ts';
import { createKeyUses } from './use-cases/key-uses.ts';
import type { PauseLimits } from './use-cases/pause-accounts.ts';
import { createRequestLogs } from './use-cases/request-logs.ts';

export type Started = {
  url: string;
  /** Where mail is taken over SMTP, and then in TLS from the start: as many as the settings name. */
  mailPorts: number[];
  /** Set when this start made the first API key: shown once, stored only as a hash. */
  newApiKey: string | null;
  /** Looks at the queue and does the chores now; for tests that moved the clock. */
  tick(): Promise<void>;
  /** From now on mail goes by these relays and routes; no session is dropped for it. */
  change(relay: RelaySetting): void;
  /** Refuses new requests and gates, hands claims back, and waits for verdicts. */
  stop(): Promise<void>;
};

/** What is left undone for a second hurts nobody. */
const choresEveryMs = 1_000;

/** @throws whatever keeps the server from starting; nothing of it is left open then. */
export async function startServer(config: Config, outside: Outside): Promise<Started> {
  const parts = new Parts();
  try {
    return await start(config, outside, parts);
  } catch (error) {
    await parts.stop().catch((another: unknown) => log.stopFailed(another));
    throw error;
  }
}

async function start(config: Config, outside: Outside, parts: Parts): Promise<Started> {
  const startedAt = performance.now();
  const { database, clock, arrivals, hangs } = await openStore(config, outside, parts);
  const wakeUps = new WakeUps(database);
  const { onQueued } = wakeUps;
  const name = `${process.pid}.${randomBytes(4).toString('hex')}`;
  const guard = new RestoreGuard({ database, clock, stateDir: config.stateDir, arrivals });
  const { die } = outside;
  const recovery = new Recovery({ database, clock, policy: config.inDoubt, worker: name, onQueued, die });
  const guards = { guard, guardsRelay: outside.relay === undefined };
  const ready = await bootstrap(database, { config, clock, makesKey: makesKey(config), ...guards, recovery });

  const patienceMs = config.limits.watchMs;
  const pulse = createPulse(database, patienceMs);
  const captures = () => relays.name === 'capture';
  const watched = { isUp: pulse, hangs, captures, patienceMs, troubles: () => alerting.troubles };
  const setting = { relay: config.relay, relayConnections: config.relayConnections };
  const relayDesk = createRelayDesk(() => setting, outside);
  const metrics = metricsOf(database, { ...watched, relays: relayDesk.list });
  const kept = { database, clock, worker: name, onOutcome: metrics.relayOutcome, onQueued, onMore: wakeUps.wake };
  const keeper = await parts.start(new RelayKeeper({ ...kept, setting: relaysFor(config.relay, config, outside) }));
  const { relays } = keeper;
  const keyUses = createKeyUses(database, metrics.keyUsed);
  const keyTimes = createKeyTimes(database, clock);
  const requestLogs = createRequestLogs({ database, clock, nextId: createIdSource(randomBytes) });
  const publicUrl = (): string => config.publicUrl ?? listener.url;
  const renderer = openRenderer(config, metrics, parts);
  const accepts = { database, clock, keyUses, renderer, onQueued };
  const alerting = openAlerting(config, { ...accepts, instance: publicUrl });
  const spfSenders = () => spfSendersOf(setting.relay);
  const looking = lookingOf(accepts, outside, spfSenders, config.dnsServers);
  const spreading = openBroadcasts(config, { ...accepts, secrets: ready.secrets, publicUrl });
  const keeping = { guard, recovery, looking, spreading, alert: () => alerting.run() };
  const chores = await parts.start(
    new Chores({ ...accepts, keyTimes, requestLogs, ...keeping, ...paceOf(config, outside) }),
  );

  const egress = createEgress({ allow: config.egressAllow });
  const signerFor = createSigners(config.dkim, database, ready.secrets);
  const { compose } = openComposer(parts);
  const facades = outside.facades ?? httpFacades;
  const atWork = new Room(config.limits.bodiesAtWorkBytesMax);
  const told = { egress, contractOf: (one: string) => contractOf(facades, one) };
  const sending = { database, clock, relays, renderer, atWork, ...told };
  const returnPaths = createReturnPaths(ready.secrets, config);
  const findRelay = (one: string) => findEntry(setting.relay, one);
  const lanes = { ...sending, metrics, signerFor, compose, returnPaths, name };
  const workers = config.role === 'api' ? [] : createWorkers(config, lanes);
  const live = createLive(database);
  const page = { live, relay: () => relays.name, durable: isDurable(outside), signerFor, compose };
  const requests = { ...accepts, keyTimes, requestLogs, atWork, metrics };
  const shared = { config, facades, known: [...facades, smtp], egress, ...requests };
  const asked = { ...shared, secrets: ready.secrets, spfSenders, publicUrl, page, relayDesk, returnPaths, findRelay };
  const api = config.role === 'worker' ? null : openApi(asked);
  const watching = watchDoor(healthOf(config, { database, pulse, hangs, ...page }), metrics, config.metricsToken);
  const mail = api ? await createMailListeners(config, api.submission, { ...accepts, ...lanes }) : [];
  const mailboxes = await createMailboxIntakes(config, { ...accepts, ...lanes });
  const app = createApp([watching, ...(api?.doors ?? [])], facades, api?.auth);
  const findRefusal = hostCheckOf(config, metrics);
  const listener = createListener(config, {
    fetch: guarded(app, facades, findRefusal),
    direct: createDirect(directRoutes(app), { facades, findRefusal }),
    wordingOf: (path) => wordingOf(facades, path),
  });
  // The listener first: what cannot listen has claimed nothing. At the end requests are answered while verdicts come in.
  await parts.start(together([listener, ...mail, ...mailboxes, ...workers]));
  // Stops before the listener, which waits for its streams.
  parts.opened(() => live.stop());
  wakeUps.join(workers);
  logStart(config, { url: publicUrl(), relay: relays.name, migrated: ready.migrations, startedAt });
  return started({ config, outside, parts, listener, mail, chores, wakeUps, keeper, setting }, ready.newApiKey);
}

type Running = {
  config: Config;
  outside: Outside;
  parts: Parts;
  listener: Listener;
  mail: readonly MailListener[];
  chores: Chores;
  wakeUps: WakeUps;
  keeper: RelayKeeper;
  setting: { relay: RelaySetting };
};

function started({ config, outside, parts, ...running }: Running, newApiKey: string | null): Started {
  const { listener, mail, chores, wakeUps, keeper, setting } = running;
  return {
    url: listener.url,
    mailPorts: mail.map(({ port }) => port),
    newApiKey,
    async tick() {
      await chores.run();
      wakeUps.wake();
    },
    change(relay) {
      setting.relay = relay;
      keeper.change(relaysFor(relay, config, outside));
      log.relaysChanged(keeper.relays.records.map((one) => one.name));
    },
    async stop() {
      await parts.stop();
      log.stopped();
    },
  };
}

function relaysFor(setting: RelaySetting, { relayConnections }: Config, outside: Outside): RelaysSetting {
  if (outside.relay) return onlyRelay(outside.relay);
  return relaysOf(setting, { connections: relayConnections, verdictTimeoutMs: outside.verdictTimeoutMs });
}

/** A worker has no use for a key: whoever serves the API makes the first one and shows it. */
function makesKey({ apiKey, role }: Config): boolean {
  return apiKey === null && role !== 'worker';
}

type Pace = Pick<ChoreOptions, 'retentionDays' | 'garbagePerSecondMax' | 'everyMs' | keyof PauseLimits>;

function paceOf({ retentionDays, pauseAtBounces, pauseAtComplaints, limits }: Config, outside: Outside): Pace {
  const everyMs = outside.choresEveryMs ?? choresEveryMs;
  const { garbagePerSecondMax } = limits;
  return { retentionDays, garbagePerSecondMax, everyMs, pauseAtBounces, pauseAtComplaints };
}

function openRenderer({ limits }: Config, metrics: Metrics, parts: Parts): Renderer {
  const renderer = new Renderer(limits, metrics.rendered);
  parts.opened(() => renderer.stop());
  return renderer;
}

function openComposer(parts: Parts): Composer {
  const composer = new Composer();
  parts.opened(() => composer.stop());
  return composer;
}

function isDurable({ sync }: Outside): boolean {
  return sync === undefined;
}

function createListener(
  { host, port, limits }: Config,
  app: Pick<ListenerOptions, 'fetch' | 'direct' | 'wordingOf'>,
): Listener {
  return new Listener({ host, port, bodyTimeoutMs: limits.bodyTimeoutMs, ...app });
}

function hostCheckOf({ host, publicUrl, allowedHosts }: Config, metrics: Metrics): HostCheck {
  const check = createHostCheck({ listensOn: host, publicUrl, allowed: allowedHosts });
  return (incoming) => {
    const refusal = check(incoming);
    if (refusal) metrics.refused('host');
    return refusal;
  };
}

type StartFacts = { url: string; relay: string; migrated: string[]; startedAt: number };

function logStart({ database }: Config, { startedAt, ...facts }: StartFacts): void {
  log.started({ ...facts, database: databaseName(database), tookMs: Math.round(performance.now() - startedAt) });
}

function lookingOf(
  { database, clock }: Pick<LookOptions, 'database' | 'clock'>,
  outside: Outside,
  senders: () => readonly string[],
  dnsServers: readonly string[],
): LookOptions {
  const findTexts = outside.findTexts ?? createFindTexts(dnsServers);
  return { database, clock, findTexts, senders, onLooked: log.domainLooked };
}
