/** Facts about emails, appended in the transaction that makes them true. */

import type { EventType } from '../core/event.ts';
import type { Reader, Transaction } from './database.ts';

/** What is worth knowing beside the type; `recipients` are the ones it is about. */
export type EventDetail = {
  recipients?: string[];
  /** The relay's words, or our reason where it said nothing. */
  reply?: string;
  attempt?: number;
  in_doubt?: boolean;
  /** Who decided, where it was not the relay. */
  by?: 'operator' | 'policy';
  scheduled_at?: number;
};

export type Event = { type: EventType; at: number; detail: EventDetail };

export async function appendEvent(
  tx: Transaction,
  account: string,
  emailId: string,
  type: EventType,
  at: number,
  detail: EventDetail,
): Promise<void> {
  await tx.run(
    'insert into events (account, email_id, type, at, detail) values (?, ?, ?, ?, ?)',
    account,
    emailId,
    type,
    at,
    JSON.stringify(detail),
  );
}

/** All events of an email, oldest first. */
export async function listEvents(reader: Reader, account: string, emailId: string): Promise<Event[]> {
  const rows = await reader.all<{ type: EventType; at: number; detail: string }>(
    'select type, at, detail from events where account = ? and email_id = ? order by id',
    account,
    emailId,
  );
  return rows.map((row) => ({ type: row.type, at: row.at, detail: JSON.parse(row.detail) }));
}
