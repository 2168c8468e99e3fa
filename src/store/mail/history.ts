/** Everything that is known of one email's way: its deliveries as they stand. Its events are in `events.ts`. */

import type { DeliveryState } from '../../core/delivery-state.ts';
import type { Reader } from '../database.ts';

export type DeliveryStatus = {
  part: number;
  state: DeliveryState;
  recipients: string[];
  attempt: number;
  /** Verdicts it was given, and times it could not be handed over since. */
  tries: number;
  failures: number;
  runAt: number;
  giveUpAt: number;
  gatedAt: number | null;
  possibleDuplicate: boolean;
  reply: string | null;
};

type Row = {
  part: number;
  state: DeliveryState;
  recipients: string;
  attempt: number;
  tries: number;
  failures: number;
  run_at: number;
  give_up_at: number;
  gated_at: number | null;
  possible_duplicate: number;
  reply: string | null;
};

export async function listDeliveries(reader: Reader, account: string, emailId: string): Promise<DeliveryStatus[]> {
  const rows = await reader.all<Row>(
    `select part, state, recipients, attempt, tries, failures, run_at, give_up_at, gated_at, possible_duplicate, reply
     from deliveries where account = ? and email_id = ? order by part`,
    account,
    emailId,
  );
  return rows.map((row) => ({
    part: row.part,
    state: row.state,
    recipients: JSON.parse(row.recipients),
    attempt: row.attempt,
    tries: row.tries,
    failures: row.failures,
    runAt: row.run_at,
    giveUpAt: row.give_up_at,
    gatedAt: row.gated_at,
    possibleDuplicate: row.possible_duplicate > 0,
    reply: row.reply,
  }));
}

/** Which facade took it in: not part of what is sent. */
export async function findFacade(reader: Reader, account: string, emailId: string): Promise<string | null> {
  const [row] = await reader.all<{ facade: string }>(
    'select facade from emails where account = ? and id = ?',
    account,
    emailId,
  );
  return row?.facade ?? null;
}
