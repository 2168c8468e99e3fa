/** What one attempt came to. The outside world answers with one of these, never with an exception. */

/** One recipient's refusal before the dot, as the relay worded it. */
export type RecipientReply = { address: string; reply: string };

/** What the relay said to the envelope: who is in it at the dot, and who is not. */
export type EnvelopeReply = {
  accepted: string[];
  /** 5yz to RCPT. */
  bounced: RecipientReply[];
  /** 4yz to RCPT. */
  deferred: RecipientReply[];
};

export type Outcome =
  /** 2yz to the dot: the relay took responsibility. */
  | { kind: 'sent'; reply: string }
  /** Known to be in the recipient's mailbox (capture, the recipient's own server). */
  | { kind: 'delivered'; reply: string }
  /** 4yz to the dot or to the whole envelope: a verdict, the relay must not deliver (RFC 5321 4.2.5). */
  | { kind: 'deferred'; reply: string }
  /** 5yz to the dot or to the whole envelope. */
  | { kind: 'bounced'; reply: string }
  /** Every RCPT was refused, not all in the same way: no dot left. */
  | { kind: 'refused'; bounced: RecipientReply[]; deferred: RecipientReply[] }
  /** Nothing was decided and no dot left: connection, TLS, AUTH, time-out before the dot. */
  | { kind: 'unreached'; reason: string }
  /** The gate did not open: somebody else owns this delivery now. Nothing to record. */
  | { kind: 'fenced' }
  /** The dot may have left and no verdict came. `late`: the session is still listened to, and this is what it came to. */
  | { kind: 'in_doubt'; reason: string; late?: Promise<Outcome> };
