/** The webhook a path names, and the words the page has for it and for what it was told. */

import { AppError } from '../../core/error.ts';
import { isUuid } from '../../core/token.ts';
import type { WebhookDeliveryView } from '../../store/webhooks/views.ts';
import { findWebhook, type Webhook } from '../../store/webhooks/webhooks.ts';
import { splitCredentials } from '../../webhook/request.ts';
import type { Visit } from '../frame/visit.ts';

/** @throws AppError `not_found`, also for another account's. */
export async function requireWebhook({ parts, session, context }: Visit): Promise<Webhook> {
  const id = (context.req.param('id') ?? '').toLowerCase();
  const found = isUuid(id) ? await findWebhook(parts.database, session.account, null, { id }) : null;
  if (!found) throw noWebhook();
  return found;
}

export function noWebhook(): AppError {
  return new AppError('not_found', 'No webhook with this ID.');
}

/** Without the password Brevo lets its users put there. */
export function shownUrl(webhook: Webhook): string {
  return splitCredentials(webhook.url).url;
}

/** The words of the API. */
export function wordFor({ state, isUnderWay }: WebhookDeliveryView): 'success' | 'failed' | 'attempting' | 'pending' {
  if (state === 'delivered') return 'success';
  if (state === 'failed') return 'failed';
  return isUnderWay ? 'attempting' : 'pending';
}
