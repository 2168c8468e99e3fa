/**
 * `npm run histories -- --operations N --engine sqlite|postgres [--seed N] [--without GUARD] [--keep FILE]`: a line `N operations`, and one that says
 * `violation` for each that the judge finds, or porcupine where Go is at hand. `--judge FILE` judges what was kept. Exits with 1 where there is a
 * violation, with 2 where it was asked for what there is not.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { bites, controls } from '../lab/guards.ts';
import { countOperations, gather, type Wanted } from './gather.ts';
import { guards, unseen } from './guards.ts';
import type { History } from './history.ts';
import { judge } from './judge.ts';
import { askPorcupine } from './second-opinion.ts';

const { values } = parseArgs({
  options: {
    operations: { type: 'string', default: '2000' },
    engine: { type: 'string', default: 'sqlite' },
    seed: { type: 'string' },
    without: { type: 'string' },
    keep: { type: 'string' },
    judge: { type: 'string' },
  },
});
const operations = Number(values.operations);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const { engine, without } = values;
const names = [...Object.keys(guards), ...Object.keys(unseen)];

if (engine !== 'sqlite' && engine !== 'postgres') refuse(`no engine is called "${engine}": sqlite, postgres`);
else if (!(operations > 0)) refuse('--operations: a number above 0');
else if (values.judge !== undefined) await tell(kept(values.judge));
else if (without === undefined) await run(engine, {});
else if (without in unseen) await askLab(without);
else await runWithout(engine, without);

async function runWithout(engine: 'sqlite' | 'postgres', guard: string): Promise<void> {
  const hows = guards[guard];
  const how = hows?.[engine];
  if (how) await run(engine, how);
  else if (hows) refuse(`"${guard}" is to be tried with --engine ${Object.keys(hows).join()}`);
  else refuse(`no guard is called "${guard}":\n${names.join('\n')}`);
}

/** Of what no history has, the lab's own run without the guard is told in the same words. */
async function askLab(guard: string): Promise<void> {
  console.log(`"${guard}" ${unseen[guard]}, which no history has: the lab's own run without it`);
  const control = controls.find((one) => one.guard === guard);
  if (!control) throw new Error(`the lab has no ${guard}`);
  const row = await control.run({ seed });
  console.log(`${row.mails} operations`);
  if (row.skipped !== undefined) return refuse(`NOT RUN: ${row.skipped}`);
  const hasBitten = bites(control, row);
  const words = [`${row.duplicates} duplicates, ${row.lost} lost`, ...row.violations.slice(0, 20)];
  if (hasBitten) for (const one of words) console.log(`violation: ${one}`);
  console.log(hasBitten ? 'histories: FAILED' : 'histories: held');
  process.exitCode = hasBitten ? 1 : 0;
}

async function run(engine: 'sqlite' | 'postgres', how: Partial<Wanted>): Promise<void> {
  console.log(`histories: --engine ${engine} --operations ${operations} --seed ${seed}`);
  let saidAt = performance.now();
  const histories = await gather({
    ...{ operations, seed, ...how, engine },
    onProgress(done, isLeaving) {
      if (performance.now() - saidAt < 10_000 && !isLeaving) return;
      saidAt = performance.now();
      console.log(`${done} of ${operations}${isLeaving ? '; what is under way comes to its end' : ''}`);
    },
  });
  await tell(histories);
}

async function tell(histories: History[]): Promise<void> {
  const kept = histories.map(render).join('\n');
  if (values.keep) writeFileSync(values.keep, kept);
  const judgedAt = performance.now();
  const found = histories.flatMap(judge);
  const ms = Math.round(performance.now() - judgedAt);
  const count = (of: (one: History) => number) => histories.reduce((sum, one) => sum + of(one), 0);
  console.log(
    `${count(countOperations)} operations, of which people ${count(({ deeds }) => deeds.length)}; ${count(({ seen }) => seen.length)} looks of the relay, judged in ${ms} ms`,
  );
  for (const what of found.slice(0, 20)) console.log(`violation: ${what}`);
  const second = await askPorcupine(kept);
  if ('skipped' in second) console.log(`NOT RUN: porcupine: ${second.skipped}`);
  else for (const line of second.lines.slice(-20)) console.log(line);
  const isHeld = found.length === 0 && !('isHeld' in second && !second.isHeld);
  console.log(isHeld ? 'histories: held' : `histories: FAILED, ${found.length} times a violation`);
  process.exitCode = isHeld ? 0 : 1;
}

/** A line a history, which a set would be missing from. */
function render(one: History): string {
  return JSON.stringify({ ...one, shown: [...one.shown] });
}

function kept(file: string): History[] {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  const all = lines.map((line): Omit<History, 'shown'> & { shown: string[] } => JSON.parse(line));
  return all.map((one) => ({ ...one, shown: new Set(one.shown) }));
}

function refuse(why: string): void {
  console.error(why);
  process.exitCode = 2;
}
