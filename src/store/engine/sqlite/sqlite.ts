/** The SQLite engine: one write queue with group commit, reads of synced rows, one serving process per file. */

import Sqlite from 'better-sqlite3';
import { cannotRead, cannotWrite } from '../../../core/error.ts';
import type { Awaitable, Database, SqlValue, Transaction } from '../../database.ts';
import { Sums } from '../sums.ts';
import { type Aside, createAside } from './aside.ts';
import { Checkpoints } from './checkpoints.ts';
import { busyOnThreadMs, busyTimeoutMs, openWriter } from './open-writer.ts';
import { Statements } from './statements.ts';
import { type Sync, SyncedLog, syncToDisk } from './synced-log.ts';
import { explained, isBusy, isDamage, isEngineFailure, isUnknownCommit } from './trouble.ts';

export type SqliteOptions = {
  path: string;
  /** Called when a COMMIT may or may not have happened, or may not be on the disk; must end the process. */
  onUnknownCommit: (cause: unknown) => void;
  /** Instead of the system's. One that does not wait for the disk loses acknowledged commits at a power cut: only tests have it. */
  sync?: Sync;
};

type Write = {
  work: (tx: Transaction) => Awaitable<unknown>;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
};

const busyPauseMs = 20;

/** Bounds what one commit carries, so that a flood cannot hold the first answer back for long. */
const groupSizeMax = 500;
/** And how long its works keep the thread from all else. */
const groupMsMax = 4;
/** How long one stays open for more: on a slow disk another program (the command line) finds moments to write in. */
const openMsMax = 2;

export function openSqlite(options: SqliteOptions): Database {
  const writer = openWriter(options.path);
  try {
    return new SqliteDatabase(options, new Statements(writer));
  } catch (error) {
    writer.close();
    throw explained(options.path, error);
  }
}

class SqliteDatabase implements Database {
  readonly engine = 'sqlite';
  readonly #options: SqliteOptions;
  readonly #writer: Statements;
  readonly #log: SyncedLog;
  readonly #checkpoints: Checkpoints;
  #queue: Write[] = [];
  #flushing: Promise<void> | null = null;
  /** Tells a group that is open for more that there is more. */
  #onQueued: () => void = () => {};
  #aside: Aside | null = null;

  constructor(options: SqliteOptions, writer: Statements) {
    const { path, sync = syncToDisk, onUnknownCommit } = options;
    const connect = () => new Sqlite(path, { timeout: busyOnThreadMs, readonly: true });
    this.#options = options;
    this.#writer = writer;
    this.#log = new SyncedLog({ path, connect, writer, sync, onUnknownCommit });
    this.#checkpoints = new Checkpoints({ path, log: this.#log, onDue: () => this.#flush(), onUnknownCommit });
  }

  all<R>(sql: string, ...params: SqlValue[]): Awaitable<R[]> {
    const refused = (error: unknown) => {
      throw isEngineFailure(error) ? cannotRead(explained(this.#options.path, error), isDamage(error)) : error;
    };
    try {
      const rows = this.#log.all<R>(sql, params);
      return rows instanceof Promise ? rows.catch(refused) : rows;
    } catch (error) {
      return refused(error);
    }
  }

  /**
   * The writer sees all there is, synced or not, and has its pages at hand: a reader loses its own with each new moment it is shown.
   * While nothing is committed readers keep theirs.
   */
  isAbsent(sql: string, ...params: SqlValue[]): boolean {
    if (!this.#log.isMoving) return false;
    try {
      return this.#writer.all(sql, params).length === 0;
    } catch {
      // Whoever looks is told why.
      return false;
    }
  }

  write<T>(work: (tx: Transaction) => Awaitable<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ work, resolve: resolve as (value: unknown) => void, reject });
      this.#onQueued();
      this.#flush();
    });
  }

  /** What it has read is on the disk when this resolves. */
  async report<R>(sql: string, ...params: SqlValue[]): Promise<R[]> {
    const rows = await this.#besides().all<R>(sql, params);
    await this.#log.settled();
    return rows;
  }

  wall(): number {
    return Date.now();
  }

  /** One process serves a file: there is nobody to tell. */
  announce(): void {}
  onAnnounced(): void {}

  emptyLog(): Promise<boolean> {
    const emptied = this.#checkpoints.empty();
    this.#flush();
    return emptied;
  }

  async close(): Promise<void> {
    while (this.#flushing) await this.#flushing;
    await Promise.all([this.#aside?.close(), this.#checkpoints.close(), this.#log.close()]);
    this.#writer.close();
  }

  #flush(): void {
    this.#flushing ??= this.#flushAll();
  }

  async #flushAll(): Promise<void> {
    while (this.#queue.length > 0 || this.#checkpoints.isDue) {
      // Requests that came while the last group was written are parsed first, and share the next one.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#checkpoints.isDue) await this.#checkpoints.beginAnew();
      if (this.#queue.length > 0) await this.#commitGroup(this.#queue.splice(0, groupSizeMax));
    }
    this.#flushing = null;
  }

  /** Does not wait for its sync: the next group is written meanwhile. */
  async #commitGroup(group: Write[]): Promise<void> {
    this.#writer.hasWritten = false;
    try {
      const settled = (await this.#runTogether(group)) ?? (await this.#runEach(group));
      this.#commit();
      this.#settle(group, settled);
    } catch (error) {
      this.#writer.rollBack();
      this.#refuse(group, error);
    }
  }

  /** Also a work that has changed nothing waits for what it has read. */
  #settle(group: Write[], settled: (() => void)[]): void {
    if (this.#writer.hasWritten) this.#log.committed();
    this.#log.settled().then(
      () => {
        for (const settle of settled) settle();
      },
      (error) => this.#refuse(group, cannotWrite(error)),
    );
    if (this.#writer.hasWritten) this.#checkpoints.committed();
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

  /**
   * For as long as it may keep others waiting; the rest waits for its next turn, or the next group. Without savepoints, which nearly no
   * group needs: null, and all undone, when some work threw.
   */
  async #runTogether(group: Write[]): Promise<(() => void)[] | null> {
    await this.#begin();
    const settled: (() => void)[] = [];
    const sums = new Sums();
    const openUntil = performance.now() + openMsMax;
    try {
      do {
        const until = performance.now() + groupMsMax;
        for (const [index, write] of group.slice(settled.length).entries()) {
          if (index > 0 && performance.now() > until) break;
          const tx = this.#writer.open(sums);
          try {
            const value = await write.work(tx);
            settled.push(() => write.resolve(value));
          } finally {
            tx.end();
          }
        }
      } while (performance.now() < openUntil && (await this.#goesOn(group, settled.length)));
      this.#writer.write(sums);
      this.#queue.unshift(...group.splice(settled.length));
      return settled;
    } catch (error) {
      if (isEngineFailure(error)) throw error;
      this.#writer.rollBack();
      this.#queue.unshift(...group.splice(settled.length + 1));
      return null;
    }
  }

  /**
   * While the log is being synced a group stays open for what comes: the next sync cannot begin before that ends, and a commit for every
   * few works costs more than they do. Others have their turn meanwhile.
   */
  async #goesOn(group: Write[], done: number): Promise<boolean> {
    const ended = this.#log.syncEnd;
    if (!ended) return false;
    if (group.length === done && this.#queue.length === 0) {
      const queued = new Promise<void>((resolve) => {
        this.#onQueued = resolve;
      });
      await Promise.race([ended, queued]);
      this.#onQueued = () => {};
    }
    await new Promise((resolve) => setImmediate(resolve));
    group.push(...this.#queue.splice(0, Math.max(0, groupSizeMax - group.length)));
    return group.length > done;
  }

  /** Each in a savepoint of its own, so that only what throws is undone. */
  async #runEach(group: Write[]): Promise<(() => void)[]> {
    await this.#begin();
    const settled: (() => void)[] = [];
    const sums = new Sums();
    for (const write of group) settled.push(await this.#runInSavepoint(write, sums));
    this.#writer.write(sums);
    return settled;
  }

  async #runInSavepoint(write: Write, sums: Sums): Promise<() => void> {
    this.#writer.exec('savepoint one');
    const own = new Sums();
    const tx = this.#writer.open(own);
    try {
      const value = await write.work(tx);
      this.#writer.exec('release one');
      sums.addAll(own);
      return () => write.resolve(value);
    } catch (error) {
      if (isEngineFailure(error)) throw error;
      this.#writer.exec('rollback to one');
      this.#writer.exec('release one');
      return () => write.reject(error);
    } finally {
      tx.end();
    }
  }

  #refuse(group: Write[], error: unknown): void {
    const { path } = this.#options;
    const refusal = isEngineFailure(error) ? cannotWrite(explained(path, error), isDamage(error)) : error;
    for (const write of group) write.reject(refusal);
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
