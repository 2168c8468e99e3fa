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

export type FactType = EventType | SuppressionFact | ReceivedFact;

/** Of the facts, those about emails that were accepted. */
export function isEmailFact(type: FactType): type is EventType {
  return type !== 'received' && !isSuppressionFact(type);
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
