/** Queued deliveries that wait for relays instead of their time: who they are, and how they come to be tried. */

import type { Reader, Transaction } from '../database.ts';
import type { DeliveryRef } from './deliveries.ts';
import { moves } from './move.ts';

/** Word for word as the partial index has it. */
const isWaiting = "state = 'queued' and deliveries.waits_for is not null";

/** More different ones are not looked at in one step. */
const valuesMax = 1_000;

/** What is waited for, each value once: a look into the index for each, however many wait. */
export async function listWaitedFor(reader: Reader): Promise<string[]> {
  const rows = await reader.all<{ waits_for: string }>(
    `with recursive found (waits_for) as (
       select min(waits_for) from deliveries where ${isWaiting}
       union all
       select (select min(waits_for) from deliveries where ${isWaiting} and deliveries.waits_for > found.waits_for)
       from found where found.waits_for is not null)
     select waits_for from found where waits_for is not null limit ${valuesMax}`,
  );
  return rows.map(({ waits_for }) => waits_for);
}

/** Accounts that have something waiting for this, in order. */
export async function accountsWaiting(reader: Reader, waitsFor: string): Promise<string[]> {
  const accounts: string[] = [];
  for (let last = ''; ; ) {
    const [row] = await reader.all<{ account: string | null }>(
      `select min(account) as account from deliveries where ${isWaiting} and waits_for = ? and account > ?`,
      waitsFor,
      last,
    );
    if (!row || row.account === null) return accounts;
    last = row.account;
    accounts.push(last);
  }
}

type WaitingRow = { account: string; email_id: string; part: number; attempt: number };

/** Makes some that wait for this due now. Tells how many were found: fewer than `limit`, and there are no more. */
export async function releaseSome(
  tx: Transaction,
  waitsFor: string,
  { now, limit }: { now: number; limit: number },
): Promise<number> {
  const rows = await tx.all<WaitingRow>(
    `select account, email_id, part, attempt from deliveries where ${isWaiting} and waits_for = ? limit ? ${tx.skipLocked}`,
    waitsFor,
    limit,
  );
  await Promise.all(
    rows.map(({ account, email_id: emailId, part, attempt }) =>
      moves(tx, 'release', { account, emailId, part }, { run_at: now, fence: attempt, now }),
    ),
  );
  return rows.length;
}

/** What no relay that is open may take now, until one of these can. `until`: when it is looked at again in any case. */
export function waitFor(
  tx: Transaction,
  ref: DeliveryRef & { attempt: number },
  { waitsFor, until, now }: { waitsFor: string; until: number; now: number },
): Promise<boolean> {
  return moves(tx, 'wait', ref, { run_at: until, waits_for: waitsFor, fence: ref.attempt, now });
}
