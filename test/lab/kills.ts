/** kill -9, pauses and stops at random moments under load, again and again: what the tests and the lab share. */

import { Life } from './life.ts';
import { pause } from './load.ts';
import type { Findings, LifeOptions } from './world.ts';

export type KillOptions = LifeOptions & {
  kills: number;
  /** Pauses (SIGSTOP), and stops by SIGTERM, among the kills; else kills alone. */
  isMixed?: boolean;
  onKill?: (kill: number, life: Life) => void;
};

/** Before a kill: counted in answers, so that a slow machine does not kill idle servers, and then some time. */
const answersMax = 40;
const moreMsMax = 40;
/** One kill in eight comes while the program starts, recovery included. */
const atStart = 0.125;
/** About what a start takes. */
const startMs = 250;
/** Under the patience of clients, and over it. */
const pauseMsMax = 1_500;

export async function killAgainAndAgain(options: KillOptions): Promise<Findings> {
  const life = await Life.start(options);
  try {
    life.begin();
    for (let kill = 1; kill <= options.kills; kill++) {
      await (options.isMixed ? anyEnd(life) : killed(life));
      options.onKill?.(kill, life);
    }
    await life.up();
    return await life.examine();
  } finally {
    await life.destroy();
  }
}

async function killed(life: Life, answers = answersMax): Promise<void> {
  if (life.random() < atStart) {
    const program = life.spawn();
    await pause(life.random() * startMs);
    return life.kill(program);
  }
  const program = await life.up();
  await underLoad(life, answers);
  await life.kill(program);
}

/** A kill, a stop or a pause, once so many are answered at most. */
export async function anyEnd(life: Life, answers = answersMax): Promise<void> {
  const fate = life.random();
  if (fate < 0.6) return killed(life, answers);
  const program = await life.up();
  await underLoad(life, answers);
  if (fate < 0.75) return void (await life.terminate(program));
  program.signal('SIGSTOP');
  await pause(life.random() * pauseMsMax);
  if (fate < 0.85) return life.kill(program);
  program.signal('SIGCONT');
  await underLoad(life, answers);
  await life.kill(program);
}

async function underLoad(life: Life, answers: number): Promise<void> {
  await life.load.answeredMore(1 + life.random() * answers);
  await pause(life.random() * moreMsMax);
}

export function summaryOf(findings: Findings): string {
  const { keys, mails, duplicates, lost, held, explained, interrupted, replays, aborts } = findings;
  return `${keys} keys, ${mails} mails, ${duplicates} duplicates, ${lost} lost, ${held} in doubt (${explained} explained), ${interrupted} hand-offs interrupted, ${replays} replays, ${aborts} impatient clients${doneOf(findings)}`;
}

function doneOf({ done, told }: Findings): string {
  const kinds = Object.entries(done).filter(([, count]) => count > 0);
  return kinds.length === 0 ? '' : `, ${kinds.map(([kind, count]) => `${count} ${kind}`).join(', ')}, ${told} tellings`;
}
