/** What a database tells of each email once a life is over. */

import type { DeliveryState } from '../../src/core/delivery-state.ts';
import type { Books } from './books.ts';

export type StoredDelivery = {
  email_id: string;
  part: number;
  state: DeliveryState;
  recipients: string[];
  content_hash: Buffer | null;
  gated_at: number | null;
};

export type StoredEvent = {
  type: string;
  at: number;
  /** Of the email, where the event names none. */
  recipients: string[] | null;
  isInDoubt: boolean;
  by: 'operator' | 'policy' | 'notice' | null;
  scheduledAt: number | null;
};

export type StoredEmail = {
  id: string;
  messageId: string;
  scheduledAt: number | null;
  deliveries: StoredDelivery[];
  /** In the order they happened. */
  events: StoredEvent[];
};

type Rows = {
  email: { id: string; message_id: string; scheduled_at: number | null };
  delivery: Omit<StoredDelivery, 'recipients'> & { recipients: string };
  event: { email_id: string; type: string; at: number; detail: string };
};

export async function readStored(books: Books): Promise<Map<string, StoredEmail>> {
  const stored = new Map<string, StoredEmail>();
  const [emails, deliveries, events] = await books.rowsAtOnce<[Rows['email'], Rows['delivery'], Rows['event']]>([
    'select id, message_id, scheduled_at from emails',
    'select email_id, part, state, recipients, content_hash, gated_at from deliveries',
    'select email_id, type, at, detail from events order by id',
  ]);
  for (const row of emails) {
    const { id, message_id: messageId, scheduled_at: scheduledAt } = row;
    stored.set(id, { id, messageId, scheduledAt, deliveries: [], events: [] });
  }
  for (const row of deliveries) {
    stored.get(row.email_id)?.deliveries.push({ ...row, recipients: JSON.parse(row.recipients) });
  }
  for (const row of events) stored.get(row.email_id)?.events.push(toEvent(row));
  return stored;
}

function toEvent({ type, at, detail }: Rows['event']): StoredEvent {
  const { recipients = null, in_doubt = false, by = null, scheduled_at = null } = JSON.parse(detail);
  return { type, at, recipients, isInDoubt: in_doubt, by, scheduledAt: scheduled_at };
}

/** Undefined where no delivery is for them. */
export function stateOf(email: StoredEmail, recipient: string): DeliveryState | undefined {
  return email.deliveries.find(({ recipients }) => recipients.includes(recipient))?.state;
}

export function eventsOf(email: StoredEmail, recipient: string): StoredEvent[] {
  return email.events.filter(({ recipients }) => recipients?.includes(recipient));
}
