/**
 * Deliveries: the queue. Every transition names the state it leaves and the attempt it belongs to,
 * so a late worker matches no row (docs/architecture.md draws the states).
 */

import type { DeliveryState } from '../../core/event.ts';
import type { EnvelopeReply, RecipientReply } from '../../core/outcome.ts';
import type { SqlValue, Transaction } from '../database.ts';
import { appendEvent, type EventDetail } from './events.ts';

export type InDoubtPolicy = 'hold' | 'send-again';

/** Names one delivery: part 0 is the one an email starts with. */
export type DeliveryRef = { account: string; emailId: string; part: number };

/** A delivery a worker holds; `attempt` is its fencing token. */
export type Delivery = DeliveryRef & {
  attempt: number;
  tries: number;
  failures: number;
  recipients: string[];
  giveUpAt: number;
  /** Null: the server's policy. */
  policy: InDoubtPolicy | null;
  possibleDuplicate: boolean;
  /** SHA-256 of the bytes of the first attempt that reached its gate. */
  contentHash: Uint8Array | null;
};

/** What a write about one of its deliveries is about: an engine does not run two of these at the same time. */
export function emailName(ref: Pick<DeliveryRef, 'account' | 'emailId'>): string {
  return `email ${ref.account} ${ref.emailId}`;
}

export function partName(ref: DeliveryRef): string {
  return `${emailName(ref)} ${ref.part}`;
}

/** A `run_at` that never comes: held until somebody decides. */
export const never = Number.MAX_SAFE_INTEGER;

export const here = 'account = ? and email_id = ? and part = ?';

export function at(ref: DeliveryRef): [string, string, number] {
  return [ref.account, ref.emailId, ref.part];
}

export type NewDelivery = DeliveryRef & {
  state: DeliveryState;
  recipients: string[];
  runAt: number;
  giveUpAt: number;
  policy: InDoubtPolicy | null;
  tries?: number;
  reply?: string | null;
};

export async function insertDelivery(tx: Transaction, delivery: NewDelivery): Promise<void> {
  await tx.run(
    `insert into deliveries
       (account, email_id, part, state, run_at, give_up_at, recipients, recipient_count, in_doubt_policy, tries, reply)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ...at(delivery),
    delivery.state,
    delivery.runAt,
    delivery.giveUpAt,
    JSON.stringify(delivery.recipients),
    delivery.recipients.length,
    delivery.policy,
    delivery.tries ?? 0,
    delivery.reply ?? null,
  );
}

/** Gives a claim that was never started back, due at once. */
export async function unclaim(tx: Transaction, delivery: Delivery, now: number): Promise<boolean> {
  return transition(tx, delivery, "state = 'queued', worker = null, run_at = ?", [now], "state = 'sending'");
}

/**
 * The gate: after this has committed, and only then, the final dot may leave. What each RCPT was answered is recorded
 * with it, so that doubt covers only recipients that are in the envelope.
 * False: the claim was lost to a cancel, another worker or an operator; no dot.
 */
export async function openGate(
  tx: Transaction,
  delivery: Delivery,
  reply: EnvelopeReply,
  terms: { now: number; contentHash: Uint8Array; doubtAt: number; retryAt: number },
): Promise<boolean> {
  const opened = await transition(
    tx,
    delivery,
    `state = 'handoff', handoff_attempt = attempt, unanswered = unanswered + 1, gated_at = ?, run_at = ?, content_hash = ?,
     recipients = ?, recipient_count = ?`,
    [terms.now, terms.doubtAt, terms.contentHash, JSON.stringify(reply.accepted), reply.accepted.length],
    "state = 'sending'",
  );
  if (opened) await splitRefused(tx, delivery, reply, terms);
  return opened;
}

/** Updates where the delivery is in a named state and still belongs to this attempt; tells whether it was. */
export async function transition(
  tx: Transaction,
  delivery: Delivery,
  set: string,
  params: SqlValue[],
  from: string,
): Promise<boolean> {
  const changed = await tx.run(
    `update deliveries set ${set} where ${here} and attempt = ? and ${from}`,
    ...params,
    ...at(delivery),
    delivery.attempt,
  );
  return changed === 1;
}

/** Refused recipients leave the delivery: bounced ones for good, deferred ones into a delivery of their own. */
async function splitRefused(
  tx: Transaction,
  delivery: Delivery,
  refused: { bounced: RecipientReply[]; deferred: RecipientReply[] },
  terms: { now: number; retryAt: number },
): Promise<void> {
  for (const { replies, type } of [
    { replies: refused.bounced, type: 'bounced' as const },
    { replies: refused.deferred, type: 'delivery_delayed' as const },
  ]) {
    const [first] = replies;
    if (!first) continue;
    const recipients = replies.map((one) => one.address);
    const waits = type === 'delivery_delayed' && terms.retryAt <= delivery.giveUpAt;
    await insertDelivery(tx, {
      account: delivery.account,
      emailId: delivery.emailId,
      part: await nextPart(tx, delivery),
      state: waits ? 'queued' : 'bounced',
      recipients,
      runAt: waits ? terms.retryAt : terms.now,
      giveUpAt: delivery.giveUpAt,
      policy: delivery.policy,
      tries: delivery.tries + 1,
      reply: first.reply,
    });
    const detail = { ...repliesOf(replies), attempt: delivery.attempt };
    await event(tx, delivery, waits ? 'delivery_delayed' : 'bounced', terms.now, detail);
  }
}

/** A relay that answers several recipients alike still answered each of them. */
function repliesOf(replies: RecipientReply[]): EventDetail {
  const all = replies.map((one) => one.reply);
  const recipients = replies.map((one) => one.address);
  return { recipients, reply: all[0] ?? '', ...(all.length > 1 ? { replies: all } : {}) };
}

export async function nextPart(tx: Transaction, ref: DeliveryRef): Promise<number> {
  const [row] = await tx.all<{ part: number }>(
    'select max(part) as part from deliveries where account = ? and email_id = ?',
    ref.account,
    ref.emailId,
  );
  return (row?.part ?? 0) + 1;
}

/**
 * Records what the relay said to the dot of one hand-off, also when the delivery was put in doubt or queued again since:
 * a late 250 settles it and stops a later attempt that has not passed its gate.
 */
export async function settleVerdict(
  tx: Transaction,
  delivery: Delivery,
  verdict: { state: 'sent' | 'delivered' | 'bounced' | 'failed'; reply: string; now: number },
): Promise<boolean> {
  const changed = await tx.run(
    `update deliveries set state = ?, attempt = attempt + 1, worker = null, run_at = ?, reply = ?, tries = tries + 1,
       unanswered = unanswered - 1
     where ${here} and handoff_attempt = ? and state in ('handoff', 'in_doubt', 'queued', 'sending')`,
    verdict.state,
    verdict.now,
    verdict.reply,
    ...at(delivery),
    delivery.attempt,
  );
  if (changed === 0) return false;
  const detail = detailOf(delivery, verdict.reply);
  if (verdict.state === 'delivered') await event(tx, delivery, 'sent', verdict.now, detail);
  await event(tx, delivery, verdict.state, verdict.now, detail);
  return true;
}

/** A worker narrows `recipients` to those in the envelope once its gate has opened. */
function detailOf(delivery: Delivery, reply: string): EventDetail {
  return { recipients: delivery.recipients, reply, attempt: delivery.attempt };
}

async function event(
  tx: Transaction,
  ref: DeliveryRef,
  type: 'sent' | 'delivered' | 'bounced' | 'failed' | 'delivery_delayed',
  now: number,
  detail: EventDetail,
): Promise<void> {
  await appendEvent(tx, ref.account, ref.emailId, type, now, detail);
}

/** 4yz to the dot: the relay must not deliver it, so the same delivery may be tried again (RFC 5321 4.2.5). */
export async function settleDeferredVerdict(
  tx: Transaction,
  delivery: Delivery,
  terms: { reply: string; now: number; retryAt: number },
): Promise<boolean> {
  if (terms.retryAt > delivery.giveUpAt) return settleVerdict(tx, delivery, { ...terms, state: 'bounced' });
  const changed = await tx.run(
    `update deliveries set state = 'queued', attempt = attempt + 1, worker = null, run_at = ?, reply = ?,
       tries = tries + 1, unanswered = unanswered - 1, failures = 0
     where ${here} and handoff_attempt = ? and state in ('handoff', 'in_doubt')`,
    terms.retryAt,
    terms.reply,
    ...at(delivery),
    delivery.attempt,
  );
  if (changed === 0) return false;
  await event(tx, delivery, 'delivery_delayed', terms.now, detailOf(delivery, terms.reply));
  return true;
}

/**
 * The whole envelope was refused before any dot: whoever may be tried again stays, the others bounce.
 * An empty `deferred` bounces them all. `isOneReply`: the relay did not answer each recipient, but MAIL or DATA.
 */
export async function settleRefused(
  tx: Transaction,
  delivery: Delivery,
  refused: { bounced: RecipientReply[]; deferred: RecipientReply[]; isOneReply?: boolean },
  terms: { now: number; retryAt: number },
): Promise<boolean> {
  const waits = refused.deferred.length > 0 && terms.retryAt <= delivery.giveUpAt;
  const staying = waits ? refused.deferred : [...refused.bounced, ...refused.deferred];
  const reply = staying[0]?.reply ?? '';
  const recipients = staying.map((one) => one.address);
  const changed = await transition(
    tx,
    delivery,
    `state = ?, worker = null, run_at = ?, reply = ?, tries = tries + 1, failures = 0,
     recipients = ?, recipient_count = ?`,
    [
      waits ? 'queued' : 'bounced',
      waits ? terms.retryAt : terms.now,
      reply,
      JSON.stringify(recipients),
      recipients.length,
    ],
    "state = 'sending'",
  );
  if (!changed) return false;
  const replies = refused.isOneReply ? { recipients, reply } : repliesOf(staying);
  const detail = { ...replies, attempt: delivery.attempt };
  await event(tx, delivery, waits ? 'delivery_delayed' : 'bounced', terms.now, detail);
  if (waits) await splitRefused(tx, delivery, { bounced: refused.bounced, deferred: [] }, terms);
  return true;
}

/** Nothing was decided and no dot left: back to the queue, bounded by age alone. */
export async function settleUnreached(
  tx: Transaction,
  delivery: Delivery,
  terms: { reason: string; now: number; retryAt: number },
): Promise<boolean> {
  const expired = terms.retryAt > delivery.giveUpAt;
  const changed = await transition(
    tx,
    delivery,
    // Only this attempt's own gate is taken back: an earlier one may still get its verdict.
    `state = ?, worker = null, run_at = ?, reply = ?, failures = failures + 1,
     unanswered = unanswered - case when handoff_attempt = attempt then 1 else 0 end,
     handoff_attempt = case when handoff_attempt = attempt then null else handoff_attempt end`,
    [expired ? 'bounced' : 'queued', expired ? terms.now : terms.retryAt, terms.reason],
    "state in ('sending', 'handoff')",
  );
  if (!changed) return false;
  const detail = detailOf(delivery, terms.reason);
  // One event for a relay that is away, not one each try: the failures are counted in the delivery.
  if (expired) await event(tx, delivery, 'bounced', terms.now, detail);
  else if (delivery.failures === 0) await event(tx, delivery, 'delivery_delayed', terms.now, detail);
  return true;
}

/** No verdict came to a dot that may have left; `runAt` is when the policy sends it again, or never. */
export async function settleInDoubt(
  tx: Transaction,
  delivery: Delivery,
  terms: { reason: string; now: number; runAt: number },
): Promise<boolean> {
  const changed = await transition(
    tx,
    delivery,
    "state = 'in_doubt', worker = null, run_at = ?, reply = ?",
    [terms.runAt, terms.reason],
    "state in ('sending', 'handoff')",
  );
  if (!changed) return false;
  const detail = { ...detailOf(delivery, terms.reason), in_doubt: true };
  await event(tx, delivery, 'delivery_delayed', terms.now, detail);
  return true;
}
