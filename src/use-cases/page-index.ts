/** What the page counts and searches by, kept up to date beside the traffic and for no more than a share of the time. */

import type { Clock } from '../core/clock.ts';
import type { Database, Transaction } from '../store/database.ts';
import { countEmails, countEvents } from '../store/page/report-counts.ts';
import { accountsBehind, idTimeMax, rollAccepted, rollEvents, type Step } from '../store/page/rollups.ts';
import { indexEmails, indexStates } from '../store/page/search-index.ts';
import { accountsToIndex, indexSenders } from '../store/page/sender-index.ts';

/**
 * How long a transaction of another process can stay open (statements and idle ones are ended long before): until then an
 * older id may still appear. With one writer, ids are committed in order.
 */
const settleMs = { sqlite: 0, postgres: 30_000 };

/** For people: how long what just happened is neither counted nor found. */
export const indexedWithin = { sqlite: 'a second', postgres: 'half a minute' } as const;

/** Rows one transaction reads to count them: less than a millisecond, unless each is about a thousand recipients. */
const countAtOnce = 500;

/** Rows one transaction counts for reports, with the emails they are about: one or two milliseconds. */
const reportAtOnce = 250;

/** What counting for reports may take at once; what it has not come to, a report walks itself. */
const reportBudgetMs = 15;

/** Emails one transaction puts into the index: some eight rows each, three or four milliseconds. */
const indexAtOnce = 100;

/**
 * What indexing may take at once: under a flood, which leaves it one turn a second, it falls behind, and catches up where nothing else
 * is to do. A step is a few milliseconds and others go between, so that nobody waits for more than one.
 */
const indexBudgetMs = 15;

/** Does some of what is due. Whoever has the time calls it until nothing is left, which it tells. */
export async function keepPageIndex(database: Database, clock: Clock): Promise<boolean> {
  const until = database.engine === 'sqlite' ? idTimeMax : clock.now() - settleMs[database.engine];
  const counting = { until, limit: countAtOnce };
  const indexing = { until, limit: indexAtOnce };
  for (const account of await accountsBehind(database, 'accepted')) {
    await allOf(database, (tx) => rollAccepted(tx, account, counting), Number.POSITIVE_INFINITY);
  }
  await allOf(database, (tx) => rollEvents(tx, counting), Number.POSITIVE_INFINITY);
  let isDone = await countReports(database, { until, limit: reportAtOnce });
  const endAt = performance.now() + indexBudgetMs;
  for (const account of await accountsBehind(database, 'terms')) {
    isDone = (await allOf(database, (tx) => indexEmails(tx, account, indexing), endAt)) && isDone;
  }
  isDone = (await allOf(database, (tx) => indexStates(tx, indexing), endAt)) && isDone;
  // Last: what is new is looked for more often than what is old.
  for (const account of await accountsToIndex(database)) {
    isDone = (await allOf(database, (tx) => indexSenders(tx, account, indexAtOnce), endAt)) && isDone;
  }
  return isDone;
}

async function countReports(database: Database, step: Step): Promise<boolean> {
  const endAt = performance.now() + reportBudgetMs;
  let isDone = true;
  for (const account of await accountsBehind(database, 'reported')) {
    isDone = (await allOf(database, (tx) => countEmails(tx, account, step), endAt)) && isDone;
  }
  return (await allOf(database, (tx) => countEvents(tx, step), endAt)) && isDone;
}

/** Steps until one says there is no more, or the time is up: at least one, so that nobody waits for ever. */
async function allOf(database: Database, step: (tx: Transaction) => Promise<boolean>, endAt: number): Promise<boolean> {
  for (;;) {
    if (!(await database.write(step))) return true;
    if (performance.now() > endAt) return false;
  }
}
