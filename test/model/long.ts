/** 10,000 random programs, or one of them again: `npm run test:model -- [--seed N] [--programs N] [--path P] [--only SQLite]`. */

import { parseArgs } from 'node:util';
import { openGrounds } from './grounds.ts';
import { runPrograms } from './run.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    programs: { type: 'string' },
    path: { type: 'string' },
    only: { type: 'string' },
  },
});
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const count = Number(values.programs ?? 10_000);
const startedAt = performance.now();

console.log(`model: ${count} programs, --seed ${seed}`);
const grounds = await openGrounds();
try {
  const { coverage, steps, msOf } = await runPrograms({
    databases: Object.fromEntries(Object.entries(grounds.databases).filter(([name]) => name === (values.only ?? name))),
    count,
    seed,
    path: values.path,
    isWhole: values.path === undefined,
    onProgram: (done) => {
      if (done % 500 === 0) console.log(`model: ${done} programs, ${perSecond(done)} a second`);
    },
  });
  for (const line of coverage.table()) console.log(line);
  console.log(`model: ${count} programs held, ${steps} steps, --seed ${seed}, ${perSecond(count)} a second`);
  for (const [name, ms] of Object.entries(msOf)) console.log(`model: ${(ms / 1_000).toFixed(1)} s on ${name}`);
  const missing = coverage.missing();
  if (missing.length > 0) throw new Error(`no program has met: ${missing.join('; ')}`);
} finally {
  await grounds.close();
}

function perSecond(done: number): string {
  return ((done * 1_000) / (performance.now() - startedAt)).toFixed(1);
}
