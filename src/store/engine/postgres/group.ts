/** The works of one group: the transaction they share, how each is run in it, what it came to, and whether it may be run again. */

import { type SqlValue, type Transaction, TransactionEnded } from '../../database.ts';
import { Sums } from '../sums.ts';
import type { Connection } from './connection.ts';
import type { troubleOf } from './error.ts';
import { ownSettings } from './marker.ts';
import type { Write } from './queue.ts';

/** Of a group: many answers wait behind one held row; each is tried by itself then. */
const groupLockMs = 200;
/** Of a work by itself: a fraction of the 3 s after which a duplicate is told to come back. */
const soloLockMs = 500;
const statementMs = 10_000;
/** A process that stands still in the middle of a transaction must not hold rows for long. */
const idleMs = 5_000;

/** How often a work that lost to other transactions is run again. */
const lossesMax = 5;

/** What running one work came to, before the commit. */
export type Ran = { value: unknown; sums: Sums } | { error: unknown; asked: boolean };

/** The settings are the transaction's own: behind a pooler the next one may meet another session. */
export function begin(group: Write[]): string {
  const isSolo = group[0]?.solo || group[0]?.terms.about === undefined;
  const [lock, statement, idle] = group[0]?.terms.patient
    ? [0, 0, 0]
    : [isSolo ? soloLockMs : groupLockMs, statementMs, idleMs];
  return `begin isolation level read committed read write; set local lock_timeout = ${lock};
    set local statement_timeout = ${statement}; set local idle_in_transaction_session_timeout = ${idle}; ${ownSettings}`;
}

/** Never rejects. `trouble.first`: what the first statement of the group that failed was refused for. */
export async function runWork(connection: Connection, write: Write, trouble: { first: unknown }): Promise<Ran> {
  const sums = new Sums();
  let asked = false;
  let ended = false;
  async function ask<R>(sql: string, params: SqlValue[]) {
    if (ended) throw new TransactionEnded();
    asked = true;
    try {
      return await connection.query<R>(sql, params);
    } catch (error) {
      // The first one is the cause; whatever follows it in the transaction is refused for that alone.
      trouble.first ??= error;
      throw error;
    }
  }
  const transaction: Transaction = {
    skipLocked: 'for update skip locked',
    writer: 'pg_backend_pid()',
    all: async <R>(sql: string, ...params: SqlValue[]) => (await ask<R>(sql, params)).rows,
    run: async (sql, ...params) => (await ask(sql, params)).count,
    add: sums.add,
  };
  try {
    return { value: await write.work(transaction), sums };
  } catch (error) {
    return { error, asked };
  } finally {
    ended = true;
  }
}

/**
 * What the works of a transaction have added up leaves with its commit, which undoes the transaction where any of it was refused.
 */
export function writeSums(connection: Connection, ran: Ran[]): void {
  const sums = new Sums();
  for (const one of ran) if ('sums' in one) sums.addAll(one.sums);
  for (const [sql, params] of sums.statements()) connection.query(sql, params).catch(() => {});
}

export function settle(write: Write, ran: Ran): void {
  if ('error' in ran) write.reject(ran.error);
  else write.resolve(ran.value);
}

/** After its transaction failed, and nothing of it was written. */
export function mayRunAgain(write: Write, groupSize: number, trouble: ReturnType<typeof troubleOf>): boolean {
  if (groupSize > 1) return true;
  if (trouble === 'contended') return !write.solo && write.terms.about !== undefined;
  if (trouble !== 'again') return false;
  write.lost += 1;
  return write.lost <= lossesMax;
}
