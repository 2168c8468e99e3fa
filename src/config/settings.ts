/** The names of all settings, and a reader that keeps every problem instead of stopping at the first. */

import { readFileSync } from 'node:fs';

/** Secrets, or what may have one in it. Each may be read from a file instead, which the same name with _FILE names. */
const secretNames = [
  'DATABASE_URL',
  'DATABASE_LISTEN_URL',
  'RELAY_URL',
  'SENDONCE_API_KEY',
  'METRICS_TOKEN',
  'SECRET_KEY',
  'SECRET_KEY_OLD',
  'ALERT_WEBHOOK',
  'BOUNCE_IMAP_URL',
] as const;

const plainNames = [
  'HOST',
  'LISTEN_SMTP',
  'LISTEN_SMTPS',
  'TLS_CERT',
  'TLS_KEY',
  'PORT',
  'STATE_DIR',
  'RELAY_CONNECTIONS',
  'RELAYS_FILE',
  'ALLOW_WEAK_KEY',
  'ALLOWED_HOSTS',
  'TRUSTED_PROXIES',
  'IN_DOUBT',
  'KEY_LIFETIME',
  'SENT_COUNTS_AS_DELIVERED',
  'ROLE',
  'PUBLIC_URL',
  'RATE_LIMIT',
  'REQUIRE_DOMAINS',
  'RETENTION_DAYS',
  'BREVO_KEY_MUST_BE_UUID',
  'DKIM_KEYS',
  'DNS_SERVERS',
  'EGRESS_ALLOW',
  'LOG_LEVEL',
  'FIRST_KEY_FILE',
  'ALERT_EMAIL',
  'ALERT_FROM',
  'BOUNCE_DOMAIN',
  'BOUNCE_NOTIFY',
  'RECEIVING_DOMAINS',
  'PAUSE_AT_BOUNCES',
  'PAUSE_AT_COMPLAINTS',
] as const;

type SecretName = (typeof secretNames)[number];
type FileName = `${SecretName}_FILE`;
export type SettingName = SecretName | FileName | (typeof plainNames)[number];

/** For `--flags` of the same name and for docs/settings.md. */
export const settingNames: readonly SettingName[] = [...plainNames, ...secretNames, ...secretNames.map(fileOf)];

export type Environment = Partial<Record<SettingName, string>>;

/** Where each setting that was given comes from, in words for people: a flag, the environment, a file. */
export type Sources = Partial<Record<SettingName, string>>;

/** What was given, and where; secrets without their text. */
export type Given = Partial<Record<SettingName, { text: string; from: string }>>;

/** An empty variable counts as absent. */
export function givenIn(environment: Environment, sources: Sources): Given {
  const given: Given = {};
  for (const name of settingNames) {
    const text = environment[name]?.trim() ?? '';
    if (text !== '') given[name] = { text: isSecretName(name) ? '' : text, from: sources[name] ?? 'the environment' };
  }
  return given;
}

/** `text` is a whole sentence that names the setting, says what is wrong and what to do; it never holds a secret. */
export type Problem = { setting: SettingName; text: string };

/** Of settings that were given as flags, which every user of the machine can read (`ps`): those that are secrets. */
export function visibleSecrets(flags: Environment): string[] {
  return secretNames.filter((name) => {
    const value = flags[name] ?? '';
    return /^[a-z]+:/i.test(value) ? /:[^/@]+@/.test(value) : value !== '';
  });
}

const hourMs = 60 * 60_000;
const dayMs = 24 * hourMs;

export class Settings {
  readonly problems: Problem[] = [];
  readonly #environment: Environment;
  readonly #secrets = new Map<SecretName, string | null>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** `rest` is what follows the setting's name. */
  refuse(setting: SettingName, rest: string): void {
    this.problems.push({ setting, text: `${setting} ${rest}` });
  }

  /** An empty variable counts as absent: that is how compose files and shells leave one out. */
  optional(name: SettingName): string | null {
    return isSecretName(name) ? this.#secret(name) : this.#given(name);
  }

  #given(name: SettingName): string | null {
    const value = this.#environment[name]?.trim();
    return value === undefined || value === '' ? null : value;
  }

  /** Read once, so that what is wrong with its file is said once. */
  #secret(name: SecretName): string | null {
    const known = this.#secrets.get(name);
    if (known !== undefined) return known;
    const value = this.#givenOrFile(name);
    this.#secrets.set(name, value);
    return value;
  }

  #givenOrFile(name: SecretName): string | null {
    const value = this.#given(name);
    const setting = fileOf(name);
    const path = this.#given(setting);
    if (path === null) return value;
    if (value !== null) this.refuse(setting, `and ${name} are both set: leave one of them out.`);
    return value ?? this.#read(setting, path);
  }

  /** An empty one is a mistake, and never the default. */
  #read(setting: FileName, path: string): string | null {
    try {
      const text = readFileSync(path, 'utf8').trim();
      if (text !== '') return text;
      this.refuse(setting, `names a file that is empty: ${path}.`);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      this.refuse(setting, `names a file that cannot be read (${code}): ${path}.`);
    }
    return null;
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
    this.refuse(name, `must be a whole number from ${min} to ${max}, not "${text}".`);
    return null;
  }

  /** Milliseconds of what is written as hours or days: `48h`, `30d`. */
  optionalDuration(name: SettingName, { minMs, maxMs }: { minMs: number; maxMs: number }): number | null {
    const text = this.optional(name);
    if (text === null) return null;
    const [, count = '', unit = ''] = /^(\d{1,6})([hd])$/.exec(text.toLowerCase()) ?? [];
    const ms = Number(count) * (unit === 'd' ? dayMs : hourMs);
    if (count !== '' && ms >= minMs && ms <= maxMs) return ms;
    this.refuse(name, `must be from ${inHours(minMs)} to ${inHours(maxMs)}, written as 48h or 30d, not "${text}".`);
    return null;
  }

  /** The first choice is the default. */
  choice<const T extends string>(name: SettingName, choices: readonly [T, ...T[]]): T {
    const text = this.optional(name);
    if (text === null) return choices[0];
    const chosen = choices.find((choice) => choice === text.toLowerCase());
    if (chosen !== undefined) return chosen;
    this.refuse(name, `must be ${choices.map((one) => `"${one}"`).join(' or ')}, not "${text}".`);
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
    this.refuse(name, `must be an http or https URL, not "${text}".`);
    return null;
  }
}

function inHours(ms: number): string {
  return ms % dayMs === 0 && ms > dayMs ? `${ms / dayMs}d` : `${ms / hourMs}h`;
}

export function isSecretName(name: SettingName): name is SecretName {
  return secretNames.some((secret) => secret === name);
}

function fileOf(name: SecretName): FileName {
  return `${name}_FILE`;
}
