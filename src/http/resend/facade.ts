/** Resend, as everything outside this folder knows it. */

import type { HttpFacade } from '../facade.ts';
import { batchEndpoint, facadeName, singleEndpoint } from './endpoints.ts';
import { wording } from './errors.ts';
import { addResendRoutes, type ResendParts } from './routes.ts';
import { webhookContract } from './webhook-contract.ts';

export const resend: HttpFacade<ResendParts> = {
  name: facadeName,
  label: 'Resend',
  through: 'the Resend API',
  // As their SDKs expect it.
  path: '',
  endpoints: [singleEndpoint, batchEndpoint],
  wording,
  webhooks: webhookContract,
  addRoutes: addResendRoutes,
};
