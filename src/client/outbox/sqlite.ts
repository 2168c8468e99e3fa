/** An outbox in the caller's SQLite file. */

import { existsSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import type { OutboxDatabase, Steps, Value } from './engine.ts';

/**
 * How long the caller's own transactions are waited for; within SQLite's call, which stops this thread, only shortly: the
 * transaction may be one of this very program's.
 */
const busyMs = 10_000;
const busyOnThreadMs = 20;
const busyPauseMs = 10;

/** SQLite tells nobody that rows came: looking at the file's version costs some microseconds. */
const lookEveryMs = 50;

/** @throws Error where the file is not there and is not to be made: rows are looked for where the caller's program writes them. */
export function openSqliteOutbox(path: string, makesFile: boolean): OutboxDatabase {
  if (!existsSync(path) && !makesFile)
    throw new Error(`There is no SQLite database at ${path}. Name the one that your app writes to.`);
  const database = new Sqlite(path, { timeout: busyOnThreadMs });
  // Whatever the caller chose: which key a row goes out under must outlive a power cut.
  database.pragma('synchronous = EXTRA');
  database.pragma('fullfsync = on');
  return new SqliteOutbox(database);
}

class SqliteOutbox implements OutboxDatabase {
  readonly engine = 'sqlite';
  readonly skipLocked = '';
  readonly among = 'in (select value from json_each(?))';
  readonly #database: Sqlite.Database;
  readonly #prepared = new Map<string, Sqlite.Statement>();

  constructor(database: Sqlite.Database) {
    this.#database = database;
  }

  transaction<T>(steps: (now: number) => Steps<T>): Promise<T> {
    return unlessBusy(() => this.#take(steps));
  }

  all<R>(sql: string, ...params: Value[]): Promise<R[]> {
    return unlessBusy(() => this.#prepare(sql).all(...params) as R[]);
  }

  onRows(listener: () => void): () => void {
    let seen = this.#version();
    const looking = setInterval(() => {
      const version = this.#version();
      if (version === seen) return;
      seen = version;
      listener();
    }, lookEveryMs);
    return () => clearInterval(looking);
  }

  script(sql: string): Promise<void> {
    return unlessBusy(() => {
      this.#database.exec('begin immediate');
      try {
        this.#database.exec(`${sql}\ncommit;`);
      } finally {
        if (this.#database.inTransaction) this.#database.exec('rollback');
      }
    });
  }

  time(epochMs: number): number {
    return Math.round(epochMs);
  }

  records(name: string, columns: string): string {
    const members = columns.split(',').map((column) => column.trim().split(' ')[0] ?? '');
    const selected = members.map((member) => `json_extract(value, '$.${member}') as ${member}`);
    return `(select ${selected.join(', ')} from json_each(?)) as ${name}`;
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #take<T>(steps: (now: number) => Steps<T>): T {
    this.#database.exec('begin immediate');
    try {
      const taken = steps(Date.now());
      let step = taken.next();
      while (!step.done) {
        const { sql, params, wants } = step.value;
        const statement = this.#prepare(sql);
        step = taken.next(wants === 'rows' ? statement.all(...params) : statement.run(...params).changes);
      }
      this.#database.exec('commit');
      return step.value;
    } catch (error) {
      if (this.#database.inTransaction) this.#database.exec('rollback');
      throw error;
    }
  }

  #version(): unknown {
    return this.#database.pragma('data_version', { simple: true });
  }

  #prepare(sql: string): Sqlite.Statement {
    const known = this.#prepared.get(sql);
    if (known) return known;
    const made = this.#database.prepare(sql);
    this.#prepared.set(sql, made);
    return made;
  }
}

async function unlessBusy<T>(work: () => T): Promise<T> {
  const giveUpAt = performance.now() + busyMs;
  for (;;) {
    try {
      return work();
    } catch (error) {
      const isBusy = String((error as { code?: unknown }).code).startsWith('SQLITE_BUSY');
      if (!isBusy || performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, busyPauseMs));
    }
  }
}
