/** Claims: a delivery that is due goes to one worker for a while, fairly across accounts. */

import type { Reader, Transaction } from '../database.ts';
import { at, type Delivery, here, type InDoubtPolicy, partName } from './deliveries.ts';

type ClaimRow = {
  account: string;
  email_id: string;
  part: number;
  attempt: number;
  tries: number;
  failures: number;
  recipients: string;
  give_up_at: number;
  in_doubt_policy: InDoubtPolicy | null;
  possible_duplicate: number;
  content_hash: Uint8Array | null;
};

const claimColumns = `account, email_id, part, attempt, tries, failures, recipients, give_up_at,
  in_doubt_policy, possible_duplicate, content_hash`;

/** Accounts that have something due, in order. */
export async function accountsWithDue(reader: Reader, now: number): Promise<string[]> {
  const rows = await reader.all<{ id: string }>(
    // A look at the first one of each account: a planner that counts what is due would read a million of one account.
    `select id from accounts where (select run_at from deliveries
       where deliveries.account = accounts.id and deliveries.state = 'queued' order by run_at limit 1) <= ?`,
    now,
  );
  // Sorted here: databases have collations of their own.
  return rows.map((row) => row.id).sort();
}

/** Claims up to `limit` due deliveries of one account, oldest first: a postponement by `leaseMs` under a new attempt. */
export async function claimDue(
  tx: Transaction,
  account: string,
  worker: string,
  terms: { now: number; leaseMs: number; limit: number },
): Promise<Delivery[]> {
  const rows = await tx.all<ClaimRow>(
    `select ${claimColumns} from deliveries
     where account = ? and state = 'queued' and run_at <= ? order by run_at limit ? ${tx.skipLocked}`,
    account,
    terms.now,
    terms.limit,
  );
  const changed = await Promise.all(
    rows.map((row) =>
      tx.run(
        // `state || ''`: without statistics a planner takes the index of what is due, and reads the whole account in it.
        `update deliveries set state = 'sending', attempt = attempt + 1, worker = ?, run_at = ?
         where ${here} and state || '' = 'queued' and attempt = ?`,
        worker,
        terms.now + terms.leaseMs,
        row.account,
        row.email_id,
        row.part,
        row.attempt,
      ),
    ),
  );
  return rows.filter((_, index) => changed[index] === 1).map((row) => toDelivery(row, row.attempt + 1));
}

function toDelivery(row: ClaimRow, attempt: number): Delivery {
  return {
    account: row.account,
    emailId: row.email_id,
    part: row.part,
    attempt,
    tries: row.tries,
    failures: row.failures,
    recipients: JSON.parse(row.recipients),
    giveUpAt: row.give_up_at,
    policy: row.in_doubt_policy,
    possibleDuplicate: row.possible_duplicate > 0,
    contentHash: row.content_hash,
  };
}

/**
 * Gives back what a worker has claimed without knowing it: the answer to that commit never came. `held` are those it knows of.
 * They are due at once, and whoever might have learned of them after all is fenced.
 */
export async function unclaimUnknown(
  tx: Transaction,
  worker: string,
  held: ReadonlySet<string>,
  now: number,
): Promise<void> {
  const rows = await tx.all<{ account: string; email_id: string; part: number }>(
    `select account, email_id, part from deliveries
     where state in ('sending', 'handoff', 'in_doubt') and state = 'sending' and worker = ?`,
    worker,
  );
  for (const { account, email_id, part } of rows) {
    const ref = { account, emailId: email_id, part };
    if (held.has(partName(ref))) continue;
    await tx.run(
      `update deliveries set state = 'queued', attempt = attempt + 1, worker = null, run_at = ?
       where ${here} and state = 'sending' and worker = ?`,
      now,
      ...at(ref),
      worker,
    );
  }
}
