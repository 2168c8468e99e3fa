/**
 * `npm run bench:postgres`: several processes on one PostgreSQL, against pgbench doing the same on the same server. Both sides
 * take turns in short rounds, as in `npm run bench`; a ratio is the median of the rounds' ratios, with the least and the most.
 * That of CPU compares what PostgreSQL computes for each, which other programs on the machine disturb less.
 *
 * `--processes 1,2,4` accept and deliver; `--rows 10000,1000000` (none) measures accepts and claims with that many mails stored;
 * `--writers 1,2,3,4` (none) compares numbers of writing connections a process. `--rounds 5`, `--seconds 2` a side and round.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openPostgres } from '../src/store/engine/postgres/postgres.ts';
import { migrate } from '../src/store/migrate.ts';
import { startPostgres } from '../test/support/postgres-server.ts';
import { startHelper, treeCpuSeconds } from './child.ts';
import { measureDisk } from './disk.ts';
import { claimSize, openPgbench, type Pgbench } from './pgbench.ts';
import { bytesEach, fill, makeDue, settle } from './postgres-fill.ts';
import { claimInTurns, deliver, type Stand, startAccepting, startApis } from './postgres-sides.ts';
import { renderMachine } from './report.ts';
import { compare, type Figures, type Side, type Spread, type Summary, spreadOf } from './rounds.ts';

const { values } = parseArgs({
  options: {
    processes: { type: 'string', default: '1,2,4' },
    rows: { type: 'string', default: '' },
    writers: { type: 'string', default: '' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
  },
});
const numbers = (text: string) => text.split(',').filter(Boolean).map(Number);
const rounds = Number(values.rounds);
const roundMs = Number(values.seconds) * 1_000;

const warmUpMs = 3_000;
/** Of pgbench: more do not add on two cores. */
const clients = 16;
const mailsDelivered = 3_000;
/** Of one side in one round. */
const claimsEach = 200;

const scratch = mkdtempSync(join(tmpdir(), 'sendonce-bench-pg-'));
const server = await startPostgres({ shared_buffers: '512MB', max_wal_size: '8GB' });
try {
  console.log(renderMachine('before', measureDisk(scratch)));
  const stand = await migrated();
  for (const count of numbers(values.processes)) await compareAccepts(stand, count);
  await compareDeliveries(await migrated(), numbers(values.processes));
  await compareWriters(stand, numbers(values.writers));
  const found: AtSize[] = [];
  for (const size of numbers(values.rows)) found.push(await measureAtSize(size));
  if (found.length > 1) tellGrowth(found);
} finally {
  await server.stop();
  rmSync(scratch, { recursive: true, force: true });
}
process.exit();

async function migrated(): Promise<Stand> {
  const url = await server.createDatabase();
  const database = await openPostgres({ url });
  await migrate(database);
  await database.close();
  return { url, scratch };
}

function pgbenchOn({ url }: Stand): Pgbench | null {
  const pgbench = openPgbench(server.folder, scratch, url);
  if (!pgbench) console.log('NOT COMPARED: pgbench is not installed here (Debian: postgresql-contrib)');
  return pgbench;
}

async function compareAccepts(stand: Stand, count: number): Promise<Summary | null> {
  const pgbench = pgbenchOn(stand);
  const accepting = await startAccepting(await startApis(stand, count), `accept ${count}`);
  await accepting.run(warmUpMs);
  const summary = await inTurns(
    `keyed accepts of 0.3 kB, ${count} API process${count === 1 ? '' : 'es'} : pgbench, ${clients} clients`,
    () => accepting.run(roundMs),
    pgbench && (() => pgbench.accept(clients, roundMs)),
  );
  await accepting.stop();
  return summary;
}

/** Without a baseline the figures are told alone. */
async function inTurns(what: string, subject: Side, baseline: Side | null): Promise<Summary | null> {
  const [name = '', against = ''] = what.split(' : ');
  if (!baseline) {
    const { done, elapsedMs } = await subject();
    console.log(`${name}: ${perSecond((done / elapsedMs) * 1_000)}`);
    return null;
  }
  const summary = await compare({
    what,
    aim: 1,
    rounds,
    subject: withServerCpu(subject),
    baseline: withServerCpu(baseline),
  });
  console.log(
    `${name}: ${told(summary.subject)}; ${against}: ${told(summary.baseline)}; ratio ${spread(summary.ratio)}, of CPU ${summary.cpuRatio?.toFixed(2) ?? '?'}`,
  );
  return summary;
}

/** What PostgreSQL itself computed meanwhile: the same however much else this machine has to do. */
function withServerCpu(side: Side): Side {
  const postmaster = Number(readFileSync(join(server.folder, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
  return async () => {
    const before = treeCpuSeconds(postmaster);
    const round = await side();
    const after = treeCpuSeconds(postmaster);
    return { ...round, cpuSeconds: before === null || after === null ? null : after - before };
  };
}

function told({ perSecond: rate, cpuMicros }: Figures): string {
  return `${perSecond(rate)} (${cpuMicros?.toFixed(0) ?? '?'} µs of PostgreSQL's CPU each)`;
}

/** In turns: one round with each number of workers, then the next round. */
async function compareDeliveries(stand: Stand, counts: number[]): Promise<void> {
  await compareTurns(counts, (count) => deliver(stand, count, mailsDelivered), {
    each: (count) => `mails delivered to one sink, ${count} worker${count === 1 ? '' : 's'} of 10 connections`,
    against: counts[0] as number,
  });
}

async function compareWriters(stand: Stand, counts: number[]): Promise<void> {
  if (counts.length === 0) return;
  const sides = new Map(
    await Promise.all(
      counts.map(async (writers) => {
        const { helper, ready } = await startHelper<'port', { port: number }>('postgres-writers', [
          stand.url,
          scratch,
          `${writers}`,
        ]);
        const accepting = await startAccepting([{ ...helper, port: ready.port }], `writers ${writers}`);
        await accepting.run(warmUpMs);
        return [writers, accepting] as const;
      }),
    ),
  );
  const measure = async (writers: number) => {
    const { done, elapsedMs } = (await sides.get(writers)?.run(roundMs)) ?? { done: 0, elapsedMs: 1 };
    return (done / elapsedMs) * 1_000;
  };
  await compareTurns(counts, measure, {
    each: (writers) => `keyed accepts, ${writers} writing connection${writers === 1 ? '' : 's'}`,
    against: counts.includes(2) ? 2 : (counts[0] as number),
  });
  for (const side of sides.values()) await side.stop();
}

/** Rounds of all in turn; each is told with its ratio to one of them in the same round. */
async function compareTurns(
  counts: number[],
  measure: (count: number) => Promise<number>,
  told: { each: (count: number) => string; against: number },
): Promise<void> {
  const found = new Map<number, number[]>(counts.map((count) => [count, []]));
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? counts : counts.toReversed();
    for (const count of order) found.get(count)?.push(await measure(count));
  }
  const base = found.get(told.against) ?? [];
  for (const [count, rates] of found) {
    const ratio = spreadOf(rates.map((rate, round) => rate / (base[round] as number)));
    console.log(`${told.each(count)}: ${perSecond(spreadOf(rates).median)}; of ${told.against}: ${spread(ratio)}`);
  }
}

type AtSize = { size: number; accepts: Summary | null; claims: Summary | null };

async function measureAtSize(size: number): Promise<AtSize> {
  const stand = await migrated();
  const pgbench = pgbenchOn(stand);
  const database = await openPostgres({ url: stand.url });
  await fill(database, size);
  console.log(`${size.toLocaleString('en')} mails stored: ${await bytesEach(database, size)}`);
  const accepts = await compareAccepts(stand, 1);
  // More than is claimed: the end of the queue is not measured.
  await makeDue(database, 2 * (rounds + 2) * claimsEach * claimSize, 'first');
  await claimInTurns(database, claimsEach);
  await settle(database);
  const claims = await inTurns(
    'deliveries claimed, 20 at once, one claimer : pgbench, one client',
    () => claimInTurns(database, claimsEach),
    pgbench && (() => pgbench.claim(claimsEach)),
  );
  await database.close();
  return { size, accepts, claims };
}

/** Flat: what the first size was, give or take a fifth. */
function tellGrowth(found: AtSize[]): void {
  for (const name of ['accepts', 'claims'] as const) {
    tell(`${name}, ratio to pgbench`, (at) => at[name]?.ratio.median);
    tell(`${name}, ratio to pgbench of PostgreSQL's CPU`, (at) => at[name]?.cpuRatio);
  }
  function tell(what: string, of: (at: AtSize) => number | null | undefined): void {
    const first = of(found[0] as AtSize);
    if (!first) return;
    const all = found.map((at) => `${at.size.toLocaleString('en')}: ${((of(at) ?? 0) / first).toFixed(2)}`);
    console.log(`${what}, of the first size: ${all.join(', ')} (aim: 0.80 to 1.20)`);
  }
}

function perSecond(rate: number): string {
  return `${Math.round(rate).toLocaleString('en')} a second`;
}

function spread({ median, min, max }: Spread): string {
  return `${median.toFixed(2)} (${min.toFixed(2)}..${max.toFixed(2)})`;
}
