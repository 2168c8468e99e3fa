/** The names of all settings, and a reader that keeps every problem instead of stopping at the first. */

/** For `--flags` of the same name and for the README's table. */
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

/** `text` is a whole sentence that names the setting, says what is wrong and what to do; it never holds a secret. */
export type Problem = { setting: SettingName; text: string };

export class Settings {
  readonly problems: Problem[] = [];
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** `rest` is what follows the setting's name. */
  refuse(setting: SettingName, rest: string): void {
    this.problems.push({ setting, text: `${setting} ${rest}` });
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
    this.refuse(name, `must be a whole number from ${min} to ${max}, not "${text}".`);
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
