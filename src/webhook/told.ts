/** What a webhook is told about: an event and the email it happened to, a mail that came, or a change of what the account keeps. */

import type { Reader } from '../store/database.ts';
import { type EmailToTell, findEmailToTell } from '../store/mail/email-to-tell.ts';
import {
  type ContactEvent,
  type DomainEvent,
  type Event,
  type FactRef,
  findFact,
  type ReceivedEvent,
  type SuppressionEvent,
} from '../store/mail/events.ts';
import { findReceivedMail, type ReceivedMail } from '../store/received-mails.ts';

export type EmailTold = { event: Event; email: EmailToTell };

export type ReceivedTold = { event: ReceivedEvent; email: null; received: ReceivedMail };

/** It stands in the event as it was then. */
type ChangeTold = { event: SuppressionEvent | ContactEvent | DomainEvent; email: null };

export type Told = EmailTold | ChangeTold | ReceivedTold;

export async function findTold(reader: Reader, account: string, ref: FactRef): Promise<Told | null> {
  const event = await findFact(reader, account, ref.event);
  if (!event) return null;
  if ('suppression' in event || 'contact' in event || 'domain' in event) return { event, email: null };
  if (event.type === 'received') {
    const received = await findReceivedMail(reader, account, ref.emailId);
    return received && { event, email: null, received };
  }
  const email = await findEmailToTell(reader, account, ref.emailId);
  return email && { event, email };
}
