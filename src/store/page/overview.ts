/** How one account stands right now: what is open, what is due, and how the relay has been answering. */

import type { EventType } from '../../core/event.ts';
import { type Said, saidInOldRow } from '../../core/reply.ts';
import { countSql } from '../counts.ts';
import type { DatabaseReader, Reader } from '../database.ts';
import { isOpenAs } from '../mail/open-index.ts';

/** Recipients by open state. */
export type Open = { queued: number; underWay: number; inDoubt: number };

/**
 * What is under way is few rows of few accounts. Asked for `account = ?`, SQLite would rather go through everything the account
 * ever sent (210 ms of a million) than use this condition's index; no index knows `account || ''` and these states.
 */
const underWaySql = (state: 'sending' | 'handoff') =>
  `(select coalesce(sum(recipient_count), 0) from deliveries
     where ${isOpenAs(state)} and account || '' = ?)`;

export async function countOpenOf(database: DatabaseReader, account: string): Promise<Open> {
  const [row] = await database.report<{ [state in keyof Open]: number | string }>(
    `select ${countSql('queued', 'recipients', '?')} as "queued", ${countSql('in_doubt', 'recipients', '?')} as "inDoubt",
       ${underWaySql('sending')} + ${underWaySql('handoff')} as "underWay"`,
    account,
    account,
    account,
    account,
  );
  const { queued = 0, underWay = 0, inDoubt = 0 } = row ?? {};
  return { queued: Number(queued), underWay: Number(underWay), inDoubt: Number(inDoubt) };
}

/** When the next queued delivery is, or was, due; null where nothing is queued. */
export async function findOldestDue(reader: Reader, account: string): Promise<number | null> {
  const [row] = await reader.all<{ run_at: number }>(
    "select run_at from deliveries where account = ? and state = 'queued' order by run_at limit 1",
    account,
  );
  return row?.run_at ?? null;
}

/** Of all accounts that do not wait for their operator. Each account's oldest is the first of its index. */
export async function findLongestDue(database: DatabaseReader): Promise<number | null> {
  const [row] = await database.report<{ run_at: number | null }>(
    `select min((select run_at from deliveries where account = accounts.id and state = 'queued' order by run_at limit 1)) as run_at
     from accounts where disabled_at is null and paused_at is null`,
  );
  return row?.run_at ?? null;
}

/** What the relay, or the way to it, last did to this account's mail. */
export type RelaySigns = {
  /** When a mail was last taken, as far as the last events tell. */
  takenAt: number | null;
  /** Something waits because it was refused for now, or could not be handed over. */
  trouble: {
    reply: string;
    said: Said | null;
    /** The relay said so itself; otherwise nothing was heard of it. */
    isAnswered: boolean;
    times: number;
    nextAt: number;
  } | null;
};

/** Enough to see how things go; both are read from the ends of indexes. */
const eventsLooked = 300;
const queuedLooked = 200;

export async function findRelaySigns(reader: Reader, account: string): Promise<RelaySigns> {
  const events = await reader.all<{ account: string; type: EventType; at: number }>(
    'select account, type, at from events order by id desc limit ?',
    eventsLooked,
  );
  const taken = events.find((one) => one.account === account && (one.type === 'sent' || one.type === 'delivered'));
  const queued = await reader.all<{
    reply: string | null;
    said: string | null;
    tries: number;
    failures: number;
    run_at: number;
  }>(
    "select reply, said, tries, failures, run_at from deliveries where account = ? and state = 'queued' order by run_at limit ?",
    account,
    queuedLooked,
  );
  // A relay that is away matters more than one that puts a mail off.
  const waiting = queued.find((one) => one.failures > 0) ?? queued.find((one) => one.tries > 0);
  if (!waiting) return { takenAt: taken?.at ?? null, trouble: null };
  const isAnswered = waiting.failures === 0;
  const times = isAnswered ? waiting.tries : waiting.failures;
  return {
    takenAt: taken?.at ?? null,
    trouble: { reply: waiting.reply ?? '', said: saidOf(waiting), isAnswered, times, nextAt: waiting.run_at },
  };
}

/** Rows that are older than the column have the words alone. */
function saidOf({ reply, said }: { reply: string | null; said: string | null }): Said | null {
  return said === null ? saidInOldRow(reply ?? '') : JSON.parse(said);
}
