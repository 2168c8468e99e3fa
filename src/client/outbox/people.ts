/** What a person sees of an outbox, and answers for rows that are parked. */

import { type OutboxDatabase, run } from './engine.ts';
import { timeOf } from './rows.ts';

export type OutboxStatus = {
  waiting: number;
  parked: number;
  sent: number;
  dropped: number;
  /** Waiting, but behind another row of its group that is parked. */
  heldUp: number;
  /** How long the first one waits that is due; null: none is. */
  oldestMs: number | null;
  /** The first ones. */
  parkedRows: ParkedRow[];
};

export type ParkedRow = { id: string; because: string; error: string | null; since: number; attempts: number };

const shownMax = 20;

export async function readStatus(database: OutboxDatabase): Promise<OutboxStatus> {
  const counts = await database.all<{ state: string; count: number }>(
    'select state, count(*) as count from sendonce_outbox group by state',
  );
  const count = (state: string) => Number(counts.find((one) => one.state === state)?.count ?? 0);
  const [held] = await database.all<{ count: number }>(
    `select count(*) as count from sendonce_outbox waits where state = 'waiting' and exists (
       select 1 from sendonce_outbox before
       where before.state = 'parked' and before.ordering = waits.ordering and before.seq < waits.seq)`,
  );
  const parkedRows = await database.all<{
    id: string;
    because: string;
    error: string;
    since: unknown;
    attempts: number;
  }>(
    `select id, parked_because as because, last_error as error, settled_at as since, attempts
     from sendonce_outbox where state = 'parked' order by seq limit ?`,
    shownMax,
  );
  return {
    waiting: count('waiting'),
    parked: count('parked'),
    sent: count('sent'),
    dropped: count('dropped'),
    heldUp: Number(held?.count ?? 0),
    oldestMs: await oldestWaitingMs(database),
    parkedRows: parkedRows.map((row) => ({ ...row, since: timeOf(row.since) ?? 0 })),
  };
}

async function oldestWaitingMs(database: OutboxDatabase): Promise<number | null> {
  const age: Record<OutboxDatabase['engine'], string> = {
    postgres: 'extract(epoch from now() - min(greatest(created_at, not_before))) * 1000',
    sqlite: `(julianday('now') - julianday(min(max(created_at, coalesce(not_before, created_at))))) * 86400000.0`,
  };
  const [row] = await database.all<{ age: unknown }>(
    `select ${age[database.engine]} as age from sendonce_outbox where state = 'waiting'`,
  );
  const oldest = timeOf(row?.age);
  return oldest === null ? null : Math.max(0, oldest);
}

/**
 * Puts a parked row back, or all of them, under the keys they had: a batch's rows together. Tells how many rows that were.
 * One that was parked as `unknown` is beyond its key's life: if it was accepted after all, it is accepted again.
 */
export function retryRows(database: OutboxDatabase, id: string | null): Promise<number> {
  return database.transaction(() =>
    run(
      `update sendonce_outbox set state = 'waiting', parked_because = null, run_at = null, unknown_since = null,
         claim = null, settled_at = null
       where state = 'parked' ${id === null ? '' : named}`,
      ...(id === null ? [] : [id, id]),
    ),
  );
}

/** It is never sent by this outbox (again), nor are the others of its batch, which has one key. Tells how many rows that were. */
export function dropRows(database: OutboxDatabase, id: string): Promise<number> {
  return database.transaction((now) =>
    run(
      `update sendonce_outbox set state = 'dropped', settled_at = ?, claim = null
       where (state = 'parked' or (state = 'waiting' and attempts = 0)) ${named}`,
      database.time(now),
      id,
      id,
    ),
  );
}

const named = 'and (id = ? or batch = (select batch from sendonce_outbox named where named.id = ?))';
