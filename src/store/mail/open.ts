/** What is open: deliveries that wait, are under way, or are held, as the queue's listing and the metrics show them. */

import type { DeliveryState } from '../../core/delivery.ts';
import type { Database, Reader } from '../database.ts';
import type { DeliveryRef } from './deliveries.ts';

export type OpenDelivery = DeliveryRef & {
  state: DeliveryState;
  recipients: string[];
  attempt: number;
  /** Times a worker set out with it: a verdict came, the relay was not reached, or nobody knows. */
  tries: number;
  runAt: number;
  gatedAt: number | null;
  possibleDuplicate: boolean;
  reply: string | null;
  messageId: string;
  subject: string;
};

export type OpenListRow = {
  account: string;
  email_id: string;
  part: number;
  attempt: number;
  recipients: string;
  gated_at: number | null;
  state: DeliveryState;
  tries: number;
  failures: number;
  unanswered: number;
  run_at: number;
  possible_duplicate: number;
  reply: string | null;
  message_id: string;
  summary: string;
};

export const openListColumns = `d.account, d.email_id, d.part, d.attempt, d.recipients, d.gated_at,
  d.state, d.tries, d.failures, d.unanswered, d.run_at, d.possible_duplicate, d.reply, e.message_id, e.summary`;

/** Open deliveries, those in doubt first, then by when they are due. */
export async function listOpen(reader: Reader, states: DeliveryState[], limit: number): Promise<OpenDelivery[]> {
  const marks = states.map(() => '?').join(', ');
  const rows = await reader.all<OpenListRow>(
    `select ${openListColumns} from deliveries d join emails e on e.account = d.account and e.id = d.email_id
     where d.state in (${marks})
     order by case d.state when 'in_doubt' then 0 when 'handoff' then 1 when 'sending' then 2 else 3 end, d.run_at
     limit ?`,
    ...states,
    limit,
  );
  return rows.map(toOpenDelivery);
}

export function toOpenDelivery(row: OpenListRow): OpenDelivery {
  return {
    account: row.account,
    emailId: row.email_id,
    part: row.part,
    state: row.state,
    recipients: JSON.parse(row.recipients),
    attempt: row.attempt,
    tries: row.tries + row.failures + row.unanswered,
    runAt: row.run_at,
    gatedAt: row.gated_at,
    possibleDuplicate: row.possible_duplicate > 0,
    reply: row.reply,
    messageId: row.message_id,
    subject: JSON.parse(row.summary).subject,
  };
}

/** Open deliveries by state, read from the indexes of what is open. */
export async function countOpen(database: Database): Promise<Partial<Record<DeliveryState, number>>> {
  const rows = await database.report<{ state: DeliveryState; deliveries: number }>(
    `select state, count(*) as deliveries from deliveries where state in ('sending', 'handoff', 'in_doubt') group by state
     union all select 'queued', count(*) from deliveries where state = 'queued'`,
  );
  return Object.fromEntries(rows.map((row) => [row.state, row.deliveries]));
}
