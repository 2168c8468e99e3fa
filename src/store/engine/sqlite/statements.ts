/** One connection to a SQLite file, with its prepared statements kept by their text. */

import type Sqlite from 'better-sqlite3';
import { type Awaitable, type SqlValue, type Transaction, TransactionEnded } from '../../database.ts';
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

  /** Within the transaction that was begun; what the work leaves running is refused once it has ended. `sums`: what it adds up. */
  async runWork(work: (tx: Transaction) => Awaitable<unknown>, sums: Sums): Promise<unknown> {
    let ended = false;
    const prepare = (sql: string) => {
      if (ended) throw new TransactionEnded();
      return this.#prepare(sql);
    };
    try {
      return await work({
        skipLocked: '',
        writer: '0',
        add: sums.add,
        all: <R>(sql: string, ...params: SqlValue[]) => {
          const statement = prepare(sql);
          const rows = statement.all(...params) as R[];
          // What changes rows and gives rows back gives one for each.
          this.hasWritten ||= rows.length > 0 && !statement.readonly;
          return rows;
        },
        run: (sql, ...params) => {
          const { changes } = prepare(sql).run(...params);
          this.hasWritten ||= changes > 0 || !changesRows.test(sql);
          return changes;
        },
      });
    } finally {
      ended = true;
    }
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

/** Of other statements (a new table) SQLite does not count what they change. */
const changesRows = /^\s*(insert|update|delete)\b/i;
