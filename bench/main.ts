/**
 * `npm run bench`: what the README's figures come from. Each line compares the real program, durable, with the least
 * that could do the same; the two sides take turns in short rounds, and the ratio is the median of the rounds' ratios.
 *
 * `--only a,b` runs these lines only, `--seconds N` measures each side of a line for that long (10), and `--node-flags`
 * are given to the program under test (such as `--cpu-prof`).
 *
 * `--only slow-disk` prints curves instead: what a disk costs that takes `--sync-ms 1,5,20` longer, beside a former build's
 * where `--against DIR` names one (its `build` folder); `--seconds` is the time of one point.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compareBatches, compareLongSends, compareReplays, compareShortSends, type Plan } from './accepting.ts';
import { compareDeliveries } from './delivering.ts';
import { measureDisk } from './disk.ts';
import { renderMachine, renderTable } from './report.ts';
import type { Summary } from './rounds.ts';
import { measureSlowDisk } from './slow-disk.ts';
import { compareSubmissions } from './submitting.ts';
import { compareBesideDeadEndpoint, compareBesideDeadWebhook } from './telling.ts';

const lines: Record<string, (plan: Plan) => Promise<Summary>> = {
  a: compareShortSends,
  a2: compareLongSends,
  b: compareBatches,
  c: compareReplays,
  d: compareDeliveries,
  e: compareBesideDeadWebhook,
  f: compareBesideDeadEndpoint,
  g: compareSubmissions,
};

const rounds = 5;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(lines).join() },
    seconds: { type: 'string', default: '10' },
    'node-flags': { type: 'string', default: '' },
    'sync-ms': { type: 'string', default: '1,5,20' },
    against: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
if (!(seconds > 0)) throw new Error(`--seconds must be a positive number, not ${values.seconds}`);
const isSlowDisk = values.only === 'slow-disk';
const chosen = (isSlowDisk ? [] : values.only.split(',')).map((name) => {
  const line = lines[name];
  if (!line) throw new Error(`--only knows ${Object.keys(lines)}, and slow-disk alone, not ${name}`);
  return line;
});

const folder = mkdtempSync(join(tmpdir(), 'sendonce-bench-'));
try {
  const flags = values['node-flags'].split(' ').filter((flag) => flag !== '');
  const plan: Plan = { folder, rounds, roundMs: (seconds * 1_000) / rounds, flags };
  console.log(renderMachine('before', measureDisk(folder)));
  const summaries: Summary[] = [];
  for (const line of chosen) summaries.push(await line(plan));
  if (isSlowDisk)
    await measureSlowDisk(plan, { against: values.against, syncMs: values['sync-ms'].split(',').map(Number) });
  console.log(renderMachine('after', measureDisk(folder)).split('\n')[1]);
  if (!isSlowDisk) console.log(`\n${renderTable(summaries)}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
// A helper that is still there would keep us.
process.exit();
