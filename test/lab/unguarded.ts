/** The guards, taken out one at a time: what each variant of the lab's server does that nobody may have. */

import Sqlite from 'better-sqlite3';
import type { SystemClock } from '../../src/clock.ts';
import { type EdgeName, edges } from '../../src/core/delivery.ts';
import { AppError } from '../../src/core/error.ts';
import type { Outside } from '../../src/process/outside.ts';
import type { Database, SqlValue, Transaction } from '../../src/store/database.ts';
import { type Sync, syncToDisk } from '../../src/store/engine/sqlite/synced-log.ts';
import { writeStatement } from '../../src/store/mail/move.ts';
import {
  type Bend,
  bendDatabase,
  bendEdge,
  bendTransaction,
  handoffsAreQueuedAgain,
  textOf,
} from '../support/bent-database.ts';

/** What has no verdict is tried again, as if nothing had left. */
const doubtIsQueued: Bend = bendEdge('doubt', { to: 'queued', runAt: 0 });

/** What a dead process had claimed is given up. */
const claimsAreForgotten: Bend = bendEdge('orphaned', { to: 'failed' });

/** A hold leaves hand-offs to themselves, as if no failover had been noticed in time. */
const handoffsAreNotHeld: Bend = {
  when: "and state = 'handoff' and email_id <= ?",
  find: "state = 'handoff' and email_id",
  replace: "state = 'none' and email_id",
};

/** What a living worker has handed off stays with it for ever. */
const handoffsNeverExpire: Bend = bendEdge('lost_handoff', { from: ['canceled'] });

/** What an endpoint was to be told counts as told as soon as somebody sets out to tell it. */
const claimsCountAsTold: Bend = {
  when: 'update webhook_deliveries set attempt = attempt + 1, worker = ?, run_at = ?',
  find: 'set attempt',
  replace: "set state = 'delivered', attempt",
};

/** A notice counts as often as it comes. */
const noticesCountAnew: Bend = {
  when: 'insert into notices',
  find: 'do nothing',
  replace: 'do update set at = excluded.at',
};

/** `createClock` makes the one the guarded server would have. */
export function variantsOf(createClock: (wall: () => number) => SystemClock): Record<string, Partial<Outside>> {
  return {
    none: {},
    // What is taken out is in `moves-on-late.ts`.
    'moves-on-late': {},
    'sends-again': { database: (own) => bendDatabase(own, [handoffsAreQueuedAgain]) },
    'retries-doubt': { database: (own) => bendDatabase(own, [doubtIsQueued]) },
    'forgets-claims': { database: (own) => bendDatabase(own, [claimsAreForgotten]) },
    'tells-unheard': { database: (own) => bendDatabase(own, [claimsCountAsTold]) },
    'counts-notices-anew': { database: (own) => bendDatabase(own, [noticesCountAnew]) },
    'cancels-blindly': { database: (own) => looksThenMoves(own, 'cancel') },
    'answers-early': { database: (own) => resolvesEarly(own, 'insert into emails') },
    'dots-early': { database: (own) => resolvesEarly(own, textOf('gate')) },
    'refuses-late': { database: (own) => refusesLate(own, 'insert into emails') },
    'outlives-unknown-commits': { die: diesLate },
    'believes-in-commits': { assumeLostCommits: 'committed' },
    'trusts-sight': { assumeLostCommits: 'visible' },
    'judges-late': { onArrival: () => () => {} },
    'holds-no-handoffs': { database: (own) => bendDatabase(own, [handoffsAreNotHeld]) },
    'forgets-handoffs': { database: (own) => bendDatabase(own, [handoffsAreNotHeld, handoffsNeverExpire]) },
    // No guard is out: it is killed at a statement that LAB_DIE_AT counts.
    'dies-at': { database: (own) => diesAt(own, Number(process.env.LAB_DIE_AT ?? Infinity)) },
    'syncs-little': { sync: async () => {} },
    'answers-before-sync': syncsLate('insert into emails'),
    'gates-before-sync': syncsLate(textOf('gate')),
    'replays-before-sync': { sync: syncSlowly, database: seesUnsyncedKeys },
    'trusts-the-log': { trustsLog: true },
    'follows-the-wall-clock': { clock: (wall) => ({ ...createClock(wall), now: wall, expiryNow: wall }) },
  };
}

/** Before the statement with that number among all that are written. */
function diesAt(own: Database, number: number): Database {
  let statements = 0;
  const count = () => {
    statements += 1;
    if (statements >= number) process.kill(process.pid, 'SIGKILL');
  };
  return {
    ...bendDatabase(own, []),
    write: (work, terms) =>
      own.write((tx) => {
        const run: Transaction['run'] = (sql, ...params) => {
          count();
          return tx.run(sql, ...params);
        };
        return work(bendTransaction(tx, { run }));
      }, terms),
  };
}

/** Long enough for every answer to leave. */
function diesLate(): never {
  return setTimeout(() => process.kill(process.pid, 'SIGKILL'), 300) as never;
}

/** What is to be moved along an edge is looked up first, and counts as moved whatever became of it since. */
function looksThenMoves(own: Database, name: EdgeName): Database {
  return {
    ...bendDatabase(own, []),
    write: (work, terms) =>
      own.write((tx) => {
        const all: Transaction['all'] = async (sql, ...params) => {
          const [, where, returned] = /^update .* (where .*) returning (.*)$/s.exec(sql) ?? [];
          if (!sql.includes(textOf(name)) || !where) return tx.all(sql, ...params);
          const wheres = params.slice(writeStatement(name, edges[name], false).names.indexOf('account'));
          const looked = await tx.all(`select ${returned} from deliveries ${where}`, ...wheres);
          await new Promise((done) => setTimeout(done, 10));
          await tx.all(sql, ...params);
          return looked as never;
        };
        return work(bendTransaction(tx, { all }));
      }, terms),
  };
}

/** Writes with such a statement count as done before their commit, which takes long enough for an answer or a dot to leave. */
function resolvesEarly(own: Database, statement: string): Database {
  return {
    ...bendDatabase(own, []),
    write: (work) =>
      new Promise((resolve, reject) => {
        const written = own.write(async (tx) => {
          const watched = watch(tx, statement);
          const value = await work(watched.tx);
          if (!watched.hasRun) return value;
          resolve(value);
          await new Promise((done) => setTimeout(done, 30));
          return value;
        });
        written.then(resolve, reject);
      }),
  };
}

/** One commit in a few with such a statement is said to have failed although it happened. */
function refusesLate(own: Database, statement: string): Database {
  let commits = 0;
  return {
    ...bendDatabase(own, []),
    async write(work) {
      let hasRun = false;
      const value = await own.write(async (tx) => {
        const watched = watch(tx, statement);
        const done = await work(watched.tx);
        hasRun = watched.hasRun;
        return done;
      });
      if (hasRun && commits++ % 7 === 0) throw new AppError('unavailable', 'The commit happened all the same.');
      return value;
    },
  };
}

/** What such a statement has written counts as synced at once, and is synced a while later. */
function syncsLate(statement: string): Pick<Outside, 'database' | 'sync'> {
  let isEarly = false;
  return {
    database: (own) => ({
      ...bendDatabase(own, []),
      write: (work, terms) =>
        own.write(async (tx) => {
          const watched = watch(tx, statement);
          const value = await work(watched.tx);
          isEarly ||= watched.hasRun;
          return value;
        }, terms),
    }),
    async sync(file) {
      if (!isEarly) return syncToDisk(file);
      isEarly = false;
      setTimeout(() => void syncToDisk(file), slowSyncMs);
    },
  };
}

const slowSyncMs = 30;

const syncSlowly: Sync = async (file) => {
  await new Promise((done) => setTimeout(done, slowSyncMs));
  await syncToDisk(file);
};

/** Keys are looked up among all that is committed. */
function seesUnsyncedKeys(own: Database): Database {
  const path = process.env.DATABASE_URL?.replace('sqlite:', '') ?? '';
  let connection: Sqlite.Database | null = null;
  return {
    ...bendDatabase(own, []),
    all<R>(sql: string, ...params: SqlValue[]) {
      if (!sql.includes('from idempotency_keys')) return own.all<R>(sql, ...params);
      connection ??= new Sqlite(path, { readonly: true });
      return connection.prepare<SqlValue[], R>(sql).all(...params);
    },
  };
}

function watch(tx: Transaction, statement: string): { tx: Transaction; hasRun: boolean } {
  const run: Transaction['run'] = (sql, ...params) => {
    watched.hasRun ||= sql.includes(statement);
    return tx.run(sql, ...params);
  };
  const all: Transaction['all'] = (sql, ...params) => {
    watched.hasRun ||= sql.includes(statement);
    return tx.all(sql, ...params);
  };
  const watched = { tx: bendTransaction(tx, { run, all }), hasRun: false };
  return watched;
}
