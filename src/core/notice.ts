/** What comes back about a mail after a relay has taken it, as data: one notice a recipient, whatever format it came in. */

import type { Reply } from './reply.ts';

/**
 * `bounced`: it will not be delivered. `delivered`: it is in the mailbox. `delayed`: somebody still tries. `passed_on`: a server took
 * it that tells no more (RFC 3464 2.3.3 `relayed`, `expanded`). `complained`: the recipient calls it unwanted (RFC 5965).
 */
export type NoticeKind = 'bounced' | 'delivered' | 'delayed' | 'passed_on' | 'complained';

export type Notice = {
  kind: NoticeKind;
  /** How it may have named the recipient: as we addressed it first, then where that went to. Empty: it names nobody. */
  recipients: readonly string[];
  /** Read out of words: it counts only for a recipient that is named as we addressed it. */
  isWordy?: true;
  reply: Reply;
};

/** One mail that came back. Nothing in it is to be believed but for what carries our MAC. */
export type Report = {
  /** Addresses it says it came to. */
  to: readonly string[];
  /** Envelope ids and return paths that it says it is about. */
  envelopeIds: readonly string[];
  returnPaths: readonly string[];
  notices: readonly Notice[];
  subject: string;
  from: string;
};

/** More than any relay says. */
export const replyCharsMax = 2_000;

/** Recipients one mail may tell of: ours have no more. */
export const noticesMax = 1_000;
