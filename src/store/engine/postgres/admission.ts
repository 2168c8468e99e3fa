/**
 * What a new connection has to do before it may be used for anything. The rule:
 *
 * A row that can be seen need not be replicated. While a COMMIT waits for a standby, a restart of the primary, or an operator who
 * ends or cancels the waiting session, makes its rows visible without it; the next primary may not have them. So each new
 * connection commits a row of its own, and waits: what it can see stands before that row in the log, and is where the row is.
 * In the same transaction it is asked whether the database still has what was acknowledged to this process, and whose history it
 * goes on with. On a connection that was not admitted nothing is read, answered, gated or settled; a primary that was succeeded
 * (`Succession`) admits nobody.
 */

import type { Awaitable, SqlValue, Transaction } from '../../database.ts';
import { type Connection, ConnectionLost } from './connection.ts';
import { isWithoutSchema, Marker, ownSettings } from './marker.ts';
import { isSynchronous } from './server-facts.ts';
import type { Succession } from './succession.ts';

/** What a process finds where it arrives. */
export type Arrival = {
  /** Changes at each promotion; null where the server knows no such thing. */
  timeline: string | null;
  /** A commit waits for a standby. */
  isSynchronous: boolean;
  /**
   * Whether a commit is missing that was acknowledged to this process, and that no other connection of it has found missing since:
   * to be asked in the breath in which it counts.
   */
  isBehind: () => boolean;
  /** Epoch milliseconds, as the server has it. */
  at: number;
};

/** Judges an arrival within its transaction; what it returns is told once that has committed. */
export type OnArrival = (tx: Transaction, arrival: Arrival) => Awaitable<() => void>;

/** Of another process that is about to hold what is open. */
const lockMs = 5_000;

/** Rows of connections are kept for a day: what was acknowledged longer ago is not asked for. */
const rememberedMs = 60 * 60_000;

/** Connections by their names, and when the number of each was acknowledged, by the monotonic clock. */
type Acknowledged = Map<string, { sequence: number; at: number }>;

export class Admission {
  readonly #onArrival: OnArrival;
  readonly #succession: Succession;
  /** The last commit of each writing connection that was acknowledged to this process. */
  readonly #acknowledged: Acknowledged = new Map();
  #last: Promise<unknown> = Promise.resolve();

  constructor(onArrival: OnArrival, succession: Succession) {
    this.#onArrival = onArrival;
    this.#succession = succession;
  }

  /** One after the other: what the first one finds the others need not. @throws what makes the connection useless. */
  admit(connection: Connection, marker = new Marker()): Promise<Marker> {
    const admitted = this.#last.then(() => this.#admit(connection, marker));
    this.#last = admitted.catch(() => {});
    return admitted;
  }

  async #admit(connection: Connection, marker: Marker): Promise<Marker> {
    const asked = new Map(this.#acknowledged);
    this.#succession.refuseSucceeded(connection.facts);
    try {
      await connection.query(
        `begin isolation level read committed; set local lock_timeout = ${lockMs}; ${ownSettings}`,
      );
      const { timeline, at } = connection.facts;
      if (marker.isRegistered) await marker.mark(connection, at);
      else await marker.insert(connection, at);
      const missing = await findMissing(connection, asked);
      const isBehind = () => missing.some((name) => this.#acknowledged.has(name));
      const arrival = { timeline, isSynchronous: isSynchronous(connection.facts), isBehind, at };
      const onCommitted = await this.#onArrival(transactionOn(connection), arrival);
      if (!(await connection.commit())) throw new ConnectionLost('the first commit on it was undone');
      marker.registered();
      this.#succession.worked(connection.facts);
      this.#forget(asked);
      this.acknowledged(marker);
      onCommitted();
    } catch (error) {
      if (!isWithoutSchema(error)) throw error;
      await connection.query('rollback');
    }
    return marker;
  }

  acknowledged({ name, sequence, isRegistered }: Marker): void {
    if (isRegistered) this.#acknowledged.set(name, { sequence, at: performance.now() });
  }

  /** Its row is about to be removed. */
  forget({ name }: Marker): void {
    this.#acknowledged.delete(name);
  }

  /** What was compared need not be compared again, unless its connection has gone on since. */
  #forget(asked: Acknowledged): void {
    for (const [name, { sequence }] of asked) {
      if (this.#acknowledged.get(name)?.sequence === sequence) this.#acknowledged.delete(name);
    }
  }
}

/** The connections whose commits are not there. */
async function findMissing(connection: Connection, asked: Acknowledged): Promise<string[]> {
  const since = performance.now() - rememberedMs;
  const expected = [...asked].filter(([, { at }]) => at > since);
  if (expected.length === 0) return [];
  const { rows } = await connection.query<{ writer: string; sequence: number }>(
    `select writer, sequence from commits where writer in (${expected.map(() => '?').join(', ')})`,
    expected.map(([name]) => name),
  );
  const found = new Map(rows.map((row) => [row.writer, row.sequence]));
  return expected.filter(([name, { sequence }]) => (found.get(name) ?? -1) < sequence).map(([name]) => name);
}

/** For works that own the whole transaction. */
function transactionOn(connection: Connection): Transaction {
  return {
    skipLocked: 'for update skip locked',
    writer: 'pg_backend_pid()',
    all: async <R>(sql: string, ...params: SqlValue[]) => (await connection.query<R>(sql, params)).rows,
    run: async (sql, ...params) => (await connection.query(sql, params)).count,
    // One that is refused undoes the commit after it.
    add: (sql, key, amounts) => void connection.query(sql, [...key, ...amounts]).catch(() => {}),
  };
}
