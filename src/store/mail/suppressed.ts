/** Recipients no relay is told about: the suppressed ones, and test addresses that only pretend. */

import type { TestOutcome } from '../../core/address.ts';
import { ownWords, simulatedBounce, type Words } from '../../core/reply.ts';
import { suppressionKey, type WithheldReason, whySuppressed } from '../../core/suppression.ts';
import { findLeft } from '../contacts/topics.ts';
import type { Reader, Transaction } from '../database.ts';
import { findSuppressed } from '../suppressions.ts';
import { type Delivery, insertDelivery, type NewDelivery, nextPart } from './deliveries.ts';
import { appendEvent } from './events.ts';
import { moves } from './move.ts';

/** Recipients told apart: who may be mailed, and who may not, by the reason. */
export type Sifted = { clear: string[]; suppressed: Map<WithheldReason, string[]> };

const none: Sifted['suppressed'] = new Map();

/** `known` is what `findSuppressed` found for all of them. */
export function sift(recipients: string[], known: ReadonlyMap<string, WithheldReason>): Sifted {
  if (known.size === 0) return { clear: recipients, suppressed: none };
  const sifted: Sifted = { clear: [], suppressed: new Map() };
  for (const address of recipients) {
    const origin = known.get(suppressionKey(address));
    if (origin === undefined) sifted.clear.push(address);
    else sifted.suppressed.set(origin, [...(sifted.suppressed.get(origin) ?? []), address]);
  }
  return sifted;
}

/** Null where none of a delivery's recipients is suppressed, which is nearly always. */
export async function siftDelivery(reader: Reader, delivery: Delivery): Promise<Sifted | null> {
  const known = await findSuppressed(reader, delivery.account, delivery.recipients);
  return known.size === 0 ? null : sift(delivery.recipients, known);
}

/** Those of a delivery who have left its topic since it was accepted. Null: nobody. */
export async function siftTopic(reader: Reader, delivery: Delivery, topic: string | null): Promise<Sifted | null> {
  const left = await findLeft(reader, delivery.account, topic, delivery.recipients);
  return left.size === 0 ? null : sift(delivery.recipients, withLeft(new Map(), left));
}

/** Who is suppressed and has left is suppressed. */
export function withLeft(
  suppressed: ReadonlyMap<string, WithheldReason>,
  left: ReadonlySet<string>,
): ReadonlyMap<string, WithheldReason> {
  if (left.size === 0) return suppressed;
  return new Map([...Array.from(left, (key) => [key, 'unsubscribed'] as const), ...suppressed]);
}

/** Writes deliveries that are over before they begin, from `first` on, and tells the next free part. */
export async function insertSuppressed(
  tx: Transaction,
  delivery: Omit<NewDelivery, 'part' | 'state' | 'recipients' | 'reply'>,
  suppressed: Sifted['suppressed'],
  first: number,
): Promise<number> {
  let part = first;
  for (const [origin, recipients] of suppressed) {
    const reply = ownWords(whySuppressed(origin));
    await insertDelivery(tx, { ...delivery, part, state: 'suppressed', recipients, reply });
    const detail = { recipients, reply: reply.text, said: null, origin };
    await appendEvent(tx, delivery.account, delivery.emailId, 'suppressed', delivery.runAt, detail);
    part += 1;
  }
  return part;
}

/**
 * Takes suppressed recipients out of a claimed delivery, which goes on with the others or is over.
 * False: the claim was lost, and nothing was written.
 */
export async function settleSuppressed(
  tx: Transaction,
  delivery: Delivery,
  { clear, suppressed }: Sifted,
  now: number,
): Promise<boolean> {
  const { account, emailId, giveUpAt, policy, attempt } = delivery;
  const rest = [...suppressed];
  // Nobody is left: the delivery itself becomes that of the first reason.
  const [own] = clear.length === 0 ? rest.splice(0, 1) : [];
  const isOurs = own
    ? await settleWholly(tx, delivery, own, now)
    : await moves(tx, 'narrow', delivery, { recipients: clear, fence: attempt, now });
  if (!isOurs) return false;
  const others = { account, emailId, runAt: now, giveUpAt, policy };
  if (rest.length > 0) await insertSuppressed(tx, others, new Map(rest), await nextPart(tx, delivery));
  return true;
}

function settleWholly(
  tx: Transaction,
  delivery: Delivery,
  [origin, recipients]: [WithheldReason, string[]],
  now: number,
): Promise<boolean> {
  const terms = { run_at: now, reply: ownWords(whySuppressed(origin)), recipients, detail: { origin } };
  return moves(tx, 'suppress', delivery, { ...terms, fence: delivery.attempt, now });
}

/** Test addresses that only pretend: settled without a gate, since nothing can leave. */
export async function settleSimulated(
  tx: Transaction,
  delivery: Delivery,
  outcome: TestOutcome,
  now: number,
): Promise<boolean> {
  const reply: Words = outcome === 'bounced' ? simulatedBounce : ownWords(`simulated: ${outcome}`);
  const terms = { run_at: now, reply, fence: delivery.attempt, now };
  if (outcome !== 'complained') return moves(tx, `simulate_${outcome}`, delivery, terms);
  const isOurs = await moves(tx, 'simulate_delivered', delivery, terms);
  if (!isOurs) return false;
  const { account, emailId, recipients, attempt } = delivery;
  await appendEvent(tx, account, emailId, 'complained', now, { recipients, reply: reply.text, said: null, attempt });
  return true;
}
