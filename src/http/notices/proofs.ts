/** Whether a request is from the service that it says it is: by what its operator and we alone know. */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { signWebhook } from '../../core/webhook-secret.ts';

/** Standard Webhooks: an older one may be somebody's who has recorded it. */
const ageMsMax = 5 * 60_000;

/** svix-id, svix-timestamp and svix-signature over the bytes (docs/resend.md, webhooks). */
export function isSvix(headers: IncomingHttpHeaders, body: string, secret: string, now: number): boolean {
  const [id, timestamp, signatures] = ['id', 'timestamp', 'signature'].map((name) => headers[`svix-${name}`]);
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string') return false;
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(now - Number(timestamp) * 1_000) > ageMsMax) return false;
  const ours = signWebhook([secret], id, Number(timestamp), body);
  return signatures
    .slice(0, 4_096)
    .split(' ')
    .some((one) => isSame(one, ours));
}

/** Brevo's `auth` of a webhook: a bearer token, or the password of a basic one, which a URL may bring, too. */
export function hasToken({ authorization = '' }: IncomingHttpHeaders, token: string): boolean {
  const [, scheme = '', said = ''] = /^(Bearer|Basic) +(\S{1,1000})$/i.exec(authorization) ?? [];
  if (scheme.toLowerCase() === 'bearer') return isSame(said, token);
  const text = Buffer.from(said, 'base64').toString();
  return isSame(said, token) || isSame(text.slice(text.indexOf(':') + 1), token);
}

function isSame(one: string, other: string): boolean {
  return timingSafeEqual(hash(one), hash(other));
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
