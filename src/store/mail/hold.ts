/** Holding what may leave by itself, whatever the policy: it may have left already, or been called off. */

import { ownWords } from '../../core/reply.ts';
import type { Transaction } from '../database.ts';
import { never } from './deliveries.ts';
import { conditions } from './edge-columns.ts';
import { moves } from './move.ts';
import { isOpenAs } from './open-index.ts';

/** Deliveries one transaction holds: bounds how long others wait. */
const holdAtOnce = 500;

/** Word for word as the partial indexes have it. */
const mayLeave = {
  queued: "state = 'queued'",
  sending: isOpenAs('sending'),
  handoff: isOpenAs('handoff'),
  // What the `send-again` policy has waiting.
  in_doubt: `${isOpenAs('in_doubt')} and run_at < ${never}`,
  // What a late 4yz would let go.
  doubt: `${isOpenAs('in_doubt')} and ${conditions.was_held}`,
} as const;

export type Holdable = keyof typeof mayLeave;

/** In the order in which they go on: what moves ahead meanwhile is met again. */
export const holdables = Object.keys(mayLeave) as Holdable[];

type OpenRow = { account: string; email_id: string; part: number; attempt: number };

/**
 * Puts some that are in this state, of emails up to `until`, in doubt until somebody decides; a worker that holds one is fenced at its gate. Tells how many
 * were found and how many are held: what somebody else moved meanwhile is to be looked at again.
 */
export async function holdSome(
  tx: Transaction,
  state: Holdable,
  { now, reason, until }: { now: number; reason: string; until: string },
): Promise<{ found: number; held: number }> {
  const rows = await tx.all<OpenRow>(
    `select account, email_id, part, attempt from deliveries where ${mayLeave[state]} and email_id <= ? limit ?`,
    until,
    holdAtOnce,
  );
  const held = await Promise.all(rows.map((row) => holdOne(tx, state, row, { now, reason })));
  return { found: rows.length, held: held.filter(Boolean).length };
}

/** False also where it was in doubt already. */
async function holdOne(
  tx: Transaction,
  state: Holdable,
  { account, email_id: emailId, part, attempt: fence }: OpenRow,
  { now, reason }: { now: number; reason: string },
): Promise<boolean> {
  const place = { account, emailId, part };
  if (state === 'doubt') return (await moves(tx, 'hold_doubt', place, { fence, now })) && false;
  return moves(tx, 'hold', place, { run_at: never, reply: ownWords(reason), fence, now });
}
