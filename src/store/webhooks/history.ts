/** What is left of webhooks' deliveries: how many wait, and the forgetting of old ones, in small steps. */

import { uuidv7Floor } from '../../core/token.ts';
import { countSql } from '../counts.ts';
import type { DatabaseReader, Transaction } from '../database.ts';
import { countUntold, type WebhookDeliveryState } from './deliveries.ts';

/**
 * Deliveries made before `before` (epoch milliseconds), and all of deleted webhooks, whose ids are remembered until they were
 * deleted before that, too. What is pending for so long is a disabled webhook's, which the retries of others do not live to see.
 * Returns how many deliveries were forgotten.
 */
export async function forgetWebhookDeliveries(tx: Transaction, before: number, limit: number): Promise<number> {
  await tx.run('delete from deleted_webhooks where deleted_at < ?', before);
  const webhooks = await tx.all<{ number: number; deleted_at: number | null }>(
    'select number, deleted_at from webhooks',
  );
  let forgotten = 0;
  for (const { number, deleted_at } of webhooks) {
    const room = limit - forgotten;
    if (room <= 0) break;
    const which = deleted_at === null ? 'and id < ?' : '';
    const rows = await tx.all<Named>(
      `select webhook, email_id, event, position, id from webhook_deliveries where webhook = ? ${which} order by id limit ?`,
      number,
      ...(deleted_at === null ? [uuidv7Floor(before)] : []),
      room,
    );
    let untold = 0;
    for (const row of rows) untold += (await forget(tx, row)) === 'pending' ? 1 : 0;
    countUntold(tx, -untold);
    forgotten += rows.length;
    if (deleted_at !== null && rows.length < room) await tx.run('delete from webhooks where number = ?', number);
  }
  return forgotten;
}

type Named = { webhook: number; email_id: string; event: number; position: number; id: string };

/** The state it was in; null where another process was faster. */
async function forget(tx: Transaction, row: Named): Promise<WebhookDeliveryState | null> {
  await tx.run(
    'delete from webhook_attempts where webhook = ? and delivery = ? and position = ?',
    row.webhook,
    row.id,
    row.position,
  );
  const [deleted] = await tx.all<{ state: WebhookDeliveryState }>(
    'delete from webhook_deliveries where webhook = ? and email_id = ? and event = ? and position = ? returning state',
    row.webhook,
    row.email_id,
    row.event,
    row.position,
  );
  return deleted?.state ?? null;
}

/** Those that were disabled because they failed, and not by an operator. */
export async function countGivenUp(database: DatabaseReader): Promise<number> {
  const [row] = await database.report<{ given_up: number | string }>(
    'select count(*) as given_up from webhooks where enabled = 0 and failing_since is not null and deleted_at is null',
  );
  return Number(row?.given_up ?? 0);
}

/** For the metrics: webhooks by how they fare, and events they are still to be told. */
export type WebhookCounts = { enabled: number; failing: number; disabled: number; pending: number };

export async function countWebhooks(database: DatabaseReader): Promise<WebhookCounts> {
  const [row] = await database.report<{ [state in keyof WebhookCounts]: number | null }>(
    `select sum(case when enabled = 1 and failing_since is null then 1 else 0 end) as enabled,
       sum(case when enabled = 1 and failing_since is not null then 1 else 0 end) as failing,
       sum(case when enabled = 0 then 1 else 0 end) as disabled,
       ${countSql('untold', 'items', null)} as pending
     from webhooks where deleted_at is null`,
  );
  const { enabled = 0, failing = 0, disabled = 0, pending = 0 } = row ?? {};
  return { enabled: enabled ?? 0, failing: failing ?? 0, disabled: disabled ?? 0, pending: Number(pending) };
}
