/** Claims: a delivery that is due goes to one worker for a while, fairly across accounts, and comes back where it must. */

import { expiresAt } from '../../core/retry.ts';
import type { Awaitable, Reader, Transaction } from '../database.ts';
import { type Delivery, partName } from './deliveries.ts';
import { nothingIsHeld } from './edge-columns.ts';
import { countMoves, type Moved, move, moves, moveUncounted } from './move.ts';
import { isOpenAs } from './open-index.ts';

/** Accounts that have something due, and are neither disabled nor paused, in order. */
export async function accountsWithDue(reader: Reader, now: number): Promise<string[]> {
  const rows = await reader.all<{ id: string }>(
    // A look at the first one of each account: a planner that counts what is due would read a million of one account.
    `select id from accounts where disabled_at is null and paused_at is null and (select run_at from deliveries
       where deliveries.account = accounts.id and deliveries.state = 'queued' order by run_at limit 1) <= ?`,
    now,
  );
  // Sorted here: databases have collations of their own.
  return rows.map((row) => row.id).sort();
}

type DueRow = { email_id: string; part: number; attempt: number };

/** `isBulkFirst`: of an odd number the one in the middle is bulk's; every other claim's, or one place at a time would be nobody else's. */
export type ClaimTerms = { now: number; leaseMs: number; limit: number; isBulkFirst?: boolean };

/**
 * Claims up to `limit` due deliveries of one account: a postponement by `leaseMs` under a new attempt. Those that were sent singly
 * come first, the oldest of them before the others; what came in batches keeps half of the places.
 */
export async function claimDue(
  tx: Transaction,
  account: string,
  worker: string,
  terms: ClaimTerms,
): Promise<Delivery[]> {
  const rows = await shared(terms, (isBulk) =>
    tx.all<DueRow>(
      // Nothing while what may have left is being held (`went-back.ts`).
      `select email_id, part, attempt from deliveries
       where account = ? and state = 'queued' and is_bulk = ${isBulk} and run_at <= ? and ${nothingIsHeld}
       order by run_at limit ? ${tx.skipLocked}`,
      account,
      terms.now,
      terms.limit,
    ),
  );
  return claimRows(tx, account, worker, { ...terms, rows });
}

/** What was sent singly goes ahead of bulk, which keeps half of the places: a password reset does not wait for a newsletter. */
export async function shared<Row>(
  { limit, isBulkFirst = false }: Pick<ClaimTerms, 'limit' | 'isBulkFirst'>,
  find: (isBulk: 0 | 1) => Awaitable<Row[]>,
): Promise<Row[]> {
  const [single, bulk] = await Promise.all([find(0), find(1)]);
  const half = Math.floor((limit + (isBulkFirst ? 1 : 0)) / 2);
  const places = limit - Math.min(bulk.length, half);
  return [...single.slice(0, places), ...bulk].slice(0, limit);
}

/** Claims what was found. */
export async function claimRows(
  tx: Transaction,
  account: string,
  worker: string,
  { now, leaseMs, rows }: Omit<ClaimTerms, 'limit'> & { rows: DueRow[] },
): Promise<Delivery[]> {
  if (rows.length === 0) return [];
  const [found, ...claimed] = await Promise.all([
    tx.all<{ enabled_at: number | null }>('select enabled_at from accounts where id = ?', account),
    ...rows.map(async ({ email_id: emailId, part, attempt }) => {
      const lease = { worker, run_at: now + leaseMs, fence: attempt, now };
      // None: canceled, or another worker's, since it was read.
      const moved = await moveUncounted(tx, 'claim', { account, emailId, part }, lease);
      return moved.map((one) => ({ emailId, moved: one }));
    }),
  ]);
  const enabledAt = found[0]?.enabled_at ?? null;
  countMoves(
    tx,
    account,
    claimed.flat().map((one) => one.moved),
  );
  return claimed.flat().map(({ emailId, moved }) => {
    const delivery = toDelivery(account, emailId, moved);
    // While its account was disabled it could not be tried: its days begin anew.
    return enabledAt === null
      ? delivery
      : { ...delivery, giveUpAt: Math.max(delivery.giveUpAt, expiresAt(enabledAt, null)) };
  });
}

function toDelivery(account: string, emailId: string, moved: Moved): Delivery {
  const { part, attempt, tries, failures, recipients, giveUpAt, policy, possibleDuplicate, wordless } = moved;
  const mayBeThere = moved.unanswered > 0 || possibleDuplicate;
  const bound = { boundTo: mayBeThere ? moved.contentHash : null, boundRelay: mayBeThere ? moved.relay : null };
  const failedAt = failures > 0 ? moved.relay : null;
  const never = moved.passedOver.filter((one) => one.never);
  const counted = { attempt, tries, failures, wordless };
  return {
    account,
    emailId,
    part,
    ...counted,
    recipients,
    giveUpAt,
    policy,
    possibleDuplicate,
    ...bound,
    failedAt,
    never,
    heading: null,
  };
}

/** How far an attempt made alone has come, written down before it goes on. False: the claim was lost. */
export function markAlone(
  tx: Transaction,
  stage: 'try_alone' | 'composed_alone' | 'harmless',
  delivery: Delivery,
  now: number,
): Promise<boolean> {
  return moves(tx, stage, delivery, { fence: delivery.attempt, now });
}

/** Gives a claim that was never started back, due at `dueAt`; one that was canceled, or taken back, is not this worker's to give. */
export async function handBack(tx: Transaction, delivery: Delivery, now: number, dueAt = now): Promise<void> {
  await move(tx, 'hand_back', delivery, { run_at: dueAt, fence: delivery.attempt, now }, () => null);
}

/**
 * Gives back what a worker has claimed without knowing it: the answer to that commit never came. `held` are those it knows of.
 * They are due at once, and an attempt that might have learned of them after all is fenced. Tells how many.
 */
export async function handBackForgotten(
  tx: Transaction,
  worker: string,
  held: ReadonlySet<string>,
  now: number,
): Promise<number> {
  const rows = await tx.all<DueRow & { account: string }>(
    `select account, email_id, part, attempt from deliveries
     where ${isOpenAs('sending')} and worker = ?`,
    worker,
  );
  let handedBack = 0;
  for (const { account, email_id: emailId, part, attempt } of rows) {
    const ref = { account, emailId, part };
    if (held.has(partName(ref))) continue;
    if (await moves(tx, 'forgotten', ref, { run_at: now, fence: attempt, now })) handedBack += 1;
  }
  return handedBack;
}
