/** What makes an address one that must not be mailed, and how two spellings of it are told to be the same. */

import type { Said } from './reply.ts';

/** Why an address is suppressed: its mailbox is gone, its owner complained, or somebody put it on the list. */
export type SuppressionOrigin = 'bounce' | 'complaint' | 'manual';

export const suppressionOrigins: readonly SuppressionOrigin[] = ['bounce', 'complaint', 'manual'];

/**
 * Enhanced status codes (RFC 3463, and RFC 7505 for the last) that say that no mail can reach this mailbox again. Left out on
 * purpose: X.1.2 (a domain whose DNS is broken today comes back tomorrow), X.2.2 (a full mailbox is emptied), X.7.x and
 * everything else that is a policy of the receiver, about the sender or the content.
 */
const mailboxIsGone: ReadonlySet<string> = new Set([
  // "Bad destination mailbox address": there is no such user.
  '5.1.1',
  // "Destination mailbox has moved, No forwarding address".
  '5.1.6',
  // "Mailbox disabled, not accepting messages"; as 5.x.x it is disabled for good.
  '5.2.1',
  // "Recipient address has null MX": the domain says that it takes no mail at all.
  '5.1.10',
]);

/**
 * Whether a relay's refusal says that the mailbox is gone. Only the enhanced code counts: a bare 550 is also what policies
 * are refused with (RFC 5321 4.2.3), and the words after it are nobody's contract.
 */
export function isMailboxGone({ class: kind, enhanced }: Said): boolean {
  return kind === 'permanent' && enhanced !== null && mailboxIsGone.has(enhanced);
}

/** Local parts may differ by case (RFC 5321 2.4), but nobody lets them: the safe mistake is not to mail `Ann@` for `ann@`. */
export function suppressionKey(address: string): string {
  return address.toLowerCase();
}

/** Why somebody gets no mail: an address is suppressed, or its owner has left a topic or all of them. */
export type WithheldReason = SuppressionOrigin | 'unsubscribed';

const reasons: Record<WithheldReason, string> = {
  bounce: 'Not sent: an earlier mail to this address bounced, its mailbox is gone.',
  complaint: 'Not sent: the owner of this address complained about an earlier mail.',
  manual: 'Not sent: this address was put on the suppression list.',
  unsubscribed: 'Not sent: this person has unsubscribed.',
};

/** The sentence that stands in the event of a recipient that got no mail. */
export function whySuppressed(origin: WithheldReason): string {
  return reasons[origin];
}
