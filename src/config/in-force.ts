/** The settings as a process goes by them, for people to look at: what each is, and where it comes from. Never a secret. */

import type { Config } from './config.ts';
import { type Given, isSecretName, type SettingName, settingNames } from './settings.ts';

export type InForce = {
  name: SettingName;
  /** Null: none, where the setting has no default. Of a secret only whether it is set. */
  value: string | null;
  isSecret: boolean;
  /** Null: nobody has set it. */
  from: string | null;
};

/** In the order of their names; the files of secrets are named where their secrets come from. */
export function settingsInForce(config: Config): InForce[] {
  return settingNames
    .filter((name) => !name.endsWith('_FILE') || name === 'RELAYS_FILE' || name === 'FIRST_KEY_FILE')
    .map((name) => (isSecretName(name) ? secret(config.given, name) : plain(config, name)))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function secret(given: Given, name: SettingName): InForce {
  const file = given[`${name}_FILE` as SettingName];
  const from = file === undefined ? (given[name]?.from ?? null) : `the file that ${name}_FILE names (${file.from})`;
  return { name, value: from === null ? null : 'set', isSecret: true, from };
}

function plain(config: Config, name: SettingName): InForce {
  const given = config.given[name];
  const value = given?.text ?? defaults(config)[name] ?? null;
  return { name, value, isSecret: false, from: given?.from ?? null };
}

/** What holds where nobody has said anything. */
function defaults(config: Config): Partial<Record<SettingName, string>> {
  const flag = (is: boolean) => String(is);
  return {
    HOST: config.host,
    PORT: String(config.port),
    STATE_DIR: config.stateDir,
    RELAY_CONNECTIONS: String(config.relayConnections),
    ALLOW_WEAK_KEY: 'false',
    IN_DOUBT: config.inDoubt,
    KEY_LIFETIME: '24h',
    SENT_COUNTS_AS_DELIVERED: flag(config.sentCountsAsDelivered),
    ROLE: config.role,
    REQUIRE_DOMAINS: flag(config.requireDomains),
    BREVO_KEY_MUST_BE_UUID: flag(config.brevoKeyMustBeUuid),
    LOG_LEVEL: config.logLevel,
    BOUNCE_NOTIFY: config.bounceNotify.join(','),
  };
}
