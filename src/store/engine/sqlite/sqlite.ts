/** The SQLite engine: one write queue with group commit, reads of committed rows, one serving process per file. */

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import { cannotRead, cannotWrite } from '../../../core/error.ts';
import { type Awaitable, type Database, type SqlValue, type Transaction, TransactionEnded } from '../../database.ts';
import { type Aside, createAside } from './aside.ts';

export type SqliteOptions = {
  path: string;
  /** Called when a COMMIT may or may not have happened; must end the process. */
  onUnknownCommit: (cause: unknown) => void;
  /** FULL syncs the write-ahead log at each commit. The others lose acknowledged commits at a power cut: only tests use them. */
  synchronous?: 'FULL' | 'NORMAL' | 'OFF';
};

type Write = {
  work: (tx: Transaction) => Awaitable<unknown>;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
};

/** How long another process' short write (the command line's) is waited for. */
const busyTimeoutMs = 5_000;

/** SQLite waits within its calls, and with it the thread that serves everybody: a lock that lasts is waited for beside it. */
const busyOnThreadMs = 20;
const busyPauseMs = 20;

/** Bounds what one commit carries, so that a flood cannot hold the first answer back for long. */
const groupSizeMax = 500;

/**
 * The log is copied into the file beside the serving thread, this long after the last time. Keys are random, so that nearly
 * every accept dirties a page of its own: done within commits it took their time, and some 40 ms off the slowest hundredth.
 */
const checkpointEveryMs = 1_000;

/** Pages (of 4 KB) after which a commit does it all the same: a load that never pauses must not grow the log for ever. */
const checkpointPages = 40_000;

export function openSqlite(options: SqliteOptions): Database {
  mkdirSync(dirname(options.path), { recursive: true });
  const writer = new Sqlite(options.path, { timeout: busyTimeoutMs });
  try {
    writer.pragma('journal_mode = WAL');
    writer.pragma(`synchronous = ${options.synchronous ?? 'FULL'}`);
    writer.pragma('fullfsync = on');
    writer.pragma(`wal_autocheckpoint = ${checkpointPages}`);
    writer.pragma('cache_size = -16000');
    writer.pragma(`busy_timeout = ${busyOnThreadMs}`);
    const reader = new Sqlite(options.path, { timeout: busyOnThreadMs, readonly: true });
    return new SqliteDatabase(options, new Statements(writer), new Statements(reader));
  } catch (error) {
    writer.close();
    throw error;
  }
}

class SqliteDatabase implements Database {
  readonly engine = 'sqlite';
  readonly #options: SqliteOptions;
  readonly #writer: Statements;
  readonly #reader: Statements;
  #queue: Write[] = [];
  #flushing: Promise<void> | null = null;
  #inGroup = false;
  #reading = false;
  #aside: Aside | null = null;
  #checkpointing = false;
  #lastCheckpoint = performance.now();

  constructor(options: SqliteOptions, writer: Statements, reader: Statements) {
    this.#options = options;
    this.#writer = writer;
    this.#reader = reader;
  }

  /**
   * Outside a group the writer has nothing uncommitted, and its page cache is warm: the reader's is void after each commit.
   * Reads of one turn of the event loop share a transaction: taking and dropping the lock was a third of a look-up.
   */
  all<R>(sql: string, ...params: SqlValue[]): R[] {
    try {
      if (this.#inGroup) return this.#reader.all<R>(sql, params);
      if (!this.#reading) this.#startReading();
      return this.#writer.all<R>(sql, params);
    } catch (error) {
      throw isEngineFailure(error) ? cannotRead(error) : error;
    }
  }

  #startReading(): void {
    this.#writer.exec('begin');
    this.#reading = true;
    setImmediate(() => this.#stopReading());
  }

  #stopReading(): void {
    if (!this.#reading) return;
    this.#reading = false;
    this.#writer.rollBack();
  }

  write<T>(work: (tx: Transaction) => Awaitable<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ work, resolve: resolve as (value: unknown) => void, reject });
      this.#flushing ??= this.#flushAll();
    });
  }

  report<R>(sql: string, ...params: SqlValue[]): Promise<R[]> {
    return this.#besides().all<R>(sql, params);
  }

  wall(): number {
    return Date.now();
  }

  /** One process serves a file: there is nobody to tell. */
  announce(): void {}
  onAnnounced(): void {}

  async close(): Promise<void> {
    await this.#flushing;
    this.#stopReading();
    await this.#aside?.close();
    this.#reader.close();
    this.#writer.close();
  }

  async #flushAll(): Promise<void> {
    while (this.#queue.length > 0) {
      // Requests that arrived while the last commit blocked this thread are parsed first, and share the next one.
      await new Promise((resolve) => setImmediate(resolve));
      await this.#commitGroup(this.#queue.splice(0, groupSizeMax));
    }
    this.#flushing = null;
  }

  async #commitGroup(group: Write[]): Promise<void> {
    this.#stopReading();
    this.#inGroup = true;
    try {
      const settled = (await this.#runTogether(group)) ?? (await this.#runEach(group));
      this.#commit();
      for (const settle of settled) settle();
      this.#checkpointNowAndThen();
    } catch (error) {
      this.#writer.rollBack();
      const refusal = isEngineFailure(error) ? cannotWrite(error) : error;
      for (const write of group) write.reject(refusal);
    } finally {
      this.#inGroup = false;
    }
  }

  /** While another process writes, this one goes on answering what needs no write. */
  async #begin(): Promise<void> {
    const giveUpAt = performance.now() + busyTimeoutMs;
    for (;;) {
      try {
        return this.#writer.exec('begin immediate');
      } catch (error) {
        if (!isBusy(error) || performance.now() > giveUpAt) throw error;
        await new Promise((resolve) => setTimeout(resolve, busyPauseMs));
      }
    }
  }

  /** Without savepoints, which nearly no group needs: null, and all undone, when some work threw. */
  async #runTogether(group: Write[]): Promise<(() => void)[] | null> {
    await this.#begin();
    const settled: (() => void)[] = [];
    try {
      for (const write of group) {
        const value = await this.#writer.runWork(write.work);
        settled.push(() => write.resolve(value));
      }
      return settled;
    } catch (error) {
      if (isEngineFailure(error)) throw error;
      this.#writer.rollBack();
      return null;
    }
  }

  /** Each in a savepoint of its own, so that only what throws is undone. */
  async #runEach(group: Write[]): Promise<(() => void)[]> {
    await this.#begin();
    const settled: (() => void)[] = [];
    for (const write of group) settled.push(await this.#runInSavepoint(write));
    return settled;
  }

  async #runInSavepoint(write: Write): Promise<() => void> {
    this.#writer.exec('savepoint one');
    try {
      const value = await this.#writer.runWork(write.work);
      this.#writer.exec('release one');
      return () => write.resolve(value);
    } catch (error) {
      if (isEngineFailure(error)) throw error;
      this.#writer.exec('rollback to one');
      this.#writer.exec('release one');
      return () => write.reject(error);
    }
  }

  #checkpointNowAndThen(): void {
    const now = performance.now();
    if (!this.#writer.isDirty || this.#checkpointing || now - this.#lastCheckpoint < checkpointEveryMs) return;
    this.#checkpointing = true;
    this.#writer.isDirty = false;
    void this.#besides()
      .checkpoint()
      .then(() => {
        this.#checkpointing = false;
        this.#lastCheckpoint = performance.now();
      });
  }

  #besides(): Aside {
    if (!this.#aside || this.#aside.isGone) this.#aside = createAside(this.#options.path);
    return this.#aside;
  }

  #commit(): void {
    try {
      this.#writer.exec('commit');
    } catch (error) {
      if (isUnknownCommit(error)) this.#options.onUnknownCommit(error);
      throw error;
    }
  }
}

/** Prepared statements of one connection, kept by their text. */
class Statements {
  readonly #connection: Sqlite.Database;
  readonly #prepared = new Map<string, Sqlite.Statement<unknown[]>>();
  /** Some row may have been changed since this was last set to false. */
  isDirty = false;

  constructor(connection: Sqlite.Database) {
    this.#connection = connection;
  }

  all<R>(sql: string, params: SqlValue[]): R[] {
    return this.#prepare(sql).all(...params) as R[];
  }

  /** Within the transaction that was begun; what the work leaves running is refused once it has ended. */
  async runWork(work: Write['work']): Promise<unknown> {
    let ended = false;
    const prepare = (sql: string) => {
      if (ended) throw new TransactionEnded();
      const statement = this.#prepare(sql);
      this.isDirty ||= !statement.readonly;
      return statement;
    };
    try {
      return await work({
        skipLocked: '',
        writer: '0',
        all: <R>(sql: string, ...params: SqlValue[]) => prepare(sql).all(...params) as R[],
        run: (sql, ...params) => prepare(sql).run(...params).changes,
      });
    } finally {
      ended = true;
    }
  }

  exec(sql: string): void {
    this.#prepare(sql).run();
  }

  /** Some failures (a full disk) have rolled the transaction back already. */
  rollBack(): void {
    if (this.#connection.inTransaction) this.#connection.exec('rollback');
  }

  close(): void {
    this.#connection.close();
  }

  #prepare(sql: string): Sqlite.Statement<unknown[]> {
    let statement = this.#prepared.get(sql);
    if (!statement) {
      statement = this.#connection.prepare<unknown[]>(sql);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }
}

/** Failures of the machine rather than of one statement: the whole group is undone. */
function isEngineFailure(error: unknown): boolean {
  if (!(error instanceof Sqlite.SqliteError)) return false;
  return /^SQLITE_(FULL|IOERR|BUSY|LOCKED|NOMEM|CANTOPEN|READONLY|CORRUPT|NOTADB|PROTOCOL)/.test(error.code);
}

function isBusy(error: unknown): boolean {
  return error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY');
}

/**
 * A full disk or a lock at COMMIT leaves the commit frame unwritten. An I/O error there (a failed sync above all)
 * tells nothing about what the disk holds: only the next start, reading the log, can know.
 */
function isUnknownCommit(error: unknown): boolean {
  return !(error instanceof Sqlite.SqliteError) || !/^SQLITE_(FULL|BUSY|LOCKED)/.test(error.code);
}
