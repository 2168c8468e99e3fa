/** What may befall processes that share a PostgreSQL, and PostgreSQL itself, one after the other at random. */

import { Fleet, type FleetOptions } from './fleet.ts';
import { pause } from './load.ts';
import type { Findings } from './world.ts';

export type MischiefOptions = FleetOptions & {
  times: number;
  /** Names; all where it is not said. */
  only?: string[];
  onMischief?: (time: number, name: string) => void;
};

type Mischief = {
  name: string;
  /** Takes a quarter of a minute. */
  isLong?: true;
  /** Out of the sum of all. */
  weight: number;
  make: (fleet: Fleet) => Promise<void>;
};

/** Before each: counted in answers, so that a slow machine is not hit while it idles, and then some time. */
const answersMax = 30;
const moreMsMax = 60;

/** Under the patience of the others with a silent process, and over it, where the lab's clock runs faster. */
const stillMsMax = 3_000;
/** Over it on any clock: it may be taken for dead after fifteen seconds. */
const longStillMs = 17_000;
/** Longer than a lost COMMIT is asked about: what became of it stays unknown. */
const longAwayMs = 16_500;
const awayMsMax = 2_000;
const downMsMax = 500;
/** Somebody commits before that, or nobody is there. */
const commitMsMax = 2_000;

const mischiefs: Mischief[] = [
  { name: 'kill -9', weight: 30, make: async (fleet) => fleet.end(fleet.someMember(), 'SIGKILL') },
  { name: 'SIGTERM', weight: 8, make: async (fleet) => fleet.end(fleet.someMember(), 'SIGTERM') },
  { name: 'SIGSTOP', weight: 14, make: (fleet) => standStill(fleet, fleet.random() * stillMsMax) },
  { name: 'a long SIGSTOP', isLong: true, weight: 1, make: (fleet) => standStill(fleet, longStillMs) },
  { name: 'pg_terminate_backend', weight: 15, make: endSessions },
  { name: 'COMMIT cut off', weight: 8, make: async (fleet) => fleet.proxy.cutNext('before') },
  { name: 'answer to COMMIT cut off', weight: 8, make: async (fleet) => fleet.proxy.cutNext('after') },
  { name: 'the way to PostgreSQL cut off', weight: 4, make: (fleet) => cutOff(fleet, fleet.random() * awayMsMax) },
  { name: 'the way cut off for long', isLong: true, weight: 1, make: (fleet) => cutOff(fleet, longAwayMs) },
  { name: 'kill -9 of PostgreSQL', weight: 11, make: killPostgres },
];

export const quickMischiefs = mischiefs.filter(({ isLong }) => !isLong).map(({ name }) => name);

export async function makeMischief(options: MischiefOptions): Promise<Findings> {
  const chosen = mischiefs.filter(({ name }) => options.only?.includes(name) ?? true);
  const fleet = await Fleet.start(options);
  try {
    fleet.begin();
    for (let time = 1; time <= options.times; time++) {
      options.onMischief?.(time, await makeOne(fleet, chosen));
    }
    await fleet.allUp();
    const findings = await fleet.examine();
    return { ...findings, violations: [...findings.violations, ...fleet.violations] };
  } finally {
    await fleet.destroy();
  }
}

/** One of those that take no time, or of those that are named, once so many are answered at most. */
export function quickMischief(
  fleet: Fleet,
  only: readonly string[] = quickMischiefs,
  answers = answersMax,
): Promise<string> {
  return makeOne(
    fleet,
    mischiefs.filter(({ name }) => only.includes(name)),
    answers,
  );
}

async function makeOne(fleet: Fleet, chosen: Mischief[], answers = answersMax): Promise<string> {
  await fleet.load.answeredMore(1 + fleet.random() * answers);
  await pause(fleet.random() * moreMsMax);
  const mischief = pick(fleet, chosen);
  await mischief.make(fleet);
  return mischief.name;
}

function pick({ random }: Fleet, mischiefs: Mischief[]): Mischief {
  let at = random() * mischiefs.reduce((sum, { weight }) => sum + weight, 0);
  for (const mischief of mischiefs) {
    at -= mischief.weight;
    if (at < 0) return mischief;
  }
  return mischiefs[0] as Mischief;
}

/** The others go on meanwhile. One in four is killed as it stands. */
async function standStill(fleet: Fleet, ms: number): Promise<void> {
  const member = fleet.someMember();
  const { program } = member;
  program.signal('SIGSTOP');
  const isKilled = fleet.random() < 0.25;
  const over = pause(ms).then(() => {
    if (isKilled && member.program === program) fleet.end(member, 'SIGKILL');
    else program.signal('SIGCONT');
  });
  fleet.pending.push(over);
}

async function endSessions(fleet: Fleet): Promise<void> {
  const some = "select pid from pg_stat_activity where application_name like 'sendonce%' order by random() limit 3";
  await fleet.disturb(() => fleet.books.rows(`select pg_terminate_backend(pid) from (${some}) as picked`));
}

/** At the next COMMIT, whose answer is lost with it. */
function cutOff(fleet: Fleet, ms: number): Promise<void> {
  const { proxy } = fleet;
  return fleet.disturb(async () => {
    const before = proxy.cuts;
    proxy.cutNext('for good');
    const giveUpAt = performance.now() + commitMsMax;
    while (proxy.cuts === before && performance.now() < giveUpAt) await pause(1);
    await pause(ms);
    proxy.setDown(false);
  });
}

function killPostgres(fleet: Fleet): Promise<void> {
  const { ground, random } = fleet;
  return fleet.disturb(async () => {
    await ground.kill();
    await pause(random() * downMsMax);
    await ground.start();
  });
}
