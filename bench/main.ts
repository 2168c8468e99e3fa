/**
 * `npm run bench`: what the README's figures come from. Each line compares the real program, durable, with the least
 * that could do the same; the two sides take turns in nine short rounds, and the ratio is the median of the rounds' ratios.
 *
 * `--only accepts,replays` runs these lines only, `--seconds N` measures each line for that long (20), both sides together,
 * `--json FILE` writes the figures for programs, too, and `--node-flags` are given to the program under test (such as
 * `--cpu-prof`).
 *
 * `--only slow-disk` prints curves instead: what a disk costs that takes `--sync-ms 1,5,20` longer, beside a former build's
 * where `--against DIR` names one (its `build` folder); `--seconds` is the time of one point.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  compareBatches,
  compareLongSends,
  compareReplays,
  compareShortSends,
  compareWithLimit,
  type Plan,
} from './accepting.ts';
import { compareDeliveries, compareLargeDeliveries } from './delivering.ts';
import { measureDisk } from './disk.ts';
import { renderJson, renderMachine, renderTable } from './report.ts';
import type { Summary } from './rounds.ts';
import { compareOneRelay, compareRoutes, compareTwoRelays } from './routing.ts';
import { measureSlowDisk } from './slow-disk.ts';
import { compareSubmissions } from './submitting.ts';
import { compareBesideDeadEndpoint, compareBesideDeadWebhook } from './telling.ts';

const lines: Record<string, (plan: Plan) => Promise<Summary>> = {
  accepts: compareShortSends,
  'accepts-2k4': compareLongSends,
  limit: compareWithLimit,
  replays: compareReplays,
  batches: compareBatches,
  deliveries: compareDeliveries,
  'deliveries-100k': compareLargeDeliveries,
  'relay-one': compareOneRelay,
  'relays-two': compareTwoRelays,
  'routes-100': compareRoutes,
  'webhook-dead': compareBesideDeadWebhook,
  'endpoint-dead': compareBesideDeadEndpoint,
  submissions: compareSubmissions,
};

const rounds = 9;
/** Until the compiler has seen what is hot. */
const warmUpMsMax = 3_000;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(lines).join() },
    seconds: { type: 'string', default: '20' },
    json: { type: 'string' },
    'node-flags': { type: 'string', default: '' },
    'sync-ms': { type: 'string', default: '1,5,20' },
    against: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
if (!(seconds > 0)) throw new Error(`--seconds must be a positive number, not ${values.seconds}`);
const isSlowDisk = values.only === 'slow-disk';
const chosen = isSlowDisk ? [] : values.only.split(',');
const unknown = chosen.find((name) => !lines[name]);
if (unknown !== undefined)
  throw new Error(`--only knows ${Object.keys(lines).join(', ')}, and slow-disk alone, not ${unknown}`);

const folder = mkdtempSync(join(tmpdir(), 'sendonce-bench-'));
try {
  const flags = values['node-flags'].split(' ').filter((flag) => flag !== '');
  const plan: Plan = {
    folder,
    rounds,
    roundMs: (seconds * 1_000) / 2 / rounds,
    warmUpMs: Math.min(warmUpMsMax, (seconds * 1_000) / 4),
    flags,
  };
  const before = measureDisk(folder);
  console.log(renderMachine('before', before));
  const summaries: Record<string, Summary> = {};
  for (const name of chosen) {
    const line = lines[name];
    if (line) summaries[name] = await line(plan);
  }
  if (isSlowDisk)
    await measureSlowDisk(plan, { against: values.against, syncMs: values['sync-ms'].split(',').map(Number) });
  const after = measureDisk(folder);
  console.log(renderMachine('after', after).split('\n')[1]);
  if (!isSlowDisk) console.log(`\n${renderTable(summaries)}`);
  if (values.json !== undefined) writeFileSync(values.json, renderJson(summaries, { before, after }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
// A helper that is still there would keep us.
process.exit();
