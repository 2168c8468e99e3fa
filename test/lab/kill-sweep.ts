/** kill -9 on entering the Nth system call of one accept, of one delivery and of one checkpoint, for every N there is. */

import { type Phase, stagePhase } from './phases.ts';
import type { Row } from './row.ts';
import { Stand, until } from './stand.ts';
import { inject, whyNoStrace } from './strace.ts';

export type SweepOptions = {
  seed: number;
  onProgress?: (text: string) => void;
  /** Another program than the real one. */
  command?: string[];
  phases?: Phase[];
  calls?: string[];
  /** The first N, and the distance to the next: 1 and 1 unless a slice is wanted. */
  from?: number;
  step?: number;
  /** In a row, before a sweep is over: one may be luck, since a background thread's calls come and go. */
  cleanRuns?: number;
  /** Ends at the first broken promise: what a negative control asks for. */
  stopsAtViolation?: boolean;
};

const phasesAll: Phase[] = ['accept', 'delivery', 'checkpoint'];

/** What a server does to files and sockets. Some of these no build of Node or SQLite uses: seen when none is ever made. */
const callsAll = ['write', 'writev', 'pwrite64', 'fsync', 'fdatasync', 'sendto', 'sendmsg'];

/** About three times what the longest sweep was seen to need: one that goes on for ever is a defect of the lab. */
const runsMax = 400;

export async function runKillSweeps(options: SweepOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const phase of options.phases ?? phasesAll) {
    const fault = `kill at the Nth call of one ${phase}`;
    const skipped = whyNoStrace();
    if (skipped) rows.push(skippedRow(fault, skipped));
    else rows.push(await sweepPhase(options, phase, fault));
  }
  return rows;
}

export function skippedRow(fault: string, skipped: string): Row {
  return { fault, runs: 0, mails: 0, duplicates: 0, lost: 0, held: 0, explained: 0, violations: [], skipped };
}

async function sweepPhase(options: SweepOptions, phase: Phase, fault: string): Promise<Row> {
  const stand = await Stand.open(options);
  const kills: string[] = [];
  let runs = 0;
  try {
    for (const call of (options.calls ?? callsAll).filter((one) => phase !== 'checkpoint' || isOfFiles(one))) {
      const swept = await sweepCall(options, stand, phase, call);
      runs += swept.runs;
      if (swept.kills > 0) kills.push(`${call} ${swept.kills}`);
      options.onProgress?.(`${fault}: ${call}: ${swept.kills} kills, --seed ${options.seed}`);
    }
    return await stand.conclude(`${fault}: ${kills.join(', ')}`, runs);
  } finally {
    await stand.destroy();
  }
}

function isOfFiles(call: string): boolean {
  return ['pwrite64', 'fsync', 'fdatasync'].includes(call);
}

async function sweepCall(options: SweepOptions, stand: Stand, phase: Phase, call: string) {
  const { from = 1, step = 1, cleanRuns = 2, stopsAtViolation = false } = options;
  let kills = 0;
  let runs = 0;
  for (let clean = 0; clean < cleanRuns && runs < runsMax; runs++) {
    const isKilled = await runOnce(stand, phase, call, from + kills * step);
    if (isKilled) kills += 1;
    clean = isKilled ? 0 : clean + 1;
    if (stopsAtViolation && stand.violations.length > 0) return { kills, runs };
  }
  return { kills, runs };
}

/** True: the server was killed. It is up again, and all is settled, when this resolves. */
async function runOnce(stand: Stand, phase: Phase, call: string, nth: number): Promise<boolean> {
  stand.doing = `${phase}, ${call} ${nth}`;
  const program = await stand.fresh();
  const mail = stand.compose();
  const staged = await stagePhase(stand, phase, mail);
  const paths = phase === 'checkpoint' ? [stand.databasePath] : [];
  const terms = { calls: [call], what: 'signal=KILL', when: String(nth), paths };
  const injection = await inject(program.pid, stand.path('strace'), terms);
  const tried = staged.begin();
  await until('the server is dead, or done', () => injection.isDead() || staged.isOver(injection));
  staged.release();
  await injection.detach();
  if (injection.isDead()) await program.ended;
  await tried;
  return stand.recover(mail);
}
