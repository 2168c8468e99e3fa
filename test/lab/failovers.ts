/** Failovers of a synchronous cluster: nothing that was acknowledged may be missing, nothing may leave twice, nothing may be held for it. */

import { callOff, waiting } from '../support/standbys.ts';
import type { Ground } from './fleet.ts';
import { countStuck, noWindow, reckon } from './reckoning.ts';
import type { Row } from './row.ts';
import type { Scale } from './scenarios.ts';
import { rowOf } from './table.ts';
import { Trial, type TrialOptions } from './trial.ts';

type Round = (trial: Trial) => Promise<void>;

/** `more`: what else the trial is. */
export function synchronously(fault: string, round: Round, more: Partial<TrialOptions> = {}) {
  return againAndAgain(fault, round, (seed) => Trial.start({ seed, isSynchronous: true, ...more }));
}

/** What befalls it in each round, under one load. */
export function againAndAgain<Servers extends Ground>(
  fault: string,
  round: (trial: Trial<Servers>) => Promise<void>,
  begin: (seed: number) => Promise<Trial<Servers>>,
) {
  return async (rounds: number, { seed, onProgress }: Scale): Promise<Row> => {
    const trial = await begin(seed);
    try {
      for (let done = 1; done <= rounds; done++) {
        await trial.work();
        await trial.fleet.disturb(() => round(trial));
        onProgress?.(`${fault}: ${done} of ${rounds}, ${Math.round(trial.acceptsAgainMs.at(-1) ?? 0)} ms`);
      }
      return await conclude(fault, rounds, trial);
    } finally {
      await trial.destroy();
    }
  };
}

type Judged = Pick<Trial<Ground>, 'fleet' | 'acceptsAgainMs'>;

async function conclude(fault: string, rounds: number, { fleet, acceptsAgainMs }: Judged): Promise<Row> {
  await fleet.allUp();
  const stuck = await countStuck(fleet);
  const { forgotten, lost, violations } = await reckon(fleet, noWindow);
  const findings = await fleet.examine();
  const row = rowOf(fault, rounds, findings);
  const needless = findings.held - findings.explained;
  return {
    ...row,
    lost,
    violations: [...new Set([...violations, ...row.violations, ...fleet.violations])].concat(sayStuck(stuck)),
    cluster: { forgotten, stuck, needless, acceptsAgainMs },
  };
}

export function sayStuck(stuck: number): string[] {
  return stuck === 0 ? [] : [`${stuck} were left open, and nobody worked on them`];
}

type How = { loss?: 'dies' | 'vanishes'; waits?: boolean };

/** The primary is lost, after a while a standby is promoted, and the ways lead there. Tells when that was. */
export async function failOver(trial: Trial, { loss, ...how }: How = {}): Promise<number> {
  await trial.cluster.losePrimary(loss);
  await trial.pause(500, 3_000);
  await trial.cluster.promote(how);
  return trial.cluster.point();
}

/** The primary dies, or vanishes, and its standby is promoted; then there is a new standby. */
export const primaryLost =
  (how: How = {}): Round =>
  async (trial) => {
    const pointedAt = await failOver(trial, how);
    // Where commits wait for a standby none is accepted before there is one.
    const attached = how.waits ? trial.cluster.attach() : null;
    await trial.acceptsAgain(pointedAt);
    await (attached ?? trial.cluster.attach());
  };

/** Of three servers: commits wait for one of two standbys, and every second time one is away when the primary dies. */
export const oneOfTwoStandbys: Round = async (trial) => {
  const { cluster } = trial;
  const isOneAway = trial.acceptsAgainMs.length % 2 === 1;
  if (isOneAway) {
    await cluster.killStandby();
    await trial.work(300);
  }
  const pointedAt = await failOver(trial, { waits: true });
  // Who is left alone accepts nothing before it has a standby again.
  const attached = isOneAway ? cluster.attach() : null;
  await trial.acceptsAgain(pointedAt);
  await attached;
  while (cluster.standbys.length < 2) await cluster.attach();
};

/** Beside it processes are killed. */
export const withKills =
  (round: Round): Round =>
  async (trial) => {
    const { fleet } = trial;
    const killed = trial.pause(0, 2_000).then(() => fleet.end(fleet.someMember(), 'SIGKILL'));
    await round(trial);
    await killed;
    fleet.end(fleet.someMember(), 'SIGKILL');
  };

/** The standby dies, commits hang, and it comes back. */
export const standbyAway: Round = async (trial) => {
  const { cluster } = trial;
  const standby = await cluster.killStandby();
  await waiting(cluster.primary);
  await trial.pause(1_000, 8_000);
  await standby.start();
  cluster.standbys.push(standby);
  await trial.acceptsAgain(performance.now());
};

export const acts = ['restart', 'terminate', 'cancel'] as const;

type Act = (typeof acts)[number];

/**
 * The standby dies and commits hang; then the primary is restarted, or the sessions that wait are ended or canceled. The primary is
 * lost, and the standby promoted as it was when it died.
 */
export const hangingCommits =
  (act: Act): Round =>
  async (trial) => {
    const { cluster } = trial;
    const standby = await cluster.killStandby();
    await waiting(cluster.primary);
    await trial.pause(500, 4_000);
    await befall(trial, act);
    await trial.pause(1_000, 3_000);
    await cluster.losePrimary();
    await standby.start();
    cluster.standbys.push(standby);
    await cluster.promote();
    await trial.acceptsAgain(cluster.point());
    await cluster.attach();
  };

async function befall({ cluster }: Trial, act: Act): Promise<void> {
  if (act !== 'restart') return void (await callOff(cluster.primary, act));
  await cluster.kill();
  await cluster.start();
}

/** The old primary comes back, and half of the processes find it; its commits wait for a standby that follows another one. */
export const oldPrimaryBack: Round = async (trial) => {
  const { cluster } = trial;
  const old = cluster.primary;
  const [way] = cluster.proxies;
  await failOver(trial);
  await old.start();
  cluster.lead(way, old);
  await trial.pause(3_000, 5_000);
  cluster.lead(way, null);
  await old.kill();
  await trial.acceptsAgain(cluster.point());
  await cluster.attach();
};
