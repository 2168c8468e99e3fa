/** What one relay will never take and another one may: it is remembered with the mail, and is a refusal where there is no other one. */

import type { Outcome } from '../../core/outcome.ts';
import { passOver, type Tried } from '../../core/passed-over.ts';
import type { Reply } from '../../core/reply.ts';

/** What only this relay will not take bounces where there is no other one. */
export function nowhereElse(outcome: Outcome, { wasAsked, to }: { wasAsked: boolean; to: readonly string[] }): Outcome {
  if (!isOnlyHere(outcome)) return outcome;
  return wasAsked ? { phase: 'verdict', reply: forGood(outcome.reply.text) } : refusedToAll(outcome.reply.text, to);
}

type OnlyHere = Outcome & { phase: 'unreached'; isOnlyHere?: true };

export function isOnlyHere(outcome: Outcome): outcome is OnlyHere {
  return outcome.phase === 'unreached' && outcome.isOnlyHere === true;
}

export function refusedToAll(reason: string, to: readonly string[]): Outcome {
  return { phase: 'refused', refused: to.map((address) => ({ address, reply: forGood(reason) })), isOneReply: true };
}

function forGood(text: string): Reply {
  return { text, said: { class: 'permanent', code: null, enhanced: null } };
}

/** It is not asked for this mail again. */
export function refusedBy({ relay, passedOver }: Tried, { reply }: OnlyHere): Tried {
  return { relay, passedOver: [...passedOver, { ...passOver(relay ?? '', reply.text), never: true }] };
}
