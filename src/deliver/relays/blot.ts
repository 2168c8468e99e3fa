/** An outcome in words without our own secrets: some relays repeat what they refuse. */

import type { Blot } from '../../core/blot.ts';
import type { Outcome, RecipientReply } from '../../core/outcome.ts';
import type { Reply } from '../../core/reply.ts';

/** The same outcome in words without secrets. */
export function blotted(outcome: Outcome, blot: Blot): Outcome {
  switch (outcome.phase) {
    case 'unreached':
    case 'verdict':
      return { ...outcome, reply: blotReply(outcome.reply, blot) };
    case 'refused':
      return { ...outcome, refused: outcome.refused.map((one) => blotRecipient(one, blot)) };
    case 'in_doubt': {
      const { late } = outcome;
      const later = late && { late: late.then((verdict) => blotted(verdict, blot)) };
      return { ...outcome, reason: blot(outcome.reason), ...later };
    }
    case 'fenced':
      return outcome;
    default:
      return outcome satisfies never;
  }
}

export function blotReply(reply: Reply, blot: Blot): Reply {
  return { ...reply, text: blot(reply.text) };
}

export function blotRecipient({ address, reply }: RecipientReply, blot: Blot): RecipientReply {
  return { address, reply: blotReply(reply, blot) };
}
