/** What a command of ours costs, as a program of its own. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const asks = 5;

/** Milliseconds, the best of a few. */
export function runProgram(command: string, databaseUrl: string): number {
  let best = Number.POSITIVE_INFINITY;
  for (let ask = 0; ask < asks; ask++) {
    const started = performance.now();
    const { status, stderr } = spawnSync(process.execPath, [main, ...command.split(' ')], {
      env: { ...process.env, DATABASE_URL: databaseUrl },
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`sendonce ${command} ended with ${status}: ${stderr}`);
    best = Math.min(best, performance.now() - started);
  }
  return best;
}
