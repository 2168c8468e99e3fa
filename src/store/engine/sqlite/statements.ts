/** One connection to a SQLite file, with its prepared statements kept by their text. */

import type Sqlite from 'better-sqlite3';
import { type SqlValue, type Transaction, TransactionEnded } from '../../database.ts';
import type { Sums } from '../sums.ts';

export class Statements {
  readonly #connection: Sqlite.Database;
  readonly #prepared = new Map<string, Sqlite.Statement<unknown[]>>();
  /** Some work has changed something since this was last set to false, be it undone again. */
  hasWritten = false;

  constructor(connection: Sqlite.Database) {
    this.#connection = connection;
  }

  all<R>(sql: string, params: SqlValue[]): R[] {
    return this.#prepare(sql).all(...params) as R[];
  }

  /** For a work within the transaction that was begun. `sums`: what it adds up. */
  open(sums: Sums): Work {
    return new Work(this, sums);
  }

  /** Of a work. */
  allOf<R>(sql: string, params: SqlValue[]): R[] {
    const statement = this.#prepare(sql);
    const rows = statement.all(...params) as R[];
    // What changes rows and gives rows back gives one for each.
    if (!this.hasWritten && rows.length > 0) this.hasWritten = !statement.readonly;
    return rows;
  }

  runOf(sql: string, params: SqlValue[]): number {
    const { changes } = this.#prepare(sql).run(...params);
    if (!this.hasWritten) this.hasWritten = changes > 0 || !changesRows.test(sql);
    return changes;
  }

  /** What the works of a commit have added up. */
  write(sums: Sums): void {
    for (const [sql, params] of sums.statements()) {
      this.#prepare(sql).run(...params);
      this.hasWritten = true;
    }
  }

  exec(sql: string): void {
    this.#prepare(sql).run();
  }

  /** Some failures (a full disk) have rolled the transaction back already. */
  rollBack(): void {
    if (this.#connection.inTransaction) this.exec('rollback');
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

/** A transaction as one work has it: what the work leaves running is refused once it has ended. */
export class Work implements Transaction {
  readonly skipLocked = '';
  readonly writer = '0';
  readonly add: Transaction['add'];
  #statements: Statements | null;

  constructor(statements: Statements, sums: Sums) {
    this.#statements = statements;
    this.add = sums.add;
  }

  all<R>(sql: string, ...params: SqlValue[]): R[] {
    return this.#open().allOf<R>(sql, params);
  }

  run(sql: string, ...params: SqlValue[]): number {
    return this.#open().runOf(sql, params);
  }

  isAbsent(sql: string, ...params: SqlValue[]): boolean {
    return this.#open().all(sql, params).length === 0;
  }

  end(): void {
    this.#statements = null;
  }

  #open(): Statements {
    if (!this.#statements) throw new TransactionEnded();
    return this.#statements;
  }
}

/** Of other statements (a new table) SQLite does not count what they change. */
const changesRows = /^\s*(insert|update|delete)\b/i;
