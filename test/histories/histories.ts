/**
 * `npm run histories -- --operations N --engine sqlite|postgres [--seed N] [--without GUARD]`: a line `N operations`, and one that says
 * `violation` for each that the judge finds. Exits with 1 where there is one, with 2 where it was asked for what there is not.
 */

import { parseArgs } from 'node:util';
import { countOperations, gather } from './gather.ts';
import { guards, unseen } from './guards.ts';
import { judge } from './judge.ts';

const { values } = parseArgs({
  options: {
    operations: { type: 'string', default: '2000' },
    engine: { type: 'string', default: 'sqlite' },
    seed: { type: 'string' },
    without: { type: 'string' },
  },
});
const operations = Number(values.operations);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const { engine, without } = values;
const how = without === undefined ? {} : guards[without];

if (engine !== 'sqlite' && engine !== 'postgres') refuse(`no engine is called "${engine}": sqlite, postgres`);
else if (!(operations > 0)) refuse('--operations: a number above 0');
else if (without !== undefined && without in unseen)
  refuse(`"${without}" ${unseen[without]}; npm run lab -- --only "guard: ${without}" shows it`);
else if (how === undefined)
  refuse(`no guard is called "${without}":\n${[...Object.keys(guards), ...Object.keys(unseen)].join('\n')}`);
else if (how.engine !== undefined && how.engine !== engine)
  refuse(`"${without}" is to be tried with --engine ${how.engine}`);
else await run(engine);

async function run(engine: 'sqlite' | 'postgres'): Promise<void> {
  console.log(`histories: --engine ${engine} --operations ${operations} --seed ${seed}`);
  let saidAt = performance.now();
  const histories = await gather({
    ...{ operations, seed, ...how, engine },
    onProgress(done) {
      if (performance.now() - saidAt < 10_000) return;
      saidAt = performance.now();
      console.log(`${done} of ${operations}`);
    },
  });
  const judgedAt = performance.now();
  const found = histories.flatMap(judge);
  const ms = Math.round(performance.now() - judgedAt);
  const count = (of: (one: (typeof histories)[number]) => number) => histories.reduce((sum, one) => sum + of(one), 0);
  console.log(
    `${count(countOperations)} operations, of which people ${count(({ deeds }) => deeds.length)}; ${count(({ seen }) => seen.length)} looks of the relay, judged in ${ms} ms`,
  );
  for (const what of found.slice(0, 20)) console.log(`violation: ${what}`);
  console.log(found.length === 0 ? 'histories: held' : `histories: FAILED, ${found.length} times a violation`);
  process.exitCode = found.length === 0 ? 0 : 1;
}

function refuse(why: string): void {
  console.error(why);
  process.exitCode = 2;
}
