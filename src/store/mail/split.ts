/** One delivery becomes one for each domain of its recipients, for relays that are the recipients' own servers. */

import type { Transaction } from '../database.ts';
import { type Delivery, insertDelivery, nextPart } from './deliveries.ts';
import { moves } from './move.ts';

/** All of them are queued and due. False: the claim was lost, and nothing was written. */
export async function splitByDomain(tx: Transaction, delivery: Delivery, now: number): Promise<boolean> {
  const { account, emailId, attempt, giveUpAt, policy, tries } = delivery;
  const [own = [], ...others] = byDomain(delivery.recipients);
  const isOurs = await moves(tx, 'narrow', delivery, { recipients: own, fence: attempt, now });
  if (!isOurs) return false;
  await moves(tx, 'hand_back', delivery, { run_at: now, fence: attempt, now });
  for (const recipients of others) {
    const part = await nextPart(tx, delivery);
    await insertDelivery(tx, {
      account,
      emailId,
      part,
      state: 'queued',
      recipients,
      runAt: now,
      giveUpAt,
      policy,
      tries,
    });
  }
  return true;
}

/** In the order in which they come first. */
function byDomain(recipients: readonly string[]): string[][] {
  const groups = new Map<string, string[]>();
  for (const address of recipients) {
    const domain = address.slice(address.lastIndexOf('@') + 1).toLowerCase();
    groups.set(domain, [...(groups.get(domain) ?? []), address]);
  }
  return [...groups.values()];
}
