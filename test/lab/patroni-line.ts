/** One line of the lab with Patroni: it leads the failover by itself, and HAProxy leads the processes to whom it chose. */

import { type PatroniCluster, startPatroni, whyNoPatroni } from '../support/patroni.ts';
import { until } from '../support/standbys.ts';
import { againAndAgain } from './failovers.ts';
import type { Ground } from './fleet.ts';
import type { Row } from './row.ts';
import type { Scale } from './scenarios.ts';
import { Trial } from './trial.ts';

export const patroniLine = 'cluster Patroni: etcd, HAProxy, the primary dies';

/** A dead leader's key lives for 20 s. */
const failoverMsMax = 90_000;

type Led = Ground & { patroni: PatroniCluster };

export async function runPatroni(rounds: number, scale: Scale): Promise<Row> {
  const skipped = whyNoPatroni();
  if (skipped === null) return againAndAgain(patroniLine, leaderDies, begin)(rounds, scale);
  return {
    fault: patroniLine,
    runs: 0,
    mails: 0,
    duplicates: 0,
    lost: 0,
    held: 0,
    explained: 0,
    violations: [],
    skipped,
  };
}

async function begin(seed: number): Promise<Trial<Led>> {
  const patroni = await startPatroni();
  const url = () => patroni.url;
  const ground: Led = { patroni, ways: [patroni.url], url, kill: noSuch, start: noSuch, stop: () => patroni.stop() };
  return Trial.on(ground, { seed });
}

async function leaderDies(trial: Trial<Led>): Promise<void> {
  const { patroni } = trial.cluster;
  const old = (await patroni.leader()) ?? '';
  await patroni.kill(old);
  const isLed = async () => ![null, old].includes(await patroni.leader());
  await until('another server leads', isLed, failoverMsMax);
  await trial.acceptsAgain(performance.now());
  patroni.start(old);
  await trial.work();
}

async function noSuch(): Promise<void> {
  throw new Error('Patroni starts and stops its servers itself.');
}
