/** What one attempt came to. The outside world answers with one of these, never with an exception. */

import type { Reply } from './reply.ts';

/** One recipient's refusal before the dot. */
export type RecipientReply = { address: string; reply: Reply };

/** What the relay said to the envelope: who is in it at the dot, and who is not. */
export type EnvelopeReply = { accepted: string[]; refused: RecipientReply[] };

/** `phase`: how far the attempt got, which decides what its reply means. */
export type Outcome =
  /**
   * Nothing was decided and no dot left: connection, TLS, login, time-out before the dot. `isAway`: no session came about.
   * `isDomainAway`: none with the servers of the recipients' domain, which says nothing of other domains.
   * `isOnlyHere`: this relay will not take this mail, and another one may.
   */
  | { phase: 'unreached'; reply: Reply; isAway?: true; isDomainAway?: true; isOnlyHere?: true }
  /** Before the gate, the relay refused every recipient. `isOneReply`: by one reply, to MAIL or DATA. */
  | { phase: 'refused'; refused: RecipientReply[]; isOneReply: boolean }
  /**
   * The relay's word behind the gate: 2yz, it took responsibility; 4yz, it must not deliver (RFC 5321 4.2.5); 5yz, it will not.
   * `isDelivered`: known to be in the recipient's mailbox (kept here, or the recipient's own server). `id`: what an upstream calls it.
   */
  | { phase: 'verdict'; reply: Reply; isDelivered?: true; id?: string }
  /** The dot may have left and no verdict came. `late`: the session is still listened to, and this is what it came to. */
  | { phase: 'in_doubt'; reason: string; late?: Promise<Outcome> }
  /** The gate did not open: somebody else owns this delivery now. Nothing to record. */
  | { phase: 'fenced' };

export function isPermanent({ reply }: { reply: Reply }): boolean {
  return reply.said.class === 'permanent';
}

/** For metrics and logs: one word an outcome. */
export function outcomeName(outcome: Outcome): string {
  if (outcome.phase === 'verdict') {
    if (outcome.reply.said.captured) return 'captured';
    if (outcome.isDelivered) return 'delivered';
    return { ok: 'sent', transient: 'deferred', permanent: 'bounced' }[outcome.reply.said.class];
  }
  if (outcome.phase !== 'refused' || !outcome.isOneReply) return outcome.phase;
  return outcome.refused.every(isPermanent) ? 'bounced' : 'deferred';
}
