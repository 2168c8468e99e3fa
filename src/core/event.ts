/** Facts about an email, append-only, spelled as the wire spells them. */

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

/** States of a delivery; the same words stand in SQL, docs and the command line. */
export type DeliveryState =
  | 'queued'
  | 'sending'
  | 'handoff'
  | 'in_doubt'
  | 'sent'
  | 'delivered'
  | 'bounced'
  | 'failed'
  | 'suppressed'
  | 'canceled';
