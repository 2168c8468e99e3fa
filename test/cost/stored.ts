/** `npm run cost -- --stored N`: what every read costs with N emails stored, beside what it costs with a thousand. */

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillDatabase } from '../../bench/page-fill.ts';
import { runProgram } from './commands.ts';
import { CostRun } from './cost.ts';

/** What a read may cost more than with a thousand emails. */
const timesMax = 10;

/** Less than this is what a request costs that reads nothing. */
const leastMs = 1;

type Row = { name: string; few: number; many: number };

/** Prints a table; tells whether every read is within its bound. */
export async function compareStored(emails: number): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'sendonce-cost-'));
  try {
    const few = await measure(join(folder, 'few.db'), 1_000);
    const many = await measure(join(folder, 'many.db'), emails);
    const rows = [...few].map(([name, ms]): Row => ({ name, few: ms, many: many.get(name) ?? Number.NaN }));
    return print(rows, emails);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(path: string, emails: number): Promise<Map<string, number>> {
  if (!existsSync(path)) await fillDatabase(path, emails, { isOpen: true });
  const url = `sqlite:${path}`;
  const run = await CostRun.start({ sizes: { bodies: [], heads: [] }, databaseUrl: url });
  const costs = new Map<string, number>();
  for (const read of await run.listReads()) costs.set(read.name, await run.costOf(read));
  await run.stop();
  for (const command of ['queue', 'key list']) costs.set(`sendonce ${command}`, runProgram(command, url));
  return costs;
}

function print(rows: Row[], emails: number): boolean {
  const head = ['', '1,000', emails.toLocaleString('en'), 'times'];
  console.log(
    `${(head[0] ?? '').padEnd(76)} ${(head[1] ?? '').padStart(10)} ${(head[2] ?? '').padStart(12)} ${head[3]}`,
  );
  let isWithin = true;
  for (const { name, few, many } of rows) {
    const times = Math.max(many, leastMs) / Math.max(few, leastMs);
    const isTooMuch = !(times <= timesMax);
    if (isTooMuch) isWithin = false;
    const cells = [few.toFixed(2).padStart(10), many.toFixed(2).padStart(12), times.toFixed(1).padStart(5)];
    console.log(`${name.slice(0, 76).padEnd(76)} ${cells.join(' ')}${isTooMuch ? '  too much' : ''}`);
  }
  console.log(
    `${rows.length} reads, in milliseconds of the process; ${isWithin ? 'all' : 'not all'} within ${timesMax} times`,
  );
  return isWithin;
}
