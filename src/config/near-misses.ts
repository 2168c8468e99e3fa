/** What was probably meant by a name that is none of ours: a misspelled setting would otherwise count for nothing, and say nothing. */

import { nearestOf } from '../core/spelling.ts';
import { settingNames } from './settings.ts';

/** What other programs call what we call otherwise. */
const elsewhere: Readonly<Record<string, string>> = {
  SMTP_URL: 'RELAY_URL',
  SMTP_RELAY: 'RELAY_URL',
  SMTP_RELAY_URL: 'RELAY_URL',
  MAIL_URL: 'RELAY_URL',
  SENDONCE_KEY: 'SENDONCE_API_KEY',
  SENDONCE_RELAY_URL: 'RELAY_URL',
  SENDONCE_DATABASE_URL: 'DATABASE_URL',
  SENDONCE_PORT: 'PORT',
};

/** Shorter names are too near to names of others: HOSTS, SORT. */
const guessedLengthMin = 7;

/** Variables of the environment that are no settings, each with the one it is taken for. */
export function findNearMisses(
  environment: Readonly<Record<string, string | undefined>>,
): [name: string, meant: string][] {
  const known = new Set<string>(settingNames);
  return Object.keys(environment)
    .filter((name) => !known.has(name))
    .flatMap((name): [string, string][] => {
      const meant = elsewhere[name.toUpperCase()] ?? settingLike(name);
      return meant === null ? [] : [[name, meant]];
    });
}

function settingLike(name: string): string | null {
  const upper = name.toUpperCase().replaceAll('-', '_');
  if (settingNames.some((one) => one === upper)) return upper;
  return upper.length < guessedLengthMin ? null : nearestOf(upper, settingNames);
}
