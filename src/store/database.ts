/** The port both engines implement: statements in a portable SQL subset, reads of committed rows, and one write queue. */

export type SqlValue = string | number | null | Uint8Array;
export type Awaitable<T> = T | Promise<T>;

/** Nothing where all of it is there already, as what SQLite says is: each promise costs as much as a look into a small table. */
export function together(works: readonly Awaitable<unknown>[]): Awaitable<unknown> {
  return works.some((one) => one instanceof Promise) ? Promise.all(works) : undefined;
}

export interface Reader {
  /** All rows of a query; parameters are `?`, in order. `bigint` columns are numbers, bytes are Uint8Array. */
  all<R>(sql: string, ...params: SqlValue[]): Awaitable<R[]>;
  /**
   * True: as the last writes leave it, durable or not, there is no such row. False tells nothing. For looks that nearly always find
   * nothing, and whose caller's own write decides. Missing where that is no cheaper than looking.
   */
  isAbsent?(sql: string, ...params: SqlValue[]): boolean;
}

/** What doors are given: it cannot write. */
export interface DatabaseReader extends Reader {
  readonly engine: 'sqlite' | 'postgres';

  /** Like `all`, away from the thread that serves requests: for long reads. */
  report<R>(sql: string, ...params: SqlValue[]): Promise<R[]>;
}

export interface Transaction extends Reader {
  /** Appended to the select of a claim: `for update skip locked`, or nothing where there is one writer. */
  readonly skipLocked: string;
  /** A number in SQL that no other connection has at the same time: what all of them add to is a row for each. */
  readonly writer: string;
  /** Runs a statement and tells how many rows it changed. */
  run(sql: string, ...params: SqlValue[]): Awaitable<number>;
  /**
   * Adds to the row that `key` names, before the commit: once for all works that share it. `sql` takes the key, then the amounts.
   * Within its transaction nobody reads such a row.
   */
  add(sql: string, key: readonly SqlValue[], amounts: readonly number[]): void;
}

export type WriteTerms = {
  /**
   * Names what the work is about. Works about different things never touch the same rows, so that an engine may run them
   * interleaved in one transaction; works about the same thing come one after the other. Without a name a work runs alone.
   */
  about?: string;
  /** Is not called off for taking long: migrations, above all. */
  patient?: boolean;
};

export interface Database extends DatabaseReader {
  /**
   * Runs `work` in a transaction of its own, or in a savepoint of a group that shares one commit.
   * Resolves only after COMMIT is durable; rejects, with everything `work` wrote undone, when `work` throws. What it left
   * running and asks for afterwards is refused.
   * `work` must await nothing but the transaction, and may be run again when its group failed.
   * @throws AppError `unavailable` when the database cannot take writes now (disk full, locked): nothing was written;
   * Contended when another process held the rows for too long: nothing was written;
   * CommitUnknown when what became of the commit cannot be found out.
   */
  write<T>(work: (tx: Transaction) => Awaitable<T>, terms?: WriteTerms): Promise<T>;

  /** Epoch milliseconds by the clock that all processes of this database share. */
  wall(): number;

  /** Tells other processes, soon, that something may be due. Announcements may get lost: polling is the fallback. */
  announce(): void;
  /** `listener` is told what other processes announce. */
  onAnnounced(listener: () => void): void;

  /** Where an engine keeps a log beside the tables, nothing of what was deleted is left in it. False: somebody still reads there. */
  emptyLog(): Promise<boolean>;

  close(): Promise<void>;
}

/**
 * The same reader for somebody who may stop waiting: reports that are asked for after that, as the next part of a long walk, are
 * refused. @throws the signal's reason.
 */
export function readerUntil(reader: DatabaseReader, signal: AbortSignal): DatabaseReader {
  return {
    engine: reader.engine,
    all: (sql, ...params) => reader.all(sql, ...params),
    report: async (sql, ...params) => {
      signal.throwIfAborted();
      return reader.report(sql, ...params);
    },
  };
}

/** A work has ended, and part of it still asks: what it wrote now would be part of another transaction, or of none. */
export class TransactionEnded extends Error {
  override readonly name = 'TransactionEnded';

  constructor() {
    super('The transaction of this work has ended.');
  }
}
