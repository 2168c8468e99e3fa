/** A disk that refuses: EIO and ENOSPC instead of the Nth write or sync, once, or from then on until it is mended. */

import { skippedRow } from './kill-sweep.ts';
import type { Operation } from './operation.ts';
import { type Phase, stagePhase } from './phases.ts';
import type { Program } from './program.ts';
import type { Row } from './row.ts';
import { Stand, until } from './stand.ts';
import { type Injection, inject, whyNoStrace } from './strace.ts';

export type DiskFaultOptions = {
  seed: number;
  onProgress?: (text: string) => void;
  /** Another program than the real one. */
  command?: string[];
  faults?: readonly DiskFault[];
  phases?: readonly Phase[];
  calls?: readonly string[];
  /** The first N, and the distance to the next: 1 and 1 unless a slice is wanted. */
  from?: number;
  step?: number;
  /** Ends at the first broken promise: what a negative control asks for. */
  stopsAtViolation?: boolean;
};

export type DiskFault = { error: 'EIO' | 'ENOSPC'; lasts: boolean };

const faultsAll: DiskFault[] = [
  { error: 'ENOSPC', lasts: false },
  { error: 'ENOSPC', lasts: true },
  { error: 'EIO', lasts: false },
  { error: 'EIO', lasts: true },
];

/** All that SQLite changes files by; its shared memory aside, which no promise rests on. */
const callsAll = ['pwrite64', 'fsync', 'fdatasync'];

/** How often a client tries while the disk is broken. */
const triesWhileBroken = 3;

const runsMax = 200;

export async function runDiskFaults(options: DiskFaultOptions): Promise<Row[]> {
  const rows: Row[] = [];
  const skipped = whyNoStrace();
  for (const fault of options.faults ?? faultsAll) {
    for (const phase of options.phases ?? ['accept', 'delivery', 'checkpoint']) {
      const name = `${fault.error} ${fault.lasts ? 'from the Nth call on' : 'at the Nth call'} of one ${phase}`;
      rows.push(skipped ? skippedRow(name, skipped) : await sweepFault(options, fault, phase, name));
    }
  }
  return rows;
}

async function sweepFault(options: DiskFaultOptions, fault: DiskFault, phase: Phase, name: string): Promise<Row> {
  const stand = await Stand.open(options);
  const counts: string[] = [];
  let runs = 0;
  try {
    for (const call of options.calls ?? callsAll) {
      const swept = await sweepCall(options, stand, { fault, phase, call });
      runs += swept.failures;
      if (swept.failures > 0) counts.push(`${call} ${swept.failures}`);
      options.onProgress?.(
        `${name}: ${call}: ${swept.failures} failed, ${swept.deaths} exits, ${stand.refusals} times 503, --seed ${options.seed}`,
      );
    }
    return await stand.conclude(`${name}: ${counts.join(', ')}`, runs);
  } finally {
    await stand.destroy();
  }
}

type Point = { fault: DiskFault; phase: Phase; call: string };

async function sweepCall(options: DiskFaultOptions, stand: Stand, point: Point) {
  const { from = 1, step = 1, stopsAtViolation = false } = options;
  let failures = 0;
  let deaths = 0;
  for (; failures < runsMax; failures++) {
    const came = await runOnce(stand, point, from + failures * step);
    if (came === 'to nothing') break;
    if (came === 'to an exit') deaths += 1;
    if (stopsAtViolation && stand.violations.length > 0) break;
  }
  return { failures, deaths };
}

type Came = 'to nothing' | 'to a refusal' | 'to an exit';

/** The server is up again, and all is settled, when this resolves. */
async function runOnce(stand: Stand, { fault, phase, call }: Point, nth: number): Promise<Came> {
  const when = `${nth}${fault.lasts ? '+' : ''}`;
  stand.doing = `${phase}, ${call} ${when} ${fault.error}`;
  const program = await stand.fresh();
  const mail = stand.compose();
  const staged = await stagePhase(stand, phase, mail);
  const { databasePath } = stand;
  const paths = phase === 'checkpoint' ? [databasePath] : [databasePath, `${databasePath}-wal`];
  const terms = { calls: [call], what: `error=${fault.error}`, when, paths };
  const injection = await inject(program.pid, stand.path('strace'), terms);
  const tried = staged.begin();
  const isOver = () => injection.hasFailed() || staged.isOver(injection);
  await until('a call has failed, or all is done', isOver);
  await tried;
  staged.release();
  if (injection.hasFailed() && fault.lasts) await whileBroken(stand, program, mail, injection);
  await injection.detach();
  const hasFailed = injection.hasFailed();
  if (await stand.recover(mail)) return 'to an exit';
  return hasFailed ? 'to a refusal' : 'to nothing';
}

/** A server that is still there has to say no, and mean it. */
async function whileBroken(stand: Stand, program: Program, mail: Operation, injection: Injection): Promise<void> {
  for (let tries = 0; tries < triesWhileBroken && !injection.isDead(); tries++) await stand.try(mail);
  if (injection.isDead()) await program.ended;
}
