/** What a worker records of an attempt: its gate, and what the relay said. Each false means that the delivery is not its own any more. */

import type { EnvelopeReply, RecipientReply } from '../../core/outcome.ts';
import { isPermanent } from '../../core/outcome.ts';
import { nobodyTried, type Tried } from '../../core/passed-over.ts';
import type { Reply, Words } from '../../core/reply.ts';
import type { Transaction } from '../database.ts';
import { type Delivery, type DeliveryRef, handoffMs, insertDelivery, nextPart } from './deliveries.ts';
import type { EventDetail } from './events.ts';
import { appendEvent } from './events.ts';
import { moves } from './move.ts';

export type Again = { now: number; retryAt: number };

/** What a verdict is about: `attempt` is the one that has passed its gate. */
export type Handed = DeliveryRef & { attempt: number };

/** Which relay the attempt has come to; left out where there was none. */
export type By = { tried?: Tried };

/**
 * The gate: after this has committed, and only then, the final dot may leave. What each RCPT was answered is recorded
 * with it, so that doubt covers only recipients that are in the envelope.
 * False: the claim was lost to a cancel, another worker or an operator; no dot.
 */
export async function openGate(
  tx: Transaction,
  delivery: Delivery,
  reply: EnvelopeReply,
  terms: Again & By & { contentHash: Uint8Array; repeatsForMs?: number | undefined },
): Promise<boolean> {
  const { now, contentHash, tried = nobodyTried } = terms;
  const repeatUntil = terms.repeatsForMs === undefined ? null : now + terms.repeatsForMs;
  const gate = {
    gated_at: now,
    repeat_until: repeatUntil,
    run_at: now + handoffMs,
    content_hash: contentHash,
    recipients: reply.accepted,
    tried,
  };
  const opened = await moves(tx, 'gate', delivery, { ...gate, fence: delivery.attempt, now });
  if (opened && reply.refused.length > 0) await splitRefused(tx, delivery, reply.refused, terms);
  return opened;
}

/** 2yz to the dot, also when the delivery was put in doubt or queued again since. */
export function settleTaken(
  tx: Transaction,
  delivery: Handed,
  { state, reply, now, id = null }: { state: 'sent' | 'delivered'; reply: Reply; now: number; id?: string | null },
): Promise<boolean> {
  return moves(tx, state, delivery, { run_at: now, reply, upstream_id: id, fence: delivery.attempt, now });
}

/** 5yz to the dot, also when the delivery was put in doubt or queued again since. */
export function settleRejected(
  tx: Transaction,
  delivery: Handed,
  { reply, now }: { reply: Reply; now: number },
): Promise<boolean> {
  return moves(tx, 'rejected', delivery, { run_at: now, reply, fence: delivery.attempt, now });
}

/** 4yz to the dot: tried again, until it is too old. */
export function settlePutOff(
  tx: Transaction,
  delivery: Delivery,
  { reply, now, retryAt }: Again & { reply: Reply },
): Promise<boolean> {
  if (retryAt > delivery.giveUpAt) return settleRejected(tx, delivery, { reply, now });
  return moves(tx, 'put_off', delivery, { run_at: retryAt, reply, fence: delivery.attempt, now });
}

/**
 * The whole envelope was refused before any dot: whoever may be tried again stays, the others bounce.
 * `isOneReply`: the relay did not answer each recipient, but MAIL or DATA.
 */
export async function settleRefused(
  tx: Transaction,
  delivery: Delivery,
  { refused, isOneReply }: { refused: RecipientReply[]; isOneReply: boolean },
  again: Again & By,
): Promise<boolean> {
  const deferred = refused.filter((one) => !isPermanent(one));
  const waits = deferred.length > 0 && again.retryAt <= delivery.giveUpAt;
  const staying = waits ? deferred : [...refused.filter(isPermanent), ...deferred];
  const { recipients, reply, detail } = answersOf(staying);
  const changed = await moves(tx, waits ? 'refused_for_now' : 'refused', delivery, {
    run_at: waits ? again.retryAt : again.now,
    reply,
    recipients,
    tried: again.tried ?? nobodyTried,
    detail: isOneReply ? {} : detail,
    fence: delivery.attempt,
    now: again.now,
  });
  if (changed && waits) await splitRefused(tx, delivery, refused.filter(isPermanent), again);
  return changed;
}

/** Nothing was decided and no dot left: back to the queue, bounded by age alone. `waitsFor`: relays, one of which may be back before. */
export function settleUnreached(
  tx: Transaction,
  delivery: Delivery,
  {
    reply,
    now,
    retryAt,
    tried = nobodyTried,
    waitsFor = null,
  }: Again & By & { reply: Reply; waitsFor?: string | null },
): Promise<boolean> {
  const terms = { reply, fence: delivery.attempt, now, tried };
  if (retryAt > delivery.giveUpAt) return moves(tx, 'given_up', delivery, { ...terms, run_at: now });
  return moves(tx, 'unreached', delivery, { ...terms, run_at: retryAt, waits_for: waitsFor });
}

/** No verdict came to a dot that may have left; `runAt` is when the policy sends it again, or never. */
export function settleInDoubt(
  tx: Transaction,
  delivery: Delivery,
  { reason, now, runAt }: { reason: Words; now: number; runAt: number },
): Promise<boolean> {
  return moves(tx, 'doubt', delivery, { run_at: runAt, reply: reason, fence: delivery.attempt, now });
}

/** Refused recipients leave the delivery: bounced ones for good, deferred ones into a delivery of their own. */
async function splitRefused(
  tx: Transaction,
  delivery: Delivery,
  refused: RecipientReply[],
  again: Again & By,
): Promise<void> {
  const { account, emailId, giveUpAt, policy, attempt } = delivery;
  const { tried = nobodyTried } = again;
  for (const some of [refused.filter(isPermanent), refused.filter((one) => !isPermanent(one))]) {
    if (some.length === 0) continue;
    const waits = !some.every(isPermanent) && again.retryAt <= giveUpAt;
    const { recipients, reply, detail } = answersOf(some);
    await insertDelivery(tx, {
      account,
      emailId,
      part: await nextPart(tx, delivery),
      state: waits ? 'queued' : 'bounced',
      recipients,
      runAt: waits ? again.retryAt : again.now,
      giveUpAt,
      policy,
      tries: delivery.tries + 1,
      reply,
      tried,
    });
    const by = tried.relay === null ? {} : { relay: tried.relay };
    const told = { recipients, reply: reply.text, said: reply.said, ...detail, attempt, ...by };
    await appendEvent(tx, account, emailId, waits ? 'delivery_delayed' : 'bounced', again.now, told);
  }
}

/** A relay that answers several recipients alike still answered each of them. */
function answersOf(replies: RecipientReply[]): {
  recipients: string[];
  reply: Words;
  detail: Pick<EventDetail, 'replies' | 'each'>;
} {
  const all = replies.map((one) => one.reply);
  const detail = all.length > 1 ? { replies: all.map((one) => one.text), each: all.map((one) => one.said) } : {};
  return { recipients: replies.map((one) => one.address), reply: all[0] ?? { text: '', said: null }, detail };
}
