/** Brevo, as everything outside this folder knows it. */

import type { HttpFacade } from '../facade.ts';
import { facadeName, sendEndpoint } from './endpoints.ts';
import { wording } from './errors.ts';
import { addBrevoRoutes, type BrevoParts } from './routes.ts';
import { webhookContract } from './webhook-contract.ts';

const path = '/v3';

export const brevo: HttpFacade<BrevoParts> = {
  name: facadeName,
  label: 'Brevo',
  through: 'the Brevo API',
  path,
  endpoints: [sendEndpoint],
  wording,
  webhooks: webhookContract,
  // Brevo's SDKs want a base URL that ends in /v3, and the mistake is easily made.
  hintFor: (stray) => (stray.startsWith('/smtp/') ? `Brevo's API is below ${path}: ${path}${stray}` : null),
  addRoutes: addBrevoRoutes,
};
