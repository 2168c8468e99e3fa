/** Environment to Config: every default, and all problems at once. */

import { dirname } from 'node:path';
import { parseMailbox } from '../core/address.ts';
import type { DkimKey } from '../core/dkim.ts';
import type { NoticeKind } from '../core/return-path.ts';
import { parseRange } from '../egress/address.ts';
import { type DatabaseSetting, databaseUrls, parseDatabaseUrl, problemOfPostgresUrl } from './database-url.ts';
import { readDkimKeys } from './dkim-keys.ts';
import type { MailboxServer } from './imap-url.ts';
import { bouncesOf, mailboxOf, pauseOf, receivingOf } from './incoming-mail.ts';
import { type Limits, limits } from './limits.ts';
import { type MailSetting, mailOf } from './mail-setting.ts';
import { isResolver, parseMxUrl } from './mx-url.ts';
import { apiKeyOf, metricsTokenOf } from './own-keys.ts';
import type { Variables } from './relay-fields.ts';
import { parseRelayUrl, RelayUrlError } from './relay-url.ts';
import { type RelaySetting, readRelaysFile } from './relays-file.ts';
import {
  type Environment,
  type Given,
  givenIn,
  type Problem,
  type SettingName,
  Settings,
  type Sources,
} from './settings.ts';

/** Never shorter than clients were told it is, and no longer than a mail can be scheduled ahead. */
const keyLifetimes = { minMs: 24 * 60 * 60_000, maxMs: 30 * 24 * 60 * 60_000 };

export type Config = {
  host: string;
  port: number;
  /** Where mail is taken over SMTP. */
  mail: MailSetting;
  database: DatabaseSetting;
  /** Where the witness of the restore guard is kept: outside the database. */
  stateDir: string;
  relay: RelaySetting;
  /** SMTP sessions that send at once; beside them as many again may stay open for nothing but an overdue verdict. */
  relayConnections: number;
  /** Null: made at the first start. */
  apiKey: string | null;
  /** Null: the one in STATE_DIR, which is made where there is none. */
  secretKey: string | null;
  /** The one before it, which still counts. */
  secretKeyOld: string | null;
  /** Null: the first API key is printed. */
  firstKeyFile: string | null;
  /** Names that are answered on a loopback address, beside its own and that of `publicUrl`. */
  allowedHosts: string[];
  /** Addresses and CIDRs whose `X-Forwarded-For` is believed. */
  trustedProxies: string[];
  /** Null: /metrics is for everybody, and /healthz tells nobody more than whether the server is ready. */
  metricsToken: string | null;
  inDoubt: 'hold' | 'send-again';
  /** How long keys live where a facade's contract lets them live longer; null: as long as it says. */
  keyLifetimeMs: number | null;
  sentCountsAsDelivered: boolean;
  role: 'all' | 'api' | 'worker';
  /** Null: from host and port, once listening. */
  publicUrl: string | null;
  /** Whether the first account, too, may only send from domains it was given. */
  requireDomains: boolean;
  /** Requests per second and account; null: no limit. */
  rateLimit: number | null;
  /** Null: contents are kept for ever. */
  retentionDays: number | null;
  /** Whether Brevo's idempotency keys are held to its documented rule. */
  brevoKeyMustBeUuid: boolean;
  /** Read and found usable. */
  dkim: DkimKey[];
  /** Asked for the records of domains instead of the system's resolvers; none: those are. */
  dnsServers: string[];
  /** CIDRs that webhooks may be sent to and attachments fetched from although they are not public. */
  egressAllow: string[];
  /** Whom to call when something needs a person: a URL, and addresses; null and none where nobody is called. */
  alertWebhook: string | null;
  alertEmail: string[];
  /** The sender of those mails. */
  alertFrom: string;
  /** Where bounces come back to; null: to the authors. */
  bounceDomain: string | null;
  /** What relays that offer DSN are asked to tell. */
  bounceNotify: NoticeKind[];
  /** Where they are fetched from by IMAP; null: nowhere. */
  mailbox: MailboxServer | null;
  /** Domains that mail is taken for, beside those that accounts mark as receiving. */
  receivingDomains: string[];
  /** How much must come back within an hour for an account to be paused: a share (of 1) and a number; null: it never is. */
  pauseAtBounces: { share: number; number: number } | null;
  pauseAtComplaints: { share: number; number: number } | null;
  logLevel: string;
  limits: Limits;
  /** As it was written, and where, to be shown. */
  given: Given;
};

/** `variables`: what RELAYS_FILE may name. @throws ConfigError naming every setting that is wrong, and what is accepted. */
export function readConfig(environment: Environment, variables: Variables = {}, sources: Sources = {}): Config {
  const { config, problems } = examineConfig(environment, variables, sources);
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(problems: readonly Problem[]) {
    super(`The settings do not work:\n${problems.map(({ text }) => `  - ${text}`).join('\n')}`);
  }
}

/** A setting that a problem names has some value in `config`, which nothing may rest on. */
export type Examined = { config: Config; problems: readonly Problem[] };

export function examineConfig(environment: Environment, variables: Variables = {}, sources: Sources = {}): Examined {
  const read = new Settings(environment);
  const database = databaseOf(read);
  const host = read.text('HOST', '127.0.0.1');
  const config: Config = {
    host,
    port: read.integer('PORT', 3000, { min: 0, max: 65_535 }),
    mail: mailOf(read),
    database,
    stateDir: read.text('STATE_DIR', database.engine === 'sqlite' ? dirname(database.path) : './data'),
    relay: relayOf(read, variables),
    relayConnections: read.integer('RELAY_CONNECTIONS', 10, { min: 1, max: 200 }),
    secretKey: secretKeyOf(read, 'SECRET_KEY'),
    secretKeyOld: secretKeyOf(read, 'SECRET_KEY_OLD'),
    firstKeyFile: read.optional('FIRST_KEY_FILE'),
    apiKey: apiKeyOf(read, host),
    allowedHosts: read.list('ALLOWED_HOSTS'),
    trustedProxies: rangesOf(read, 'TRUSTED_PROXIES'),
    metricsToken: metricsTokenOf(read),
    inDoubt: read.choice('IN_DOUBT', ['hold', 'send-again']),
    keyLifetimeMs: read.optionalDuration('KEY_LIFETIME', keyLifetimes),
    sentCountsAsDelivered: read.choice('SENT_COUNTS_AS_DELIVERED', ['false', 'true']) === 'true',
    role: read.choice('ROLE', ['all', 'api', 'worker']),
    publicUrl: read.url('PUBLIC_URL'),
    requireDomains: read.choice('REQUIRE_DOMAINS', ['false', 'true']) === 'true',
    rateLimit: read.optionalInteger('RATE_LIMIT', { min: 1, max: 1_000_000 }),
    retentionDays: read.optionalInteger('RETENTION_DAYS', { min: 1, max: 36_500 }),
    brevoKeyMustBeUuid: read.choice('BREVO_KEY_MUST_BE_UUID', ['false', 'true']) === 'true',
    dkim: dkimOf(read),
    dnsServers: dnsServersOf(read),
    egressAllow: rangesOf(read, 'EGRESS_ALLOW'),
    ...alertsOf(read),
    ...bouncesOf(read),
    mailbox: mailboxOf(read),
    receivingDomains: receivingOf(read),
    pauseAtBounces: pauseOf(read, 'PAUSE_AT_BOUNCES'),
    pauseAtComplaints: pauseOf(read, 'PAUSE_AT_COMPLAINTS'),
    logLevel: read.choice('LOG_LEVEL', ['info', 'debug', 'warn', 'error', 'silent']),
    limits,
    given: givenIn(environment, sources),
  };
  return { config, problems: read.problems };
}

function databaseOf(read: Settings): DatabaseSetting {
  const text = read.text('DATABASE_URL', 'sqlite:./data/sendonce.db');
  const listenUrl = read.optional('DATABASE_LISTEN_URL');
  const database = parseDatabaseUrl(text);
  if (!database) read.refuse('DATABASE_URL', `must be ${databaseUrls}.`);
  if (listenUrl !== null && database?.engine !== 'postgres') {
    read.refuse('DATABASE_LISTEN_URL', 'goes with a DATABASE_URL of postgres: only.');
  } else if (listenUrl !== null && parseDatabaseUrl(listenUrl)?.engine !== 'postgres') {
    read.refuse('DATABASE_LISTEN_URL', 'must be a postgres URL.');
  }
  if (database?.engine === 'postgres') {
    refusePostgres(read, 'DATABASE_URL', text);
    if (listenUrl !== null) refusePostgres(read, 'DATABASE_LISTEN_URL', listenUrl);
    return { ...database, listenUrl };
  }
  return database ?? { engine: 'sqlite', path: '' };
}

function refusePostgres(read: Settings, name: SettingName, url: string): void {
  const problem = problemOfPostgresUrl(url);
  if (problem !== null) read.refuse(name, problem);
}

function relayOf(read: Settings, variables: Variables): RelaySetting {
  const url = read.optional('RELAY_URL');
  const path = read.optional('RELAYS_FILE');
  if (path !== null) return relaysOf(read, path, { url, variables });
  try {
    const server = parseMxUrl(url ?? '');
    return server ? { kind: 'mx', server } : parseRelayUrl(url ?? 'capture:');
  } catch (error) {
    if (!(error instanceof RelayUrlError)) throw error;
    read.refuse('RELAY_URL', error.message);
    return { kind: 'capture' };
  }
}

function relaysOf(
  read: Settings,
  path: string,
  { url, variables }: { url: string | null; variables: Variables },
): RelaySetting {
  if (url !== null) read.refuse('RELAYS_FILE', 'and RELAY_URL are both set: leave one of them out.');
  if (read.optional('RELAY_CONNECTIONS') !== null) {
    read.refuse('RELAY_CONNECTIONS', 'goes with RELAY_URL: in RELAYS_FILE each relay has its own `connections`.');
  }
  const { file, problems } = readRelaysFile(path, variables);
  for (const problem of problems) read.refuse('RELAYS_FILE', problem);
  return { kind: 'file', file };
}

/** As many characters as 24 random bytes have in Base64: whoever sees a signature could try what is shorter. */
const secretKeyCharsMin = 32;

function secretKeyOf(read: Settings, name: 'SECRET_KEY' | 'SECRET_KEY_OLD'): string | null {
  const key = read.optional(name);
  if (key !== null && key.length < secretKeyCharsMin) {
    read.refuse(name, `must have at least ${secretKeyCharsMin} characters: \`openssl rand -base64 32\` makes one.`);
  }
  return key;
}

function dkimOf(read: Settings): DkimKey[] {
  const { keys, problems } = readDkimKeys(read.list('DKIM_KEYS'));
  for (const problem of problems) read.refuse('DKIM_KEYS', problem);
  return keys;
}

function dnsServersOf(read: Settings): string[] {
  const servers = read.list('DNS_SERVERS');
  const wrong = servers.find((one) => !isResolver(one));
  if (wrong !== undefined) {
    read.refuse(
      'DNS_SERVERS',
      `has "${wrong}": it takes addresses, with or without a port, as 127.0.0.1:53 or [::1]:53.`,
    );
  }
  return servers;
}

function rangesOf(read: Settings, name: SettingName): string[] {
  const ranges = read.list(name);
  for (const range of ranges) {
    if (parseRange(range)) continue;
    read.refuse(name, `has "${range}": it takes IP addresses and ranges, such as 10.0.0.0/8 or fd00::/8.`);
  }
  return ranges;
}

function alertsOf(read: Settings): Pick<Config, 'alertWebhook' | 'alertEmail' | 'alertFrom'> {
  const alertWebhook = read.url('ALERT_WEBHOOK');
  const alertEmail = read.list('ALERT_EMAIL');
  const [first = ''] = alertEmail;
  const alertFrom = read.text('ALERT_FROM', first);
  for (const [name, text] of [...alertEmail.map((one) => ['ALERT_EMAIL', one]), ['ALERT_FROM', alertFrom]] as const) {
    if (text !== '' && parseMailbox(text ?? '') === null)
      read.refuse(name as SettingName, `must be email addresses, and "${text}" is none.`);
  }
  return { alertWebhook, alertEmail, alertFrom };
}
