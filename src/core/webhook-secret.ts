/** Signing what webhooks are told (https://www.standardwebhooks.com, as Svix and Resend spell it), and the secrets for it. */

import { createHmac } from 'node:crypto';
import type { RandomBytes } from './token.ts';

const prefix = 'whsec_';

/** What Svix makes; Standard Webhooks asks for 24 to 64. */
const secretBytes = 24;

export function createWebhookSecret(random: RandomBytes): string {
  return `${prefix}${Buffer.from(random(secretBytes)).toString('base64')}`;
}

/** One signature for each secret, so that a receiver who knows any of them can verify. `timestamp` is in seconds. */
export function signWebhook(secrets: readonly string[], id: string, timestamp: number, body: string): string {
  return secrets.map((secret) => `v1,${sign(secret, `${id}.${timestamp}.${body}`)}`).join(' ');
}

function sign(secret: string, content: string): string {
  const key = Buffer.from(secret.slice(prefix.length), 'base64');
  return createHmac('sha256', key).update(content).digest('base64');
}
