/** The request a webhook is told with: URL, headers and body, as its facade's contract has them. */

import { signWebhook } from '../core/webhook-secret.ts';
import type { WebhookDelivery } from '../store/webhook-deliveries.ts';
import type { Webhook } from '../store/webhooks.ts';
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
      throw new Error('Brevo webhooks cannot be made yet');
    default:
      return webhook.facade satisfies never;
  }
}

function resendRequest(webhook: Webhook, [telling]: Telling[], now: number): WebhookRequest {
  const body = telling ? JSON.stringify(resendPayload(telling.told)) : '';
  const id = telling?.delivery.id ?? '';
  return { url: webhook.url, headers: { ...headers, ...svixHeaders(webhook, id, now, body) }, body };
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
