/** The request a webhook is told with: URL, headers and body, as its facade's contract has them. */

import { signWebhook } from '../core/webhook-secret.ts';
import type { WebhookDelivery } from '../store/webhooks/deliveries.ts';
import type { Webhook } from '../store/webhooks/webhooks.ts';
import { brevoPayload } from './brevo-payload.ts';
import { resendPayload } from './resend-payload.ts';
import type { Told } from './told.ts';

export type Telling = { delivery: WebhookDelivery; told: Told };

export type WebhookRequest = { url: string; headers: Record<string, string>; body: string };

const headers = { 'content-type': 'application/json', 'user-agent': 'Sendonce-Webhooks/1' };

/** `tellings` are one, unless the webhook takes several at once. */
export function webhookRequest(webhook: Webhook, tellings: Telling[], now: number): WebhookRequest {
  switch (webhook.facade) {
    case 'resend':
      return resendRequest(webhook, tellings, now);
    case 'brevo':
      return brevoRequest(webhook, tellings);
    default:
      return webhook.facade satisfies never;
  }
}

function resendRequest(webhook: Webhook, [telling]: Telling[], now: number): WebhookRequest {
  const body = telling ? JSON.stringify(resendPayload(telling.told)) : '';
  const id = telling?.delivery.id ?? '';
  return { url: webhook.url, headers: { ...headers, ...svixHeaders(webhook, id, now, body) }, body };
}

/** Nothing is signed: receivers know Brevo by a token, a header of their own, or a password in the URL. */
function brevoRequest(webhook: Webhook, tellings: Telling[]): WebhookRequest {
  const { auth, batched, headers: own = [] } = webhook.options;
  const payloads = tellings.flatMap(({ delivery, told }) =>
    told.email === null ? [] : [brevoPayload(told, webhook.number, delivery.position)],
  );
  const { url, authorization } = splitCredentials(webhook.url);
  const given = auth ? `${auth.type === 'basic' ? 'Basic' : 'Bearer'} ${auth.token}` : authorization;
  return {
    url,
    headers: {
      ...headers,
      ...Object.fromEntries(own.map(({ key, value }) => [key.toLowerCase(), value])),
      ...(given === null ? {} : { authorization: given }),
    },
    body: JSON.stringify(batched ? payloads : payloads[0]),
  };
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
