/** Recipients no relay is told about: the suppressed ones, and test addresses that only pretend. */

import { type SuppressionOrigin, suppressionKey, whySuppressed } from '../../core/suppression.ts';
import type { Reader, Transaction } from '../database.ts';
import { findSuppressed } from '../suppressions.ts';
import { type Delivery, insertDelivery, type NewDelivery, nextPart, transition } from './deliveries.ts';
import { appendEvent } from './events.ts';

/** Recipients told apart: who may be mailed, and who may not, by the reason. */
export type Sifted = { clear: string[]; suppressed: Map<SuppressionOrigin, string[]> };

const none: Sifted['suppressed'] = new Map();

/** `known` is what `findSuppressed` found for all of them. */
export function sift(recipients: string[], known: ReadonlyMap<string, SuppressionOrigin>): Sifted {
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

/** Writes deliveries that are over before they begin, from `first` on, and tells the next free part. */
export async function insertSuppressed(
  tx: Transaction,
  delivery: Omit<NewDelivery, 'part' | 'state' | 'recipients' | 'reply'>,
  suppressed: Sifted['suppressed'],
  first: number,
): Promise<number> {
  let part = first;
  for (const [origin, recipients] of suppressed) {
    const reply = whySuppressed(origin);
    await insertDelivery(tx, { ...delivery, part, state: 'suppressed', recipients, reply });
    await appendEvent(tx, delivery.account, delivery.emailId, 'suppressed', delivery.runAt, {
      recipients,
      reply,
      origin,
    });
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
  const next = await nextPart(tx, delivery);
  const rest = [...suppressed];
  // Nobody is left: the delivery itself becomes that of the first reason.
  const [own] = clear.length === 0 ? rest.splice(0, 1) : [];
  const recipients = own ? own[1] : clear;
  const changed = await transition(
    tx,
    delivery,
    own
      ? "state = 'suppressed', worker = null, run_at = ?, reply = ?, recipients = ?, recipient_count = ?"
      : 'recipients = ?, recipient_count = ?',
    [...(own ? [now, whySuppressed(own[0])] : []), JSON.stringify(recipients), recipients.length],
    "state = 'sending'",
  );
  if (!changed) return false;
  const { account, emailId, giveUpAt, policy } = delivery;
  if (own) {
    const detail = { recipients, reply: whySuppressed(own[0]), origin: own[0] };
    await appendEvent(tx, account, emailId, 'suppressed', now, detail);
  }
  await insertSuppressed(tx, { account, emailId, runAt: now, giveUpAt, policy }, new Map(rest), next);
  return true;
}

/** Test addresses that only pretend: settled without a gate, since nothing can leave. */
export async function settleSimulated(
  tx: Transaction,
  delivery: Delivery,
  outcome: 'delivered' | 'bounced' | 'complained' | 'suppressed',
  now: number,
): Promise<boolean> {
  const state = outcome === 'complained' ? 'delivered' : outcome;
  const changed = await transition(
    tx,
    delivery,
    'state = ?, worker = null, run_at = ?, reply = ?',
    [state, now, `simulated: ${outcome}`],
    "state = 'sending'",
  );
  if (!changed) return false;
  const detail = { recipients: delivery.recipients, reply: `simulated: ${outcome}`, attempt: delivery.attempt };
  const { account, emailId } = delivery;
  if (state === 'delivered') await appendEvent(tx, account, emailId, 'sent', now, detail);
  await appendEvent(tx, account, emailId, state, now, detail);
  if (outcome === 'complained') await appendEvent(tx, account, emailId, 'complained', now, detail);
  return true;
}
