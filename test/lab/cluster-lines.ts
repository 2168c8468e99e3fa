/** The lines `cluster …` of the lab: what befalls the servers below a fleet, and how often. */

import {
  hangingCommits,
  oldPrimaryBack,
  oneOfTwoStandbys,
  primaryLost,
  standbyAway,
  synchronously,
  withKills,
} from './failovers.ts';
import { fleetSpeed, labServer } from './lab-server.ts';
import { asynchronously, bothAtWork, ledBack, standbyLags } from './lagging-standby.ts';
import { patroniLine, runPatroni } from './patroni-line.ts';
import type { Row } from './row.ts';
import type { Scale } from './scenarios.ts';

type Run = (rounds: number, scale: Scale) => Promise<Row>;
type Line = { name: string; run: (scale: Scale) => Promise<Row[]> };

const people = { hasPeople: true, command: labServer(), speed: fleetSpeed };

const synchronous: [
  name: string,
  round: Parameters<typeof synchronously>[1],
  more?: Parameters<typeof synchronously>[2],
][] = [
  ['cluster A: the primary dies', primaryLost()],
  ['cluster A-strict: commits wait from the promotion on', primaryLost({ waits: true })],
  ['cluster A-vanish: the primary vanishes', primaryLost({ loss: 'vanishes' })],
  ['cluster A-people: people and kills beside it', withKills(primaryLost()), people],
  ['cluster A-three: one of two standbys', oneOfTwoStandbys, { standbys: 2 }],
  ['cluster C-sync: the old primary comes back', oldPrimaryBack],
  ['cluster D: the standby is away for a while', standbyAway],
  ['cluster D-restart: commits hang, a restart, then lost', hangingCommits('restart')],
  ['cluster D-terminate: their sessions ended, then lost', hangingCommits('terminate')],
  ['cluster D-cancel: they are canceled, then lost', hangingCommits('cancel')],
];

const asynchronous: [
  name: string,
  round: Parameters<typeof asynchronously>[1],
  more?: Parameters<typeof asynchronously>[2],
][] = [
  ['cluster B: asynchronous, 1 to 2 s behind', standbyLags],
  ['cluster C: asynchronous, half led back for 5 s', ledBack],
  ['cluster C-split: asynchronous, both at work for 5 s', bothAtWork],
  // As if the failover were noticed after the hand-offs had been looked at: what their workers have forgotten must not stay open.
  ['cluster B-late: and hand-offs are not held', standbyLags, { command: labServer('holds-no-handoffs') }],
];

export function clusterLines(times: (count: number) => number): Line[] {
  const lines: [string, Run][] = [
    ...synchronous.map(([name, round, more]): [string, Run] => [name, synchronously(name, round, more)]),
    ...asynchronous.map(([name, round, more]): [string, Run] => [name, asynchronously(name, round, more)]),
    [patroniLine, runPatroni],
  ];
  return lines.map(([name, run]) => ({ name, run: async (scale) => [await run(times(8), scale)] }));
}
