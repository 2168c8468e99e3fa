/** What an outbox asks of the caller's database: a few statements in a transaction that is on the disk when it resolves. */

import type { OutboxEngine } from './table.ts';

export type Value = string | number | null;

export type Statement = { sql: string; params: Value[]; wants: 'rows' | 'count' };

/**
 * The statements of a transaction, one after the other, each answered before the next. Not async: a program that drains its own
 * SQLite file must not be let run while the drain holds the lock it would wait for.
 */
export type Steps<T> = Generator<Statement, T, unknown>;

export function* all<R>(sql: string, ...params: Value[]): Steps<R[]> {
  return (yield { sql, params, wants: 'rows' }) as R[];
}

/** Tells how many rows it changed. */
export function* run(sql: string, ...params: Value[]): Steps<number> {
  return (yield { sql, params, wants: 'count' }) as number;
}

export interface OutboxDatabase {
  readonly engine: OutboxEngine;
  /** Added to a select of rows that are to be claimed. */
  readonly skipLocked: string;
  /** Takes the steps in one transaction, from the first again where others were in the way. `now` is the database's clock. */
  transaction<T>(steps: (now: number) => Steps<T>): Promise<T>;
  /** Beside transactions. */
  all<R>(sql: string, ...params: Value[]): Promise<R[]>;
  /**
   * `listener` is called when rows may have come, until what is returned is called. It may be called in vain, and may miss some:
   * polling is the fallback.
   */
  onRows(listener: () => void): () => void;
  /** Runs several statements at once, as `init` needs them. */
  script(sql: string): Promise<void>;
  /** A time as the table keeps it. */
  time(epochMs: number): Value;
  /** SQL for "among these numbers", which are passed as JSON. */
  readonly among: string;
  /** SQL for a table of records, which are passed as JSON; `columns` as `seq bigint, email_ids text`. */
  records(name: string, columns: string): string;
  close(): Promise<void>;
}

/**
 * `makesFile`: whether an SQLite file is made where there is none.
 *
 * @throws Error where it is no database an outbox can be in.
 */
export async function openOutboxDatabase(url: string, { makesFile = false } = {}): Promise<OutboxDatabase> {
  // Loaded when asked for: who drains PostgreSQL needs no SQLite.
  if (/^postgres(ql)?:\/\//.test(url)) return (await import('./postgres.ts')).openPostgresOutbox(url);
  if (url.startsWith('sqlite:'))
    return (await import('./sqlite.ts')).openSqliteOutbox(url.slice('sqlite:'.length), makesFile);
  throw new Error('The database of an outbox is sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE.');
}
