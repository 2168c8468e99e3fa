/** The faults that are made one at a time, all of them: `node build/test/lab/sweeps-main.js [--seed N]`. */

import { parseArgs } from 'node:util';
import { runClockJumps } from './clock-jumps.ts';
import { runDiskFaults } from './disk-faults.ts';
import { runFullDisk } from './full-disk.ts';
import { runKillSweeps } from './kill-sweep.ts';
import { runLostAnswers } from './lost-answers.ts';
import { runPowerCuts } from './power-cut.ts';

const { values } = parseArgs({ options: { seed: { type: 'string' } } });
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
console.log(`sweeps: --seed ${seed}`);
const onProgress = (text: string) => console.log(`sweeps: ${text}`);
const rows = [];
for (const run of [runKillSweeps, runDiskFaults, runFullDisk, runPowerCuts, runClockJumps, runLostAnswers])
  rows.push(...(await run({ seed, onProgress })));
console.table(rows.map(({ violations, ...row }) => ({ ...row, violations: violations.length })));
for (const violation of rows.flatMap((row) => row.violations)) console.log(`sweeps: VIOLATION: ${violation}`);
process.exitCode = rows.some((row) => row.violations.length > 0) ? 1 : 0;
