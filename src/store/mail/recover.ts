/** What is taken back without its worker's word: after a death, after a lease, after a doubt that the policy has waited out. */

import { ownWords } from '../../core/reply.ts';
import { type Judgement, judgeDeath, judgeLease, silenceReason } from '../../core/silence.ts';
import type { Transaction } from '../database.ts';
import { type DeliveryRef, type InDoubtPolicy, never, partName } from './deliveries.ts';
import { type Moved, move, moves } from './move.ts';
import { isOpen } from './open-index.ts';

/** A living worker waits this long for a verdict (RFC 5321 4.5.3.2.6), so nobody sends again before. */
export const verdictWaitMs = 10 * 60_000;

type OpenRow = {
  account: string;
  email_id: string;
  part: number;
  attempt: number;
  in_doubt_policy: InDoubtPolicy | null;
  gated_at: number | null;
  wordless: number;
  alone: number;
};

const openColumns = 'account, email_id, part, attempt, in_doubt_policy, gated_at, wordless, alone';

/** `held`: an attempt made alone has ended without a word; null where it was taken back to be tried again. */
export type TakenBack = DeliveryRef & { held: string | null };

export type Recovered = { requeued: DeliveryRef[]; inDoubt: DeliveryRef[]; held: TakenBack[] };

const doubtReason = 'The process that sent it ended before the relay answered.';

/**
 * Ends what dead workers left: claims go back to the queue, hand-offs are in doubt. Dead is who has had no beat after
 * `deadBefore`, and whoever never had one. At most `limit` a call; call again while it returns any.
 */
export async function recover(
  tx: Transaction,
  terms: { now: number; policy: InDoubtPolicy; limit: number; deadBefore: number },
): Promise<Recovered> {
  const { now } = terms;
  const recovered: Recovered = { requeued: [], inDoubt: [], held: [] };
  for (const row of await deadRows(tx, 'sending', terms)) {
    const back = await takeBack(tx, row, { edge: 'orphaned', judgement: judgeDeath(row), now });
    if (back?.held) recovered.held.push(back);
    else if (back) recovered.requeued.push(refOf(row));
  }
  for (const row of await deadRows(tx, 'handoff', terms)) {
    const doubt = doubtAbout(row, terms, doubtReason);
    const moved = await move(tx, 'orphaned_handoff', refOf(row), doubt, movedMeanwhile);
    if (moved.length > 0) recovered.inDoubt.push(refOf(row));
  }
  return recovered;
}

/** Null: somebody else has moved it. */
async function takeBack(
  tx: Transaction,
  row: OpenRow,
  { edge, judgement, now }: { edge: 'orphaned' | 'lease_over'; judgement: Judgement; now: number },
): Promise<TakenBack | null> {
  const ref = refOf(row);
  const terms = { fence: row.attempt, now };
  if (judgement !== 'held') {
    const taken = judgement === 'spared' ? 'spared' : edge;
    return (await moves(tx, taken, ref, { ...terms, run_at: now })) ? { ...ref, held: null } : null;
  }
  const held = silenceReason(row);
  const isHeld = await moves(tx, 'silenced', ref, { ...terms, run_at: never, reply: ownWords(held) });
  return isHeld ? { ...ref, held } : null;
}

/** It was not as it was read: who moved it has said what became of it. */
function movedMeanwhile(): Moved[] {
  return [];
}

function deadRows(tx: Transaction, state: 'sending' | 'handoff', terms: { limit: number; deadBefore: number }) {
  return tx.all<OpenRow>(
    `select ${openColumns} from deliveries where ${isOpen()} and state = ?
     and not exists (select 1 from workers where workers.id = deliveries.worker and workers.beat_at > ?)
     limit ? ${tx.skipLocked}`,
    state,
    terms.deadBefore,
    terms.limit,
  );
}

/** Queues again what the `send-again` policy has waited out, marked as a possible duplicate. */
export async function sendAgainDue(tx: Transaction, now: number, limit: number): Promise<DeliveryRef[]> {
  const again: DeliveryRef[] = [];
  for (const row of await dueRows(tx, 'in_doubt', now, limit)) {
    const terms = {
      run_at: now,
      held_until: now,
      reply: ownWords('Sent again by the policy.'),
      fence: row.attempt,
      now,
    };
    const moved = await move(tx, 'send_again', refOf(row), terms, movedMeanwhile);
    if (moved.length > 0) again.push(refOf(row));
  }
  return again;
}

/** Takes back claims whose lease ran out: their worker hangs, and its gate is fenced from here on. */
export async function requeueExpiredClaims(tx: Transaction, now: number, limit: number): Promise<TakenBack[]> {
  const expired: TakenBack[] = [];
  for (const row of await dueRows(tx, 'sending', now, limit)) {
    const back = await takeBack(tx, row, { edge: 'lease_over', judgement: judgeLease(row), now });
    if (back) expired.push(back);
  }
  return expired;
}

/** Puts hand-offs in doubt whose worker has not recorded a verdict in all its time: it hangs, or has forgotten them. */
export async function doubtLostHandoffs(
  tx: Transaction,
  terms: { now: number; policy: InDoubtPolicy; limit: number },
): Promise<DeliveryRef[]> {
  const lost: DeliveryRef[] = [];
  for (const row of await dueRows(tx, 'handoff', terms.now, terms.limit)) {
    if (await doubtLost(tx, row, terms)) lost.push(refOf(row));
  }
  return lost;
}

/** Of a worker that knows nothing of them: the answers to its commits never came, or those commits are gone. */
export async function doubtForgottenHandoffs(
  tx: Transaction,
  terms: { worker: string; held: ReadonlySet<string>; now: number; policy: InDoubtPolicy },
): Promise<DeliveryRef[]> {
  const rows = await tx.all<OpenRow>(
    `select ${openColumns} from deliveries where ${isOpen()} and state = 'handoff' and worker = ?`,
    terms.worker,
  );
  const forgotten: DeliveryRef[] = [];
  for (const row of rows) {
    const isHeld = terms.held.has(partName(refOf(row)));
    if (!isHeld && (await doubtLost(tx, row, terms))) forgotten.push(refOf(row));
  }
  return forgotten;
}

function doubtLost(tx: Transaction, row: OpenRow, terms: { now: number; policy: InDoubtPolicy }): Promise<boolean> {
  const reason = 'The worker that sent it has not recorded what the relay answered.';
  return moves(tx, 'lost_handoff', refOf(row), doubtAbout(row, terms, reason));
}

/** What no verdict came for: by its policy, or the server's, it waits for an answer, or for the time after which it is sent again. */
function doubtAbout(row: OpenRow, { now, policy }: { now: number; policy: InDoubtPolicy }, reason: string) {
  const sendsAgain = (row.in_doubt_policy ?? policy) === 'send-again';
  const runAt = sendsAgain ? (row.gated_at ?? now) + verdictWaitMs : never;
  return { run_at: runAt, reply: ownWords(reason), fence: row.attempt, now };
}

/** Those whose `run_at` has come, oldest first. */
function dueRows(tx: Transaction, state: 'sending' | 'handoff' | 'in_doubt', now: number, limit: number) {
  return tx.all<OpenRow>(
    `select ${openColumns} from deliveries where ${isOpen()} and state = ? and run_at <= ?
     order by run_at limit ? ${tx.skipLocked}`,
    state,
    now,
    limit,
  );
}

function refOf(row: OpenRow): DeliveryRef & { part: number } {
  return { account: row.account, emailId: row.email_id, part: row.part };
}
