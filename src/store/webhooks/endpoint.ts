/** How an endpoint is doing: since when it fails, and when that was for too long. */

import type { Transaction } from '../database.ts';
import type { Webhook } from './webhooks.ts';

/**
 * Notes how an attempt at it went. True: it has failed for `patienceMs` without a success, and is disabled by this.
 * A success touches the endpoint's row only where `webhook`, as it was claimed, was failing: one that began before the first
 * failure says nothing of what came after it.
 */
export async function noteEndpoint(
  tx: Transaction,
  webhook: Webhook,
  went: { well: boolean; now: number; patienceMs: number },
): Promise<boolean> {
  if (went.well && webhook.failingSince === null) return false;
  if (went.well) {
    // Forgotten by now, perhaps: nobody is told any more that it is well.
    await tx.run('update webhooks set failing_since = null where number = ?', webhook.number);
    return false;
  }
  // No row: it was failing before, or somebody has disabled or deleted it.
  await tx.run(
    'update webhooks set failing_since = ? where number = ? and failing_since is null and enabled = 1',
    went.now,
    webhook.number,
  );
  const disabled = await tx.run(
    'update webhooks set enabled = 0, modified_at = ? where number = ? and enabled = 1 and failing_since <= ?',
    went.now,
    webhook.number,
    went.now - went.patienceMs,
  );
  if (disabled === 0) return false;
  await tx.run('update webhook_subscriptions set enabled = 0 where webhook = ?', webhook.number);
  return true;
}
