/** How a facade tells its webhooks, in one record, and what those have in common whose requests are signed. */

import { signWebhook } from '../core/webhook-secret.ts';
import type { WebhookDelivery } from '../store/webhooks/deliveries.ts';
import type { Webhook } from '../store/webhooks/webhooks.ts';
import type { Told } from './told.ts';

export type Telling = { delivery: WebhookDelivery; told: Told };

export type WebhookRequest = { url: string; headers: Record<string, string>; body: string };

/** What webhooks of a facade are told of an event is in its own words. */
export type WebhookContract = {
  /** As the page says it. */
  label: string;
  /** Whether receivers check what they get with the webhook's secret. */
  isSigned: boolean;
  /** `tellings` are one, unless the webhook takes several at once. A pure function of what is stored, so that each attempt says the same. */
  request(webhook: Webhook, tellings: Telling[], now: number): WebhookRequest;
};

export const ownHeaders = { 'content-type': 'application/json', 'user-agent': 'Sendonce-Webhooks/1' };

/** The receiver's spans join the trace of the client that sent the email; several emails have several traces. */
export function traceOf(tellings: readonly Telling[]): { traceparent?: string } {
  const [only, ...others] = tellings;
  const traceparent = others.length === 0 ? only?.told.email?.traceparent : undefined;
  return traceparent === undefined ? {} : { traceparent };
}

/** `https://user:password@host/` as the address and the header it stands for. What is no URL is left as it is. */
export function splitCredentials(text: string): { url: string; authorization: string | null } {
  if (!URL.canParse(text)) return { url: text, authorization: null };
  const url = new URL(text);
  if (url.username === '' && url.password === '') return { url: text, authorization: null };
  const credentials = [url.username, url.password].map(decoded).join(':');
  url.username = '';
  url.password = '';
  return { url: url.href, authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** During a rotation both secrets sign. */
export function svixHeaders(
  webhook: Pick<Webhook, 'secret' | 'previousSecret' | 'previousUntil'>,
  id: string,
  now: number,
  body: string,
): Record<string, string> {
  const { secret, previousSecret, previousUntil } = webhook;
  const secrets = previousSecret !== null && (previousUntil ?? 0) > now ? [secret, previousSecret] : [secret];
  const timestamp = Math.floor(now / 1_000);
  return {
    'svix-id': id,
    'svix-timestamp': String(timestamp),
    'svix-signature': signWebhook(secrets, id, timestamp, body),
  };
}
