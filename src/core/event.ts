/** Facts about an email, append-only, spelled as the wire spells them. */

import { describeBounce } from './bounce.ts';
import type { Said } from './reply.ts';

export type EventType =
  | 'queued'
  | 'scheduled'
  | 'sent'
  | 'delivered'
  | 'delivery_delayed'
  | 'bounced'
  | 'complained'
  | 'failed'
  | 'suppressed'
  | 'canceled';

/** Facts about the suppression list, told to webhooks like those about emails. */
export type SuppressionFact = 'suppression_added' | 'suppression_removed';

/** That a mail came for a domain of the account. */
export type ReceivedFact = 'received';

/** `contact_listed`: it came to a segment. Written down where a webhook asks for them. */
export const contactFacts = ['contact_created', 'contact_updated', 'contact_deleted', 'contact_listed'] as const;
export type ContactFact = (typeof contactFacts)[number];

/** Written down where a webhook asks for them. */
export const domainFacts = ['domain_created', 'domain_updated', 'domain_deleted'] as const;
export type DomainFact = (typeof domainFacts)[number];

export type FactType = EventType | SuppressionFact | ReceivedFact | ContactFact | DomainFact;

/** Of the facts, those about emails that were accepted. */
export function isEmailFact(type: FactType): type is EventType {
  return type !== 'received' && !isSuppressionFact(type) && !isContactFact(type) && !isDomainFact(type);
}

export function isContactFact(type: FactType): type is ContactFact {
  return contactFacts.some((one) => one === type);
}

export function isDomainFact(type: FactType): type is DomainFact {
  return domainFacts.some((one) => one === type);
}

export function isSuppressionFact(type: FactType): type is SuppressionFact {
  return type === 'suppression_added' || type === 'suppression_removed';
}

/** What a webhook may want to hear of: a type of event, or only bounces of one kind. */
export type Subject = FactType | 'hard_bounce' | 'soft_bounce';

/** What an event is about, once in general and once precisely; mostly the same. */
export function subjectsOf(type: FactType, said: Said | null): [Subject, Subject] {
  if (type !== 'bounced') return [type, type];
  return [type, describeBounce(said).type === 'Permanent' ? 'hard_bounce' : 'soft_bounce'];
}
