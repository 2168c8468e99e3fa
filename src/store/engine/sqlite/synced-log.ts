/**
 * The one place that knows what is on the disk. It syncs the write-ahead log beside the serving thread, and shows readers
 * nothing that is not synced (docs/decisions/0050-commits-do-not-block.md).
 */

import { closeSync, fdatasync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import type Sqlite from 'better-sqlite3';
import type { Awaitable, SqlValue } from '../../database.ts';
import { Statements } from './statements.ts';

export type SyncedLogOptions = {
  path: string;
  /** Makes a connection that only reads. */
  connect: () => Sqlite.Database;
  /** The connection that commits. It must not sync by itself. */
  writer: Statements;
  /** Resolves once all that was written to the file before the call is on the disk. */
  sync: Sync;
  /** Called when it cannot be known what is on the disk; must end the process. */
  onUnknownCommit: (cause: unknown) => void;
};

export type Sync = (file: number) => Promise<void>;

export const syncToDisk: Sync = promisify(fdatasync);

export class SyncedLog {
  readonly #options: SyncedLogOptions;
  #file: number | null = null;
  /** What readers are shown: a moment of which all is on the disk. */
  #shown: Snapshot;
  /** While the log is being synced: the moment that is to be shown next. */
  #other: Snapshot;
  /** Commits of this connection since the last sync began. */
  #isBehind = false;
  #syncing: Promise<void> | null = null;
  /** The one after that. */
  #next: Promise<void> | null = null;
  /** Readers wait for it: another process has committed. */
  #catchingUp: Promise<void> | null = null;
  #hasLooked = false;
  #isRenewing = false;
  #failure: { cause: unknown } | null = null;

  constructor(options: SyncedLogOptions) {
    this.#options = options;
    this.#shown = new Snapshot(options.connect());
    this.#other = new Snapshot(options.connect());
  }

  /** Rows that are on the disk. Waits for nothing, unless another process has committed something that may not be. */
  all<R>(sql: string, params: SqlValue[]): Awaitable<R[]> {
    if (!this.#hasLooked) this.#look();
    if (!this.#catchingUp) return this.#shown.statements.all<R>(sql, params);
    return this.#catchingUp.then(() => this.#shown.statements.all<R>(sql, params));
  }

  /** Something was committed that readers are not shown yet. */
  get isMoving(): boolean {
    return this.#isBehind || this.#syncing !== null;
  }

  /** Resolves, and never rejects, when the sync under way has ended. Null: there is none. */
  get syncEnd(): Promise<void> | null {
    return this.#syncing?.catch(() => {}) ?? null;
  }

  /** The writer has changed something and committed. */
  committed(): void {
    this.#isBehind = true;
  }

  /**
   * Resolves once all that anybody has committed by now is on the disk, and shown.
   * @throws whatever kept the log from being synced, should the process still be there.
   */
  settled(): Promise<void> {
    if (this.#isBehind || this.#newest().version !== this.#version()) return this.#sync();
    return this.#syncing ?? Promise.resolve();
  }

  /** Around a change of the log that another thread of this process makes and syncs: readers do not wait for that. */
  async around(change: () => Promise<void>): Promise<void> {
    this.#isRenewing = true;
    try {
      await this.#sync();
      await change();
      await this.#sync();
    } finally {
      this.#isRenewing = false;
    }
  }

  async close(): Promise<void> {
    await this.#next?.catch(() => {});
    await this.#syncing?.catch(() => {});
    for (const snapshot of [this.#shown, this.#other]) snapshot.statements.close();
    if (this.#file !== null) closeSync(this.#file);
  }

  /** What the command line was told is done, the next read shows: once in each turn of the event loop that is looked after. */
  #look(): void {
    this.#hasLooked = true;
    setImmediate(() => {
      this.#hasLooked = false;
    });
    if (this.#catchingUp || this.#isRenewing) return;
    const version = this.#version();
    if (this.#shown.version === version) return;
    const isUnderWay = this.#syncing !== null && this.#other.version === version;
    const shown = isUnderWay && this.#syncing ? this.#syncing : this.#sync();
    this.#catchingUp = shown.finally(() => {
      this.#catchingUp = null;
    });
  }

  /** Changes with the commits of others. */
  #version(): number {
    const [row] = this.#options.writer.all<{ data_version: number }>('pragma data_version', []);
    return row?.data_version ?? Number.NaN;
  }

  #newest(): Snapshot {
    return this.#syncing ? this.#other : this.#shown;
  }

  /** One at a time: disks do them one by one. What is committed meanwhile shares the next, which begins when this one ends. */
  #sync(): Promise<void> {
    if (!this.#syncing) return this.#begin();
    this.#next ??= this.#syncing.then(() => this.#begin());
    return this.#next;
  }

  /** What the moment to be shown next has seen was written before the sync begins, which therefore covers it. */
  #begin(): Promise<void> {
    this.#next = null;
    this.#isBehind = false;
    this.#syncing = this.#takeAndSync().then(
      () => {
        this.#syncing = null;
        [this.#shown, this.#other] = [this.#other, this.#shown];
        this.#other.statements.rollBack();
      },
      (error) => {
        this.#failure = { cause: error };
        this.#options.onUnknownCommit(error);
        throw error;
      },
    );
    return this.#syncing;
  }

  async #takeAndSync(): Promise<void> {
    // A sync that is tried again succeeds, and has written nothing: https://wiki.postgresql.org/wiki/Fsync_Errors
    if (this.#failure) throw this.#failure.cause;
    this.#other.take(this.#version());
    this.#file ??= openSync(`${this.#options.path}-wal`, 'r+');
    await this.#options.sync(this.#file);
  }
}

/** A moment of the database, for as long as it is not taken anew. */
class Snapshot {
  readonly statements: Statements;
  /** The writer's, when it was taken, or before. */
  version = Number.NaN;

  constructor(connection: Sqlite.Database) {
    this.statements = new Statements(connection);
  }

  take(version: number): void {
    this.version = version;
    this.statements.rollBack();
    this.statements.exec('begin');
    // Only with its first read does a transaction see one moment.
    this.statements.all('select 1 from sqlite_schema limit 1', []);
  }
}
