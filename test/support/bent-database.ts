/** A database whose statements are changed on their way: how the negative controls take one guard out of the real server. */

import { type EdgeName, edges } from '../../src/core/delivery.ts';
import type { Edge } from '../../src/core/delivery-state.ts';
import type { Database, Reader, SqlValue, Transaction } from '../../src/store/database.ts';
import { writeStatement } from '../../src/store/mail/move.ts';

export type Bend = TextBend | EdgeBend;

export type TextBend = {
  /** Statements that contain this text… */
  when: string;
  /** …have it, or this part of them, … */
  find?: string;
  /** …replaced by that, everywhere… */
  replace?: string;
  /** …and run with these parameters instead. */
  params?: (params: SqlValue[]) => SqlValue[];
};

export type EdgeBend = { when: string; bend: (sql: string, params: SqlValue[]) => [string, ...SqlValue[]] };

/** One edge of the delivery's state machine taken otherwise: from other states, to another one, without its fence. `runAt`: due then. */
export function bendEdge(name: EdgeName, { runAt, ...change }: Partial<Edge> & { runAt?: number }): EdgeBend {
  return {
    when: textOf(name),
    bend(sql, params) {
      const isOnePart = sql.includes(' and part = ?');
      const { names } = writeStatement(name, edges[name], isOnePart);
      const columns = sql.includes(' returning ') ? 'all' : 'none';
      const bent = writeStatement(name, { ...edges[name], ...change }, isOnePart, columns);
      const given = Object.fromEntries(names.map((one, index) => [one, params[index]]));
      const paramOf = (one: string) => (one === 'run_at' && runAt !== undefined ? runAt : given[one]);
      return [bent.sql, ...bent.names.map((one) => paramOf(one) ?? null)];
    },
  };
}

/** What stands in the statement of an edge, and in no other. */
export function textOf(name: EdgeName): string {
  return `/* ${name} */`;
}

/** What a crash leaves in hand-off goes back into the queue, as most systems have it. */
export const handoffsAreQueuedAgain = bendEdge('orphaned_handoff', { to: 'queued', runAt: 0 });

/** A transaction that asks or changes otherwise; an engine's own is an object of a class, of which a spread takes nothing along. */
export function bendTransaction(tx: Transaction, bent: Partial<Pick<Transaction, 'all' | 'run'>>): Transaction {
  return {
    skipLocked: tx.skipLocked,
    writer: tx.writer,
    add: tx.add,
    all: (sql, ...params) => tx.all(sql, ...params),
    run: (sql, ...params) => tx.run(sql, ...params),
    ...bent,
  };
}

export function bendDatabase(own: Database, bends: Bend[]): Database {
  const bent = (sql: string, params: SqlValue[]): [string, ...SqlValue[]] => {
    const bend = bends.find((one) => sql.includes(one.when));
    if (!bend) return [sql, ...params];
    if ('bend' in bend) return bend.bend(sql, params);
    return [sql.replaceAll(bend.find ?? bend.when, bend.replace ?? bend.when), ...(bend.params?.(params) ?? params)];
  };
  const all =
    (reader: Reader): Reader['all'] =>
    (sql, ...params) =>
      reader.all(...bent(sql, params));
  return {
    engine: own.engine,
    all: all(own),
    write: (work, terms) =>
      own.write(
        (tx) => work(bendTransaction(tx, { all: all(tx), run: (sql, ...params) => tx.run(...bent(sql, params)) })),
        terms,
      ),
    report: (sql, ...params) => own.report(...bent(sql, params)),
    wall: () => own.wall(),
    announce: () => own.announce(),
    onAnnounced: (listener) => own.onAnnounced(listener),
    emptyLog: () => own.emptyLog(),
    close: () => own.close(),
  };
}
