/** 300 kills in one life: `npm run test:crash -- [--kills N] [--seed N]`. */

import { parseArgs } from 'node:util';
import { killAgainAndAgain, summaryOf } from './kills.ts';

const { values } = parseArgs({ options: { seed: { type: 'string' }, kills: { type: 'string' } } });
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const kills = Number(values.kills ?? 300);
const startedAt = performance.now();

console.log(`crash: ${kills} kills, --seed ${seed}`);
const findings = await killAgainAndAgain({
  kills,
  seed,
  onKill: (kill, run) => {
    if (kill % 25 !== 0) return;
    console.log(
      `crash: ${kill} kills, ${run.load.operations.length} keys, ${run.interrupted.size} hand-offs interrupted`,
    );
  },
});
for (const violation of findings.violations.slice(0, 20)) console.log(`crash: VIOLATION: ${violation}`);
const seconds = Math.round((performance.now() - startedAt) / 1_000);
const held = findings.violations.length === 0 && findings.inDoubt === findings.interrupted;
console.log(`crash: ${kills} kills ${held ? 'held' : 'FAILED'}, --seed ${seed}, ${seconds} s: ${summaryOf(findings)}`);
process.exitCode = held ? 0 : 1;
