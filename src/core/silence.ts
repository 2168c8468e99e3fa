/** Attempts that end without a word: what is to be thought of a mail whose process died, or hung, while it had it in hand. */

/** After so many a mail is tried alone, so that no other one can be to blame for the next. */
export const aloneAfter = 2;

/**
 * The first one made alone that dies before the mail is composed is enough: whatever was done until then was done for this mail.
 * Behind that a relay has it, and servers are killed while they wait for relays: as many as this have to end so, each within a
 * second.
 */
const heldAfter = 5;

/** How far an attempt made alone has come (the column `alone`). */
export const stages = { beside: 0, begun: 1, composed: 2, harmless: 3 } as const;

/** What the row says of it: ends without a word before this one, and how far this one had come. */
export type Silence = { wordless: number; alone: number };

/** `counted`: back to the queue, and one more. `spared`: back to the queue, nothing is held against it. */
export type Judgement = 'counted' | 'spared' | 'held';

/** Its process died. */
export function judgeDeath({ wordless, alone }: Silence): Judgement {
  if (alone === stages.begun) return 'held';
  if (alone === stages.harmless) return 'spared';
  if (wordless < aloneAfter) return 'counted';
  // It was to be tried alone, and its turn had not come.
  if (alone === stages.beside) return 'spared';
  return wordless + 1 >= heldAfter ? 'held' : 'counted';
}

/** Its process lives, and has not ended this attempt within its lease: nobody killed it, so being harmless to others excuses nothing. */
export function judgeLease({ wordless, alone }: Silence): Judgement {
  if (wordless < aloneAfter) return 'counted';
  return alone === stages.beside ? 'spared' : 'held';
}

/** For who is to decide. */
export function silenceReason({ wordless }: Silence): string {
  return `${wordless + 1} attempts ended without a word, the last one made alone: this mail may hang or crash what handles it. That attempt had not passed its gate, so nothing left with it.`;
}
