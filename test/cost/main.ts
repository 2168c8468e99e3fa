/**
 * `npm run cost`: what every field of every endpoint costs, at sizes up to its limit. `--sizes A,B,…` in kilobytes, `--small A,B,…`
 * in characters, `--only TEXT` of a route, `--verbose`.
 * `npm run cost -- --stored N` asks every read with N emails stored.
 */

import { parseArgs } from 'node:util';
import { CostRun } from './cost.ts';
import { compareStored } from './stored.ts';

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '64,256,1024,4096,40960' },
    small: { type: 'string', default: '100,1000,8191' },
    only: { type: 'string', default: '' },
    stored: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
if (values.stored !== undefined) process.exit((await compareStored(Number(values.stored))) ? 0 : 1);
const small = values.small.split(',').filter(Boolean).map(Number);
const bodies = [...small, ...values.sizes.split(',').map((size) => Number(size) * 1024)];
const run = await CostRun.start({
  sizes: { bodies, heads: [...small.filter((size) => size < 8_000), 8_000] },
  only: ({ method, path }) => `${method} ${path}`.includes(values.only),
  onCostly: ({ target, shape, size, why }) => console.log(`${target}: ${size} characters of ${shape}: it ${why}`),
  onTarget: (target, questions, ms) => {
    if (values.verbose) console.log(`${target}: ${questions} questions, ${ms.toFixed(0)} ms`);
  },
});
const started = performance.now();
const costs = [await run.all(), ...(values.only === '' ? [await run.reads()] : [])];
await run.stop();
const costly = costs.flatMap((one) => one.costly);
const [targets, questions] = [
  costs.reduce((sum, one) => sum + one.targets, 0),
  costs.reduce((sum, one) => sum + one.questions, 0),
];
const seconds = ((performance.now() - started) / 1_000).toFixed(0);
console.log(`${targets} fields, ${questions} requests in ${seconds} s: ${costly.length} cost too much`);
process.exit(costly.length === 0 ? 0 : 1);
