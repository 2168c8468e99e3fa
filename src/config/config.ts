/** Environment to Config: every default and every limit of the server; all problems are reported at once. */

import { dirname } from 'node:path';

export type DkimSource = { domain: string; selector: string; keyFile: string };

export type DatabaseSetting =
  | { engine: 'sqlite'; path: string }
  /** `listenUrl`: for wake-ups, where `url` leads through a pooler; null: the same. */
  | { engine: 'postgres'; url: string; listenUrl: string | null };

export type Config = {
  host: string;
  port: number;
  database: DatabaseSetting;
  /** Where the witness of the restore guard is kept: outside the database. */
  stateDir: string;
  relayUrl: string;
  relayConnections: number;
  /** Null: made at the first start. */
  apiKey: string | null;
  inDoubt: 'hold' | 'send-again';
  sentCountsAsDelivered: boolean;
  role: 'all' | 'api' | 'worker';
  /** Null: from host and port, once listening. */
  publicUrl: string | null;
  /** Requests per second and account; null: no limit. */
  rateLimit: number | null;
  /** Null: contents are kept for ever. */
  retentionDays: number | null;
  /** Whether Brevo's idempotency keys are held to its documented rule. */
  brevoKeyMustBeUuid: boolean;
  dkim: DkimSource[];
  /** CIDRs that webhooks may be sent to and attachments fetched from although they are not public. */
  egressAllow: string[];
  logLevel: string;
  limits: Limits;
};

export type Limits = {
  bodyBytesMax: number;
  bodyTimeoutMs: number;
  remoteBytesMax: number;
  remoteTimeoutMs: number;
  attachmentLinkMs: number;
  garbagePerSecondMax: number;
  apiKeyCacheMs: number;
};

/** What belongs to a facade's contract (recipients, batch sizes, …) stands beside the facade: http/resend/limits.ts. */
const limits: Limits = {
  // A batch of 100 may carry attachments here; one email of 40 MB must fit with its JSON around it.
  bodyBytesMax: 64 * 1024 * 1024,
  // Node's own default for a whole request; a slower client keeps no memory longer.
  bodyTimeoutMs: 300_000,
  // Decoded, so that Base64 stays within the 40 MB an email may have.
  remoteBytesMax: 30 * 1024 * 1024,
  // Under the 30 s after which the Python SDK gives up and retries.
  remoteTimeoutMs: 20_000,
  // What the real API's links live for.
  attachmentLinkMs: 60 * 60_000,
  // Keys and purged contents a second: 86 million a day, in steps no accept notices.
  garbagePerSecondMax: 1_000,
  // How long a revoked key may still work.
  apiKeyCacheMs: 1_000,
};

/** The names of all settings, for `--flags` of the same name and for the README's table. */
export const settingNames = [
  'HOST',
  'PORT',
  'DATABASE_URL',
  'DATABASE_LISTEN_URL',
  'STATE_DIR',
  'RELAY_URL',
  'RELAY_CONNECTIONS',
  'SENDONCE_API_KEY',
  'IN_DOUBT',
  'SENT_COUNTS_AS_DELIVERED',
  'ROLE',
  'PUBLIC_URL',
  'RATE_LIMIT',
  'RETENTION_DAYS',
  'BREVO_KEY_MUST_BE_UUID',
  'DKIM_KEYS',
  'EGRESS_ALLOW',
  'LOG_LEVEL',
] as const;

export type SettingName = (typeof settingNames)[number];
export type Environment = Partial<Record<SettingName, string>>;

/** @throws ConfigError naming every setting that is wrong, and what is accepted. */
export function readConfig(environment: Environment): Config {
  const read = new Settings(environment);
  const database = read.database();
  const config: Config = {
    host: read.text('HOST', '127.0.0.1'),
    port: read.integer('PORT', 3000, { min: 0, max: 65_535 }),
    database,
    stateDir: read.text('STATE_DIR', database.engine === 'sqlite' ? dirname(database.path) : './data'),
    relayUrl: read.text('RELAY_URL', 'capture:'),
    relayConnections: read.integer('RELAY_CONNECTIONS', 10, { min: 1, max: 200 }),
    apiKey: read.optional('SENDONCE_API_KEY'),
    inDoubt: read.choice('IN_DOUBT', ['hold', 'send-again']),
    sentCountsAsDelivered: read.choice('SENT_COUNTS_AS_DELIVERED', ['false', 'true']) === 'true',
    role: read.choice('ROLE', ['all', 'api', 'worker']),
    publicUrl: read.url('PUBLIC_URL'),
    rateLimit: read.optionalInteger('RATE_LIMIT', { min: 1, max: 1_000_000 }),
    retentionDays: read.optionalInteger('RETENTION_DAYS', { min: 1, max: 36_500 }),
    brevoKeyMustBeUuid: read.choice('BREVO_KEY_MUST_BE_UUID', ['false', 'true']) === 'true',
    dkim: read.dkim(),
    egressAllow: read.list('EGRESS_ALLOW'),
    logLevel: read.choice('LOG_LEVEL', ['info', 'debug', 'warn', 'error', 'silent']),
    limits,
  };
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return config;
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(problems: string[]) {
    super(`The settings do not work:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
}

/** What `parseDatabaseUrl` takes, in words. */
export const databaseUrls = 'sqlite: and a path (sqlite:./data/sendonce.db) or postgres://user:password@host/database';

/** Null where it is neither. */
export function parseDatabaseUrl(text: string): DatabaseSetting | null {
  if (/^sqlite:./.test(text)) return { engine: 'sqlite', path: text.replace(/^sqlite:(\/\/(?=\/))?/, '') };
  if (/^postgres(ql)?:\/\/./.test(text)) return { engine: 'postgres', url: text, listenUrl: null };
  return null;
}

/** What node-postgres knows; anything else it would take for verify-full. */
const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'];

/** What is wrong with a URL of PostgreSQL, to be read after its setting's name; null: nothing. */
function problemOfPostgresUrl(text: string): string | null {
  // A host that is left out, beside a user: a socket, which `host=` names.
  const readable = [text, text.replace('@/', '@localhost/')].find((one) => URL.canParse(one));
  if (readable === undefined) {
    return 'cannot be read as a URL: special characters in a password must be percent-encoded (/ is %2F, # is %23, ? is %3F).';
  }
  const mode = new URL(readable).searchParams.get('sslmode');
  if (mode === null || sslModes.includes(mode)) return null;
  return `has an unknown sslmode "${mode}": it must be ${sslModes.join(', ')}.`;
}

/** Reads one environment, keeping every problem instead of stopping at the first. */
class Settings {
  readonly problems: string[] = [];
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** An empty variable counts as absent: that is how compose files and shells leave one out. */
  optional(name: SettingName): string | null {
    const value = this.#environment[name]?.trim();
    return value === undefined || value === '' ? null : value;
  }

  text(name: SettingName, fallback: string): string {
    return this.optional(name) ?? fallback;
  }

  integer(name: SettingName, fallback: number, range: { min: number; max: number }): number {
    return this.optionalInteger(name, range) ?? fallback;
  }

  optionalInteger(name: SettingName, { min, max }: { min: number; max: number }): number | null {
    const text = this.optional(name);
    if (text === null) return null;
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    this.problems.push(`${name} must be a whole number from ${min} to ${max}, not "${text}".`);
    return null;
  }

  /** The first choice is the default. */
  choice<const T extends string>(name: SettingName, choices: readonly [T, ...T[]]): T {
    const text = this.optional(name);
    if (text === null) return choices[0];
    const chosen = choices.find((choice) => choice === text.toLowerCase());
    if (chosen !== undefined) return chosen;
    this.problems.push(`${name} must be ${choices.map((one) => `"${one}"`).join(' or ')}, not "${text}".`);
    return choices[0];
  }

  list(name: SettingName): string[] {
    const parts = (this.optional(name) ?? '').split(',').map((part) => part.trim());
    return parts.filter((part) => part !== '');
  }

  url(name: SettingName): string | null {
    const text = this.optional(name);
    if (text === null) return null;
    if (/^https?:\/\/[^/]/.test(text) && URL.canParse(text)) return text.replace(/\/+$/, '');
    this.problems.push(`${name} must be an http or https URL, not "${text}".`);
    return null;
  }

  database(): DatabaseSetting {
    const text = this.text('DATABASE_URL', 'sqlite:./data/sendonce.db');
    const listenUrl = this.optional('DATABASE_LISTEN_URL');
    const database = parseDatabaseUrl(text);
    if (!database) this.problems.push(`DATABASE_URL must be ${databaseUrls}.`);
    if (listenUrl !== null && database?.engine !== 'postgres') {
      this.problems.push('DATABASE_LISTEN_URL goes with a DATABASE_URL of postgres: only.');
    } else if (listenUrl !== null && parseDatabaseUrl(listenUrl)?.engine !== 'postgres') {
      this.problems.push('DATABASE_LISTEN_URL must be a postgres URL.');
    }
    if (database?.engine === 'postgres') {
      this.#postgres('DATABASE_URL', text);
      if (listenUrl !== null) this.#postgres('DATABASE_LISTEN_URL', listenUrl);
      return { ...database, listenUrl };
    }
    return database ?? { engine: 'sqlite', path: '' };
  }

  #postgres(name: SettingName, url: string): void {
    const problem = problemOfPostgresUrl(url);
    if (problem !== null) this.problems.push(`${name} ${problem}`);
  }

  dkim(): DkimSource[] {
    return this.list('DKIM_KEYS').flatMap((part) => {
      const [domain, selector, ...file] = part.split(':');
      const keyFile = file.join(':');
      if (domain && selector && keyFile) return [{ domain: domain.toLowerCase(), selector, keyFile }];
      this.problems.push(`DKIM_KEYS must be domain:selector:/path/to/key.pem, comma-separated, not "${part}".`);
      return [];
    });
  }
}
