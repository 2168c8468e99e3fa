/** The edges that a cancel and a reschedule take: until the gate, and for all of an email's parts that can. */

import type { DeliveryState } from '../../core/delivery-state.ts';
import type { Reader, Transaction } from '../database.ts';
import { move } from './move.ts';

export type EmailRef = { account: string; emailId: string };

/** Cancels what has not passed its gate. False: nothing could be canceled by this call, and nothing was written. */
export async function cancelDeliveries(tx: Transaction, email: EmailRef, now: number): Promise<boolean> {
  return (await move(tx, 'cancel', email, { run_at: now, now }, () => null)) !== null;
}

/**
 * Moves an email no dot of which can have left. False: some part of it was tried already. The caller must throw then, since the
 * others may have moved.
 */
export async function rescheduleDeliveries(
  tx: Transaction,
  email: EmailRef,
  terms: { runAt: number; giveUpAt: number; now: number },
): Promise<boolean> {
  const { runAt, now } = terms;
  const schedule = {
    run_at: runAt,
    give_up_at: terms.giveUpAt,
    content_hash: null,
    detail: { scheduled_at: runAt },
    now,
  };
  const moved = await move(tx, 'reschedule', email, schedule, () => []);
  // Suppressed recipients were never to get it, whenever the others do.
  const wanted = (await listStates(tx, email)).filter((state) => state !== 'suppressed');
  return moved.length > 0 && moved.length === wanted.length;
}

/** The states of all its parts, in their order. */
export async function listStates(reader: Reader, { account, emailId }: EmailRef): Promise<DeliveryState[]> {
  const rows = await reader.all<{ state: DeliveryState }>(
    'select state from deliveries where account = ? and email_id = ? order by part',
    account,
    emailId,
  );
  return rows.map((row) => row.state);
}
