/** What the lab does to the program: each scenario makes one fault again and again, and is one line of the table, or some. */

import { Fleet } from './fleet.ts';
import { type KillOptions, killAgainAndAgain } from './kills.ts';
import { fleetSpeed, labServer, labSpeed } from './lab-server.ts';
import { Life } from './life.ts';
import { pause } from './load.ts';
import { type MischiefOptions, makeMischief } from './mischief.ts';
import { clearMoods, createMoods } from './moods.ts';
import type { Row } from './row.ts';
import { rowOf, sumRows } from './table.ts';
import { type LifeOptions, thoughtful } from './world.ts';

export type Scale = { seed: number; onProgress?: (text: string) => void };

const everyMood: Partial<LifeOptions> = {
  moods: createMoods,
  badGreetings: 10,
  command: labServer(),
  speed: labSpeed,
};

/** Kills in one life: beyond it, keys would come of age under the lab's fast clock. */
const killsInLife = 50;

/** Several lives, added up. */
async function lives(fault: string, kills: number, options: KillOptions, { onProgress }: Scale): Promise<Row> {
  const rows: Row[] = [];
  for (let done = 0; done < kills; done += killsInLife) {
    const some = Math.min(killsInLife, kills - done);
    const onKill = (kill: number) => onProgress?.(`${fault}: ${done + kill} of ${kills}`);
    const seed = options.seed + done;
    rows.push(rowOf(fault, some, await killAgainAndAgain({ ...options, seed, kills: some, onKill })));
  }
  return sumRows(fault, rows);
}

/** kill -9 of the program as it is shipped, before a relay that answers: only kills make doubt. */
export function plainKills(kills: number, scale: Scale): Promise<Row> {
  return lives('kill -9', kills, { kills, seed: scale.seed, moods: thoughtful }, scale);
}

/** kill -9, SIGSTOP and SIGTERM before a relay in every mood. */
export function mixedKills(kills: number, policy: 'hold' | 'send-again', scale: Scale): Promise<Row> {
  const options = { ...everyMood, kills, seed: scale.seed, policy, isMixed: true };
  return lives(`kills and stops, every relay mood, ${policy}`, kills, options, scale);
}

/** The same, and an endpoint that is told of everything, and refuses some of it at first. */
export function heardKills(kills: number, scale: Scale): Promise<Row> {
  const options = { ...everyMood, kills, seed: scale.seed, isMixed: true, isHeard: true };
  return lives('kills and stops, every event to a webhook', kills, options, scale);
}

/** People act at random moments beside it all: so much slower that what they schedule and settle is still under way. */
export function peopleAndKills(kills: number, scale: Scale): Promise<Row> {
  const options = { ...everyMood, ...beside, kills, seed: scale.seed, isMixed: true };
  return lives('people, kills', kills, options, scale);
}

/** Two relays and an upstream over HTTP in every mood, each of which rests now and then, and people beside it. */
export async function routedKills(kills: number, scale: Scale): Promise<Row> {
  const options = { ...everyMood, ...beside, kills, seed: scale.seed, isMixed: true, isRouted: true };
  return withFailovers(await lives('two relays and an upstream, people, kills, hold', kills, options, scale));
}

export async function routedMischief(times: number, scale: Scale): Promise<Row> {
  const options = { ...fleet, ...everyMood, ...beside, times, seed: scale.seed, isRouted: true };
  return withFailovers(await fleets('PostgreSQL: two relays and an upstream, people, hold', times, options, scale));
}

/** Without one nothing was tried. */
function withFailovers(row: Row): Row {
  const { failovers = 0 } = row;
  const violations = failovers > 0 ? row.violations : [...row.violations, 'no mail has moved on to another relay'];
  return { ...row, fault: `${row.fault} (${failovers} moved on)`, violations };
}

const beside = { speed: fleetSpeed, hasPeople: true };

const fleet = { apis: 2, workers: 2 };

/** The program as it is shipped, before a relay that answers. */
export function plainMischief(times: number, scale: Scale): Promise<Row> {
  return fleets('PostgreSQL: as shipped', times, { ...fleet, times, seed: scale.seed, moods: thoughtful }, scale);
}

/** Before a relay in every mood; the clock runs faster, so that living processes are taken for dead, too. */
export function mixedMischief(times: number, policy: 'hold' | 'send-again', scale: Scale): Promise<Row> {
  const moods = { ...everyMood, speed: fleetSpeed };
  return fleets(
    `PostgreSQL: every relay mood, ${policy}`,
    times,
    { ...fleet, ...moods, times, seed: scale.seed, policy },
    scale,
  );
}

/** The same, and an endpoint that is told of everything, and refuses some of it at first. */
export function heardMischief(times: number, scale: Scale): Promise<Row> {
  const options = { ...fleet, ...everyMood, speed: fleetSpeed, times, seed: scale.seed, isHeard: true };
  return fleets('PostgreSQL: every event to a webhook', times, options, scale);
}

/** People act at random processes, and each sees what the others did as late as anybody does. */
export function peopleAndMischief(times: number, scale: Scale): Promise<Row> {
  const options = { ...fleet, ...everyMood, ...beside, times, seed: scale.seed };
  return fleets('PostgreSQL: people', times, options, scale);
}

async function fleets(fault: string, times: number, options: MischiefOptions, { onProgress }: Scale): Promise<Row> {
  const rows: Row[] = [];
  for (let done = 0; done < times; done += killsInLife) {
    const some = Math.min(killsInLife, times - done);
    const onMischief = (time: number, name: string) => onProgress?.(`${fault}: ${done + time} of ${times}, ${name}`);
    rows.push(
      rowOf(fault, some, await makeMischief({ ...options, seed: options.seed + done, times: some, onMischief })),
    );
  }
  return sumRows(fault, rows);
}

/** Keyed requests of several clients, retried at random processes: one email per key, one copy at the relay. */
export async function keyedRequests(requests: number, { seed, onProgress }: Scale): Promise<Row> {
  const fault = 'PostgreSQL: keys retried at 3 API processes, 3 workers';
  const life = await Fleet.start({ seed, apis: 3, workers: 3 });
  try {
    life.begin();
    // An operation that nobody answers for three minutes is given up, and is a violation.
    while (life.load.answered < requests && life.load.violations.length === 0) {
      await life.load.answeredMore(50);
      onProgress?.(`${fault}: ${life.load.answered} of ${requests}`);
    }
    const row = rowOf(fault, requests, await life.examine());
    return { ...row, violations: [...row.violations, ...life.violations] };
  } finally {
    await life.destroy();
  }
}

/** SIGTERM under load, with the next process waiting at the door: nothing may be in doubt. */
export async function rollingRestarts(restarts: number, { seed, onProgress }: Scale): Promise<Row> {
  const fault = 'rolling restarts (SIGTERM)';
  const life = await Life.start({ seed, moods: clearMoods, badGreetings: 10 });
  const violations: string[] = [];
  try {
    life.begin();
    let program = await life.up();
    for (let restart = 1; restart <= restarts; restart++) {
      await life.load.answeredMore(10);
      const { next, ended } = await life.handOver(program);
      if (ended.code !== 0) violations.push(`restart ${restart} ended with ${ended.code ?? ended.signal}`);
      program = next;
      onProgress?.(`${fault}: ${restart} of ${restarts}`);
    }
    const row = rowOf(fault, restarts, await life.examine());
    if (row.held > 0) violations.push(`${row.held} are in doubt after clean stops`);
    return { ...row, violations: [...row.violations, ...violations] };
  } finally {
    await life.destroy();
  }
}

/** Each mood of the relay by itself, without a kill: what it alone leaves in doubt. */
export async function moodsAlone(mails: number, { seed, onProgress }: Scale): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { name } of createMoods(new Set())) {
    onProgress?.(`relay: ${name}`);
    const only: LifeOptions['moods'] = (thinking) => createMoods(thinking).filter((mood) => mood.name === name);
    rows.push(await untroubled(`relay: ${name}`, mails, { ...everyMood, seed, badGreetings: 0, moods: only }));
  }
  return rows;
}

/** Handshakes that fail, before a relay that speaks TLS. */
export function brokenTls(mails: number, { seed, onProgress }: Scale): Promise<Row> {
  onProgress?.('relay: TLS that fails');
  return untroubled('relay: TLS that fails', mails, { ...everyMood, seed, moods: clearMoods, badHandshakes: 3 });
}

/** How long a mood is given to meet so many mails: the silent ones keep their connections for seconds. */
const meetMs = 15_000;

export async function untroubled(fault: string, mails: number, options: LifeOptions): Promise<Row> {
  const life = await Life.start({ ...options, clients: 4 });
  try {
    await life.up();
    life.begin();
    const giveUpAt = performance.now() + meetMs;
    const isMet = () => life.relay.transactions.length >= mails && life.load.answered >= mails;
    while (!isMet() && performance.now() < giveUpAt) await pause(5);
    return rowOf(fault, 1, await life.examine());
  } finally {
    await life.destroy();
  }
}
