/** `sendonce/outbox`, an outbox from within a program: rows written in its own transactions, and a drain beside it. */

import { type DrainProgress, type DrainTerms, runDrain } from './drain.ts';
import { openOutboxDatabase } from './engine.ts';
import { type OutboxEngine, tableSql } from './table.ts';

export type { DrainProgress, DrainTerms };
export { tableSql };

/** How a library runs a statement in a transaction of the caller's: what an outbox has to know of it. */
export type OutboxDriver<Transaction, Ran> = {
  /** Runs a statement inside the transaction; a library that does not wait for its database returns anything but a promise. */
  run: (transaction: Transaction, sql: string, params: (string | null)[]) => Ran;
  /** Its nth parameter, from 1. PostgreSQL's `$1` where it is left out. */
  placeholder?: (nth: number) => string;
};

export type RowOptions = {
  /** Names the event, and with it the key: 1 to 240 visible ASCII characters, unique for ever. Made at random where absent. */
  id?: string;
  facade?: 'resend' | 'brevo';
  endpoint?: string;
  notBefore?: Date;
  /** Rows of one name leave in the order they were written. */
  ordering?: string;
};

/** The row's id; a promise of it where the library waits for its database. */
export type Written<Ran> = Ran extends PromiseLike<unknown> ? Promise<string> : string;

export type Outbox<Transaction, Ran> = {
  /** Writes a row: it leaves if, and only if, the transaction commits. `email` as the facade's JSON has it. */
  send(transaction: Transaction, email: object, options?: RowOptions): Written<Ran>;
};

export function createOutbox<Transaction, Ran>(driver: OutboxDriver<Transaction, Ran>): Outbox<Transaction, Ran> {
  const { run, placeholder = (nth) => `$${nth}` } = driver;
  const columns = 'id, payload, facade, endpoint, not_before, ordering';
  const places = columns.split(',').map((_, index) => placeholder(index + 1));
  const sql = `insert into sendonce_outbox (${columns}) values (${places.join(', ')})`;
  return {
    send(transaction, email, options = {}) {
      const { id = crypto.randomUUID(), facade = 'resend', ordering = null, notBefore } = options;
      const { endpoint = facade === 'brevo' ? '/v3/smtp/email' : '/emails' } = options;
      const due = notBefore?.toISOString() ?? null;
      const ran = run(transaction, sql, [id, JSON.stringify(email), facade, endpoint, due, ordering]);
      return (isPromise(ran) ? ran.then(() => id) : id) as Written<Ran>;
    },
  };
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

export type DrainOptions = DrainTerms & {
  /** `postgres://…`, or `sqlite:PATH`. */
  database: string;
};

/** Sends what is in an outbox, from within a program. Any number may run, here and elsewhere. */
export async function drain({ database: url, ...terms }: DrainOptions): Promise<DrainProgress> {
  const database = await openOutboxDatabase(url);
  try {
    return await runDrain(database, terms);
  } finally {
    await database.close();
  }
}

/** Makes the table where it is not there. */
export async function initOutbox(url: string): Promise<void> {
  const database = await openOutboxDatabase(url);
  try {
    await database.script(tableSql(database.engine));
  } finally {
    await database.close();
  }
}

export type { OutboxEngine };
