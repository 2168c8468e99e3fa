/** Deliveries, the queue: what names one, what a worker holds of it, and how one comes to be. `move.ts` moves them. */

import type { DeliveryState } from '../../core/delivery-state.ts';
import { nobodyTried, type PassedOver, type Tried } from '../../core/passed-over.ts';
import type { Words } from '../../core/reply.ts';
import { addToCount } from '../counts.ts';
import type { Awaitable, SqlValue, Transaction } from '../database.ts';
import { insertRows } from '../rows.ts';

export type InDoubtPolicy = 'hold' | 'send-again';

/** Names one delivery: part 0 is the one an email starts with. */
export type DeliveryRef = { account: string; emailId: string; part: number };

/** A delivery a worker holds; `attempt` is its fencing token. */
export type Delivery = DeliveryRef & {
  attempt: number;
  /** Verdicts it was given, and times it could not be handed over since. */
  tries: number;
  failures: number;
  recipients: string[];
  giveUpAt: number;
  /** Null: the server's policy. */
  policy: InDoubtPolicy | null;
  possibleDuplicate: boolean;
  /** Attempts that ended without a word, since the last one that had something to say. */
  wordless: number;
  /**
   * SHA-256 of the bytes an earlier attempt handed over, while it may yet turn out to have left: no verdict came to it, or
   * this one may be a duplicate. Null otherwise: after a clear 4yz nothing binds the next attempt.
   */
  boundTo: Uint8Array | null;
  /** The relay that may have it already, by the same rule: no other one gets it. Null: none, or it is not known. */
  boundRelay: string | null;
  /** The relay that failed it the last time, with nothing decided. Null: none did. */
  failedAt: string | null;
  /** Relays that will never take it. */
  never: readonly PassedOver[];
  /** The relay a place is taken for. Null: nobody asked for one. */
  heading: string | null;
};

/** What a write about one of its deliveries is about: an engine does not run two of these at the same time. */
export function emailName(ref: Pick<DeliveryRef, 'account' | 'emailId'>): string {
  return `email ${ref.account} ${ref.emailId}`;
}

export function partName(ref: DeliveryRef): string {
  return `${emailName(ref)} ${ref.part}`;
}

/**
 * How long a hand-off is its worker's: it waits ten minutes for a verdict (`verdictWaitMs`), and some more for the database to
 * take it.
 */
export const handoffMs = 15 * 60_000;

/** A `run_at` that never comes: held until somebody decides. */
export const never = Number.MAX_SAFE_INTEGER;

/** How a delivery begins: waiting for its time, or over already. */
export type NewDelivery = DeliveryRef & {
  state: Extract<DeliveryState, 'queued' | 'delivered' | 'bounced' | 'suppressed'>;
  recipients: string[];
  runAt: number;
  giveUpAt: number;
  policy: InDoubtPolicy | null;
  tries?: number;
  reply?: Words;
  tried?: Tried;
  /** Came in a batch. Absent: as the other deliveries of its email. */
  isBulk?: boolean;
};

export async function insertDelivery(tx: Transaction, delivery: NewDelivery): Promise<void> {
  await insertUncounted(tx, delivery);
  countInserted(tx, delivery.account, [delivery]);
}

export function countInserted(
  tx: Transaction,
  account: string,
  inserted: Pick<NewDelivery, 'state' | 'recipients'>[],
): void {
  const queued = inserted.filter((one) => one.state === 'queued');
  const recipients = queued.reduce((sum, one) => sum + one.recipients.length, 0);
  addToCount(tx, account, 'queued', { items: queued.length, recipients });
}

const inserted = `deliveries
  (account, email_id, part, state, run_at, give_up_at, recipients, recipient_count, in_doubt_policy, tries, reply, said, relay,
   is_bulk)`;

const insertAsItsEmail = `insert into ${inserted}
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
    (select coalesce(max(is_bulk), 0) from deliveries where account = ? and email_id = ?))`;

function insertUncounted(tx: Transaction, delivery: NewDelivery): Awaitable<unknown> {
  if (delivery.isBulk !== undefined) return insertAllUncounted(tx, [delivery]);
  return tx.run(insertAsItsEmail, ...rowOf(delivery), delivery.account, delivery.emailId);
}

/** For a caller that counts them (`countInserted`) in the same transaction. Of each it is known whether it is bulk. */
export function insertAllUncounted(tx: Transaction, deliveries: readonly NewDelivery[]): Awaitable<unknown> {
  if (deliveries.length === 0) return undefined;
  return insertRows(
    tx,
    inserted,
    deliveries.map((one) => [...rowOf(one), one.isBulk ? 1 : 0]),
  );
}

/** But for the last column. */
function rowOf(delivery: NewDelivery): SqlValue[] {
  const { reply, tried = nobodyTried } = delivery;
  return [
    delivery.account,
    delivery.emailId,
    delivery.part,
    delivery.state,
    delivery.runAt,
    delivery.giveUpAt,
    JSON.stringify(delivery.recipients),
    delivery.recipients.length,
    delivery.policy,
    delivery.tries ?? 0,
    reply?.text ?? null,
    reply?.said ? JSON.stringify(reply.said) : null,
    tried.relay,
  ];
}

export async function nextPart(tx: Transaction, ref: Pick<DeliveryRef, 'account' | 'emailId'>): Promise<number> {
  const [row] = await tx.all<{ part: number }>(
    'select max(part) as part from deliveries where account = ? and email_id = ?',
    ref.account,
    ref.emailId,
  );
  return (row?.part ?? 0) + 1;
}
