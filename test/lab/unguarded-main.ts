/** The server with one guard taken out, which nobody may have: `node unguarded-main.js VARIANT`. */

import assert from 'node:assert/strict';
import { createSystemClock } from '../../src/clock.ts';
import { readConfig } from '../../src/config.ts';
import { AppError } from '../../src/core/error.ts';
import { log, startLog } from '../../src/log.ts';
import { type Outside, startServer } from '../../src/server.ts';
import type { Database, Transaction } from '../../src/store/database.ts';
import { bendDatabase, handoffsAreQueuedAgain } from '../support/bent-database.ts';

const clock = createSystemClock({ onJump: (deltaMs) => log.clockJumped(deltaMs) });

const variants: Record<string, Partial<Outside>> = {
  'sends-again': { database: (own) => bendDatabase(own, [handoffsAreQueuedAgain]) },
  'answers-early': { database: (own) => resolvesEarly(own, 'insert into emails') },
  'dots-early': { database: (own) => resolvesEarly(own, "set state = 'handoff'") },
  'refuses-late': { database: (own) => refusesLate(own, 'insert into emails') },
  'outlives-unknown-commits': { die: () => undefined as never },
  'syncs-little': { synchronous: 'NORMAL' },
  'trusts-the-log': { trustsLog: true },
  'follows-the-wall-clock': { clock: { ...clock, now: Date.now, expiryNow: Date.now } },
};

const variant = variants[process.argv[2] ?? ''];
assert(variant, `a variant: ${Object.keys(variants).join(', ')}`);
const config = readConfig(process.env);
startLog(config.logLevel);
const die = () => process.kill(process.pid, 'SIGKILL') as never;
const server = await startServer(config, { clock, die, ...variant });
console.log(`Sendonce listens on ${server.url}`);
process.on('SIGTERM', () => void server.stop().then(() => process.exit(0)));

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

function watch(tx: Transaction, statement: string): { tx: Transaction; hasRun: boolean } {
  const run: Transaction['run'] = (sql, ...params) => {
    watched.hasRun ||= sql.includes(statement);
    return tx.run(sql, ...params);
  };
  const watched = { tx: { ...tx, run }, hasRun: false };
  return watched;
}
