/** What a webhook is told about: an event and the email it happened to, or a change of the suppression list. */

import type { Reader } from '../store/database.ts';
import { type EmailToTell, findEmailToTell } from '../store/mail/emails.ts';
import { type Event, type FactRef, findFact, type SuppressionEvent } from '../store/mail/events.ts';

export type EmailTold = { event: Event; email: EmailToTell };

export type Told = EmailTold | { event: SuppressionEvent; email: null };

export async function findTold(reader: Reader, account: string, ref: FactRef): Promise<Told | null> {
  const event = await findFact(reader, account, ref.event);
  if (!event) return null;
  if ('suppression' in event) return { event, email: null };
  const email = await findEmailToTell(reader, account, ref.emailId);
  return email && { event, email };
}
