/** Keys that the operator makes up: what can be guessed is refused. */

import { isLoopback } from '../core/loopback.ts';
import type { Settings } from './settings.ts';

/** 16 random characters of 32 are 80 bits. */
const secretCharsMin = 16;

/** A key that can be found by trying is refused where strangers can try. */
export function apiKeyOf(read: Settings, host: string): string | null {
  const key = read.optional('SENDONCE_API_KEY');
  const isAllowed = read.choice('ALLOW_WEAK_KEY', ['false', 'true']) === 'true';
  if (key !== null && isWeak(key) && !isLoopback(host) && !isAllowed) {
    read.refuse(
      'SENDONCE_API_KEY',
      `is too easy to guess for a server that others can reach (HOST is ${host}): ${strength}. For a test, ALLOW_WEAK_KEY=true.`,
    );
  }
  return key;
}

export function metricsTokenOf(read: Settings): string | null {
  const token = read.optional('METRICS_TOKEN');
  if (token !== null && isWeak(token)) read.refuse('METRICS_TOKEN', `is too easy to guess: ${strength}.`);
  return token;
}

const strength = `it takes at least ${secretCharsMin} characters that do not repeat themselves, such as what "openssl rand -hex 20" prints`;

/** What repeats what came before it is no secret: of "abcabcabcabcabca" three characters count. */
function isWeak(secret: string): boolean {
  const { length } = secret;
  for (let period = 1; period < secretCharsMin && period * 2 <= length; period++) {
    if (secret.slice(period) === secret.slice(0, -period)) return true;
  }
  return length < secretCharsMin;
}
