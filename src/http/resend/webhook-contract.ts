/** How Resend's webhooks are told of an event: by a signed request each (docs/resend.md, webhooks). */

import { ownHeaders, svixHeaders, traceOf, type WebhookContract } from '../../webhook/request.ts';
import { resendPayload } from './webhook-payload.ts';

export const webhookContract: WebhookContract = {
  label: 'Resend’s, signed as Svix does',
  isSigned: true,
  request(webhook, [telling], now) {
    const body = telling ? JSON.stringify(resendPayload(telling.told)) : '';
    const id = telling?.delivery.id ?? '';
    const headers = { ...ownHeaders, ...traceOf(telling ? [telling] : []), ...svixHeaders(webhook, id, now, body) };
    return { url: webhook.url, headers, body };
  },
};
