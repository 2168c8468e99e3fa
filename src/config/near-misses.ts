/** What was probably meant by a name that is none of ours: a misspelled setting would otherwise count for nothing, and say nothing. */

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

/** The name that differs by the fewest letters, if those are one or two. */
export function nearestOf(word: string, names: readonly string[]): string | null {
  const near = names.map((name) => ({ name, distance: distanceOf(word, name) }));
  const [best] = near.sort((one, other) => one.distance - other.distance);
  return best && best.distance <= 2 && best.distance < word.length / 2 ? best.name : null;
}

/** Letters to be changed, left out or put in (Levenshtein). */
function distanceOf(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > 2) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const change = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
