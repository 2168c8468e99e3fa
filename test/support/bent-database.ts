/** A database whose statements are changed on their way: how the negative controls take one guard out of the real server. */

import type { Database, Reader, SqlValue } from '../../src/store/database.ts';

export type Bend = {
  /** Statements that contain this text… */
  when: string;
  /** …have it, or this part of them, … */
  find?: string;
  /** …replaced by that, everywhere… */
  replace?: string;
  /** …and run with these parameters instead. */
  params?: (params: SqlValue[]) => SqlValue[];
};

/** What a crash leaves in hand-off goes back into the queue, as most systems have it. */
export const handoffsAreQueuedAgain: Bend = {
  when: `set state = 'in_doubt', attempt = attempt + 1, worker = null, run_at = ?`,
  replace: `set state = 'queued', attempt = attempt + 1, worker = null, run_at = 0 * cast(? as bigint)`,
};

export function bendDatabase(own: Database, bends: Bend[]): Database {
  const bent = (sql: string, params: SqlValue[]): [string, ...SqlValue[]] => {
    const bend = bends.find((one) => sql.includes(one.when));
    if (!bend) return [sql, ...params];
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
        (tx) =>
          work({
            skipLocked: tx.skipLocked,
            all: all(tx),
            run: (sql, ...params) => tx.run(...bent(sql, params)),
          }),
        terms,
      ),
    report: (sql, ...params) => own.report(...bent(sql, params)),
    wall: () => own.wall(),
    announce: () => own.announce(),
    onAnnounced: (listener) => own.onAnnounced(listener),
    close: () => own.close(),
  };
}
