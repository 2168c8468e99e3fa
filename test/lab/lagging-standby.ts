/** Failovers to a standby that lags: what it lacks is lost. It is noticed before anything else, what was open is held, and nothing leaves twice. */

import type { PostgresServer } from '../support/postgres-server.ts';
import { failOver, sayStuck } from './failovers.ts';
import { pause } from './load.ts';
import { countStuck, cries, heldUntil, lateNotice, type Reckoning, reckon, type Window } from './reckoning.ts';
import type { Row } from './row.ts';
import type { Scale } from './scenarios.ts';
import { sumRows } from './table.ts';
import { Trial, type TrialOptions } from './trial.ts';

type Lost = { window: Window; pointedAt: number; until: string | null };
type Round = (trial: Trial) => Promise<Lost>;

/** Until what was held, or left, has shown. */
const afterwardsMs = 3_000;

/** One life a round: what a failover holds nobody settles. */
export function asynchronously(fault: string, round: Round, more: Partial<TrialOptions> = {}) {
  return async (rounds: number, { seed, onProgress }: Scale): Promise<Row> => {
    const rows: Row[] = [];
    for (let done = 1; done <= rounds; done++) {
      const trial = await Trial.start({ seed: seed + done, isSynchronous: false, ...more });
      try {
        await trial.work();
        const lost = await trial.fleet.disturb(() => round(trial));
        await pause(afterwardsMs);
        rows.push(await conclude(fault, trial, lost));
      } finally {
        await trial.destroy();
      }
      onProgress?.(`${fault}: ${done} of ${rounds}`);
    }
    return sumRows(fault, rows);
  };
}

async function conclude(fault: string, { fleet, acceptsAgainMs }: Trial, lost: Lost): Promise<Row> {
  await fleet.allUp();
  const stuck = await countStuck(fleet);
  const reckoning: Reckoning = await reckon(fleet, lost.window, lost.pointedAt);
  const { mails, twice, held, forgotten, needless } = reckoning;
  const said = cries(fleet.members.map(({ program }) => program.words()));
  const violations = [
    ...reckoning.violations,
    ...lateNotice(fleet, lost),
    ...fleet.violations,
    ...sayStuck(stuck),
    ...(said > 1 ? [`${said} processes said that the database went back`] : []),
    ...(twice > 0 ? [`${twice} left twice`] : []),
    ...(needless > 0 ? [`${needless} are held that cannot have left before`] : []),
  ];
  const cluster = { forgotten, stuck, needless, acceptsAgainMs };
  return { fault, runs: 1, mails, duplicates: twice, lost: reckoning.lost, held, explained: held, violations, cluster };
}

/** The standby hears nothing for a second or two, and then the primary dies. */
export const standbyLags: Round = async (trial) => {
  const from = await trial.cluster.holdUpStandby();
  await trial.pause(1_000, 2_000);
  const pointedAt = await failOver(trial);
  await trial.acceptsAgain(pointedAt);
  // An answer may be on its way for longer than the primary lives; nothing new is accepted before the ways lead elsewhere.
  const until = await heldUntil(trial.fleet);
  return { window: { from, until: pointedAt }, pointedAt, until };
};

/** After the failover the old primary comes back, and half of the processes are led there for five seconds: they have seen its successor. */
export const ledBack: Round = async (trial) => {
  const { cluster } = trial;
  const old = cluster.primary;
  const [way] = cluster.proxies;
  const from = await cluster.holdUpStandby();
  await trial.pause(200, 400);
  const pointedAt = await failOver(trial);
  await trial.acceptsAgain(pointedAt);
  const until = await heldUntil(trial.fleet);
  await old.start();
  cluster.lead(way, old);
  await pause(5_000);
  cluster.lead(way, null);
  return endOf(trial, old, { from, pointedAt, until });
};

/** The standby is promoted while the old primary lives, and half of the processes stay there for five seconds: both accept, and both send. */
export const bothAtWork: Round = async (trial) => {
  const { cluster } = trial;
  const old = cluster.primary;
  const [way, other] = cluster.proxies;
  const from = await cluster.holdUpStandby();
  await trial.pause(200, 400);
  cluster.lead(other, null);
  await cluster.promote();
  const pointedAt = performance.now();
  cluster.lead(other, cluster.primary);
  await trial.acceptsAgain(pointedAt);
  const until = await heldUntil(trial.fleet);
  await pause(5_000);
  cluster.lead(way, null);
  return endOf(trial, old, { from, pointedAt, until });
};

/** All are led to the new one. */
async function endOf(
  trial: Trial,
  old: PostgresServer,
  { from, pointedAt, until }: { from: number; pointedAt: number; until: string | null },
): Promise<Lost> {
  await old.kill();
  const backAt = trial.cluster.point();
  await trial.acceptsAgain(backAt);
  return { window: { from, until: backAt }, pointedAt, until };
}
