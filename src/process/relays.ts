/** The relays of this process: made from the settings, told what operators want of them, and what waits for one sent when it is back. */

import { type MxServer, mxName } from '../config/mx-url.ts';
import { type RelayEntry, withDomainConnections } from '../config/relay-entry.ts';
import type { RelayServer } from '../config/relay-url.ts';
import type { RelaySetting } from '../config/relays-file.ts';
import type { Clock } from '../core/clock.ts';
import { spfSenders } from '../core/domain.ts';
import { noRates, relayOfKey } from '../core/rate.ts';
import { createCapture } from '../deliver/capture.ts';
import { createMxRelay } from '../deliver/mx/mx.ts';
import type { Relay } from '../deliver/relay.ts';
import { Permits } from '../deliver/relays/permits.ts';
import type { KnownRelay, RelayRecord } from '../deliver/relays/relay-record.ts';
import { onlyRelay, Relays, type RelaysSetting } from '../deliver/relays/relays.ts';
import { createSmtpRelay } from '../deliver/smtp.ts';
import { withTokens } from '../deliver/smtp-auth.ts';
import { createUpstream } from '../deliver/upstream/upstream.ts';
import { log } from '../log.ts';
import type { Database } from '../store/database.ts';
import { listWaitedFor, releaseSome } from '../store/mail/waiting.ts';
import { takeSome } from '../store/rates.ts';
import { forgetReports, keepReportsOf, listOrders, report } from '../store/relays.ts';
import type { Part } from './parts.ts';

export type RelayKeeperOptions = {
  database: Database;
  clock: Clock;
  setting: RelaysSetting;
  /** Names this process. */
  worker: string;
  onOutcome: (relay: string, outcome: string) => void;
  /** Told when something is due that was not. */
  onQueued: () => void;
  /** Told when this process may take more than it could. */
  onMore: () => void;
};

/** How long an operator's word takes to be heard. */
const listenEveryMs = 1_000;
const releasedAtOnce = 500;

export class RelayKeeper implements Part {
  readonly relays: Relays;
  readonly #options: RelayKeeperOptions;
  readonly #permits: Permits;
  readonly #heard = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;
  #working: Promise<void> = Promise.resolve();

  constructor(options: RelayKeeperOptions) {
    this.#options = options;
    const { onOutcome } = options;
    const onRest = (record: RelayRecord) => this.#onRest(record);
    const onBack = (record: RelayRecord) => this.#onBack(record);
    this.#permits = openPermits(options);
    this.relays = new Relays(options.setting, { onOutcome, onRest, onBack }, this.#permits);
  }

  async start(): Promise<void> {
    const { database, worker } = this.#options;
    await database.write((tx) => forgetReports(tx, database.engine === 'sqlite' ? worker : null));
    await this.#listen(true);
    this.#permits.start();
    // There is one again, and everything is its own, whatever it waited for before.
    if (!this.relays.isRouted) this.#do('release', () => this.#releaseOthers());
    this.#timer = setInterval(() => this.#do('orders', () => this.#listen(false)), listenEveryMs);
  }

  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await this.#working;
    await this.relays.close();
    await this.#permits.stop();
  }

  change(setting: RelaysSetting): void {
    this.relays.change(setting);
    const { database, worker } = this.#options;
    const names = this.relays.records.map((one) => one.name);
    this.#do('report', () => database.write((tx) => keepReportsOf(tx, worker, names)));
    this.#do('orders', () => this.#listen(true));
    this.#options.onQueued();
  }

  /** `isFirst`: what was ordered before is known. */
  async #listen(isFirst: boolean): Promise<void> {
    for (const { relay, isPaused, retryAt } of await listOrders(this.#options.database)) {
      const record = this.relays.find(relay);
      record?.pause(isPaused);
      const isNew = retryAt !== null && retryAt > (this.#heard.get(relay) ?? 0);
      if (retryAt !== null) this.#heard.set(relay, retryAt);
      if (!isNew || isFirst) continue;
      record?.retry();
      await (record ? this.#release(relay) : this.#releaseGone(relay));
    }
  }

  #onRest(record: RelayRecord): void {
    log.relayRests(record.name, record.lastReply?.text ?? '');
    this.#do('report', () => this.#report(record, 'resting'));
  }

  #onBack(record: RelayRecord): void {
    log.relayBack(record.name);
    this.#do('report', async () => {
      await this.#report(record, 'up');
      await this.#release(record.name);
    });
  }

  #report(record: RelayRecord, state: 'up' | 'resting'): Promise<void> {
    const { database, clock, worker } = this.#options;
    const reply = record.lastReply?.text ?? null;
    return database.write((tx) => report(tx, { relay: record.name, worker, state, since: clock.now(), reply }));
  }

  async #releaseOthers(): Promise<void> {
    for (const waitsFor of await listWaitedFor(this.#options.database)) {
      if (this.relays.isUnknown(waitsFor)) await this.#releaseAll(waitsFor);
    }
  }

  /** An operator says so: what waits for one that is gone takes the relays there are. */
  async #releaseGone(name: string): Promise<void> {
    for (const waitsFor of await listWaitedFor(this.#options.database)) {
      const isFor = waitsFor.split(' ').some((key) => relayOfKey(key) === name);
      if (isFor && this.relays.isUnknown(waitsFor)) await this.#releaseAll(waitsFor);
    }
  }

  /** Where mails have routes they are claimed as soon as it is open; otherwise what waits for it is due now. */
  async #release(name: string): Promise<void> {
    if (this.relays.isRouted) return this.#options.onQueued();
    for (const waitsFor of await listWaitedFor(this.#options.database)) {
      if (waitsFor.split(' ').includes(name)) await this.#releaseAll(waitsFor);
    }
  }

  async #releaseAll(waitsFor: string): Promise<void> {
    const { database, clock, onQueued } = this.#options;
    for (;;) {
      const terms = { now: clock.now(), limit: releasedAtOnce };
      const found = await database.write((tx) => releaseSome(tx, waitsFor, terms));
      if (found > 0) onQueued();
      if (found < releasedAtOnce) break;
    }
  }

  /** One after the other. What fails is said; the mail's own time brings it back. */
  #do(what: string, work: () => Promise<void>): void {
    this.#working = this.#working.then(work).catch((error: unknown) => log.choreFailed(what, error));
  }
}

function openPermits({ database, clock, worker, onMore }: RelayKeeperOptions): Permits {
  const isShared = database.engine === 'postgres';
  return new Permits({
    clock,
    onMore,
    onFailure: (error) => log.choreFailed('rates', error),
    take: (takings) =>
      database.write(async (tx) => {
        const granted = [];
        for (const one of takings) granted.push(await takeSome(tx, worker, one, { now: clock.now(), isShared }));
        return granted;
      }),
  });
}

/** `connections`: of a relay that has no number of its own. `verdictTimeoutMs`: instead of the SMTP client's. */
export type RelayTerms = { connections: number; verdictTimeoutMs?: number | undefined };

export function relaysOf(setting: RelaySetting, terms: RelayTerms): RelaysSetting {
  switch (setting.kind) {
    case 'capture':
      return onlyRelay(createCapture());
    case 'smtp':
      return onlyRelay(openRelay(setting.server, terms), secretsOf(setting.server));
    case 'mx':
      return onlyMx(setting.server, terms);
    case 'file': {
      const { relays, routes } = setting.file;
      const rates = new Map(relays.map((one) => [one.name, one.rates]));
      return { known: relays.map((entry) => known(entry, terms)), routes, isRouted: true, rates };
    }
    default:
      return setting satisfies never;
  }
}

function known({ rates: _, ...entry }: RelayEntry, terms: RelayTerms): KnownRelay {
  const { name, connections } = entry;
  // Other rates are no reason to end its sessions.
  const shared = { name, terms: JSON.stringify(entry) };
  if (entry.kind === 'upstream') {
    const { key: apiKey, ...server } = entry.server;
    return {
      ...shared,
      secrets: [apiKey],
      open: () => createUpstream({ ...server, apiKey, concurrency: connections }),
    };
  }
  if (entry.kind === 'mx')
    return { ...shared, secrets: [], open: () => openMx(entry.server, { ...terms, connections }) };
  const { server } = entry;
  return { ...shared, secrets: secretsOf(server), open: () => openRelay(server, { ...terms, connections }) };
}

/** Its domains wait, rest and go as those of any relay in a file do. */
function onlyMx(server: MxServer, terms: RelayTerms): RelaysSetting {
  const relay = { name: mxName, terms: JSON.stringify(server), secrets: [], open: () => openMx(server, terms) };
  const rates = new Map([[mxName, withDomainConnections(noRates, terms.connections)]]);
  return { known: [relay], routes: [], isRouted: true, rates };
}

function openMx(server: MxServer, { connections, verdictTimeoutMs }: RelayTerms): Relay {
  return createMxRelay({ ...server, concurrency: connections, verdictTimeoutMs });
}

function openRelay(server: RelayServer, { connections, verdictTimeoutMs }: RelayTerms): Relay {
  const patience = verdictTimeoutMs === undefined ? {} : { verdictTimeoutMs };
  return createSmtpRelay({ ...withTokens(server), ...patience, concurrency: connections });
}

function secretsOf({ auth, oauth }: RelayServer): string[] {
  if (oauth) return [oauth.clientSecret, oauth.refreshToken].filter((one) => one !== null);
  return auth ? [auth.pass, `\0${auth.user}\0${auth.pass}`] : [];
}

/** Relays that only capture, and the other doors of a service over HTTP, are in nobody's SPF. */
export function spfSendersOf(relay: RelaySetting): readonly string[] {
  switch (relay.kind) {
    case 'capture':
    case 'mx':
      return [];
    case 'smtp':
      return spfSenders([relay.server.host]);
    case 'file':
      return spfSenders(relay.file.relays.flatMap((one) => (one.kind === 'smtp' ? [one.server.host] : [])));
  }
}

/** The one of this name in RELAYS_FILE; null: there is none. */
export function findEntry(relay: RelaySetting, name: string): RelayEntry | null {
  return (relay.kind === 'file' && relay.file.relays.find((one) => one.name === name)) || null;
}
