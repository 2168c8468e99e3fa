/** The faults that are made one at a time, all of them: `node build/test/lab/sweeps-main.js [--seed N]`. */

import { parseArgs } from 'node:util';
import { runKillSweeps } from './kill-sweep.ts';

const { values } = parseArgs({ options: { seed: { type: 'string' } } });
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
console.log(`sweeps: --seed ${seed}`);
const onProgress = (text: string) => console.log(`sweeps: ${text}`);
const rows = await runKillSweeps({ seed, onProgress });
console.table(rows);
process.exitCode = rows.some((row) => row.violations.length > 0) ? 1 : 0;
