/** What a webhook is told about: an event and the email it happened to, read from the store. */

import type { Reader } from '../store/database.ts';
import { type EmailToTell, findEmailToTell } from '../store/emails.ts';
import { type Event, findEvent } from '../store/events.ts';
import type { WebhookDelivery } from '../store/webhook-deliveries.ts';

export type Told = { event: Event; email: EmailToTell };

export async function findTold(
  reader: Reader,
  account: string,
  delivery: Pick<WebhookDelivery, 'event' | 'emailId'>,
): Promise<Told | null> {
  const event = await findEvent(reader, account, delivery.event);
  const email = await findEmailToTell(reader, account, delivery.emailId);
  return event && email ? { event, email } : null;
}
