/** How Brevo's webhooks are told of an event: each recipient alone, or several in one request (docs/brevo.md, webhooks). */

import { ownHeaders, splitCredentials, traceOf, type WebhookContract } from '../../webhook/request.ts';
import { brevoPayload, contactPayload } from './webhook-payload.ts';

export const webhookContract: WebhookContract = {
  label: 'Brevo’s, not signed',
  // Receivers know Brevo by a token, a header of their own, or a password in the URL.
  isSigned: false,
  request(webhook, tellings) {
    const { auth, batched, headers = [] } = webhook.options;
    const payloads = tellings.flatMap(({ delivery, told }) => {
      if (told.email !== null) return [brevoPayload(told, webhook.number, delivery.position)];
      return 'contact' in told.event ? [contactPayload(told.event, webhook.number)] : [];
    });
    const { url, authorization } = splitCredentials(webhook.url);
    const given = auth ? `${auth.type === 'basic' ? 'Basic' : 'Bearer'} ${auth.token}` : authorization;
    return {
      url,
      headers: {
        ...ownHeaders,
        ...traceOf(tellings),
        ...Object.fromEntries(headers.map(({ key, value }) => [key.toLowerCase(), value])),
        ...(given === null ? {} : { authorization: given }),
      },
      body: JSON.stringify(batched ? payloads : payloads[0]),
    };
  },
};
