/** What is in doubt at an upstream that knows its key: whoever asks the same again learns what became of it. */

import { ownWords } from '../../core/reply.ts';
import type { Reader, Transaction } from '../database.ts';
import type { DeliveryRef } from './deliveries.ts';
import { moves } from './move.ts';

/** `attempt` is the one whose request left; `now`'s is the row's. */
export type Repeatable = DeliveryRef & {
  attempt: number;
  rowAttempt: number;
  relay: string;
  recipients: string[];
  gatedAt: number;
  repeatUntil: number;
};

type RepeatRow = {
  account: string;
  email_id: string;
  part: number;
  attempt: number;
  handoff_attempt: number;
  relay: string;
  recipients: string;
  gated_at: number;
  repeat_until: number;
};

/** Those whose key has not ended, the oldest first. */
export async function listRepeatable(reader: Reader, now: number, limit: number): Promise<Repeatable[]> {
  const rows = await reader.all<RepeatRow>(
    `select account, email_id, part, attempt, handoff_attempt, relay, recipients, gated_at, repeat_until from deliveries
     where state = 'in_doubt' and repeat_until is not null and repeat_until > ? and unanswered > 0
       and handoff_attempt is not null and relay is not null and gated_at is not null
     order by repeat_until limit ?`,
    now,
    limit,
  );
  return rows.map((row) => ({
    account: row.account,
    emailId: row.email_id,
    part: row.part,
    attempt: row.handoff_attempt,
    rowAttempt: row.attempt,
    relay: row.relay,
    recipients: JSON.parse(row.recipients),
    gatedAt: row.gated_at,
    repeatUntil: row.repeat_until,
  }));
}

/** Nothing more is to be learned that way. False: somebody else has moved it. */
export function stopRepeating(tx: Transaction, one: Repeatable, reason: string, now: number): Promise<boolean> {
  return moves(tx, 'stop_repeats', one, { reply: ownWords(reason), fence: one.rowAttempt, now });
}
