/** The wall clock of the running server set two days forward and back, by libfaketime: keys stay, mails leave, the log says so. */

import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { skippedRow } from './kill-sweep.ts';
import type { Operation } from './operation.ts';
import type { Program } from './program.ts';
import type { Row } from './row.ts';
import { Stand, until } from './stand.ts';

export type ClockJumpOptions = {
  seed: number;
  onProgress?: (text: string) => void;
  /** Another program than the real one. */
  command?: string[];
  /** In days, one after the other; chosen by the seed unless given. */
  jumps?: number[];
};

const fault = 'clock jumps of two days';

const jumpDays = 2;
const jumpsUsual = 8;
const dayMs = 24 * 60 * 60_000;

export async function runClockJumps(options: ClockJumpOptions): Promise<Row[]> {
  const library = findLibrary();
  if (!library) return [skippedRow(fault, 'libfaketime is not installed (Debian: apt-get install faketime)')];
  return [await jumpAround(options, library)];
}

/** Debian has a folder an architecture, others have none. */
function findLibrary(): string | null {
  const roots = ['/usr/lib', '/usr/lib64', '/usr/local/lib'].filter((root) => existsSync(root));
  const folders = roots.flatMap((root) => [root, ...readdirSync(root).map((name) => `${root}/${name}`)]);
  return folders.map((folder) => `${folder}/faketime/libfaketimeMT.so.1`).find((path) => existsSync(path)) ?? null;
}

/** Days from the true time, as the server's clock is told them through a file. */
class Offset {
  days = 0;
  /** The server's time is never behind this: it does not go back. */
  highest = 0;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    this.add(0);
  }

  /** Renamed into place: the server reads the file at each look at the clock, and must never find half of it. */
  add(days: number): void {
    this.days += days;
    this.highest = Math.max(this.highest, this.days);
    writeFileSync(`${this.#path}.new`, `${this.days < 0 ? '-' : '+'}${Math.abs(this.days)}d\n`);
    renameSync(`${this.#path}.new`, this.#path);
  }
}

async function jumpAround({ onProgress, ...options }: ClockJumpOptions, library: string): Promise<Row> {
  const faked = { LD_PRELOAD: library, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
  const stand = await Stand.open({ ...options, environment: faked });
  stand.setting.environment.FAKETIME_TIMESTAMP_FILE = stand.path('clock');
  try {
    const offset = new Offset(stand.path('clock'));
    const program = await stand.up();
    const jumps = options.jumps ?? Array.from({ length: jumpsUsual }, () => (stand.random() < 0.5 ? 1 : -1) * jumpDays);
    for (const [number, days] of jumps.entries()) {
      stand.doing = `jump ${number + 1} of ${jumps.join(', ')} days`;
      await jumpOnce(stand, program, offset, days);
      onProgress?.(`${fault}: ${stand.doing}, --seed ${options.seed}`);
      // A key that was forgotten has been accepted again: nothing after that means anything.
      if (stand.violations.length > 0) return await stand.conclude(fault, number + 1);
    }
    await scheduleAndJump(stand, program, offset);
    await startAtTrueTime(stand, offset);
    return await stand.conclude(fault, jumps.length + 1);
  } finally {
    await stand.destroy();
  }
}

/** One mail has left when the clock jumps, another has been deferred; then everybody comes back. */
async function jumpOnce(stand: Stand, program: Program, offset: Offset, days: number): Promise<void> {
  const left = stand.compose();
  await stand.recover(left);
  const deferred = stand.compose();
  await stand.defer(deferred);
  await jump(stand, program, offset, days);
  await stand.recover(deferred);
  await repeatAll(stand);
}

/** Resolves when the server has said that it noticed. */
async function jump({ clock }: Stand, program: Program, offset: Offset, days: number): Promise<void> {
  const seen = () => program.words().split('the wall clock jumped').length;
  const before = seen();
  offset.add(days);
  clock.offsetMs = offset.days * dayMs;
  await until('the log says that the clock jumped', () => seen() > before);
}

/** Every key is known still. `try` compares the ids. */
async function repeatAll(stand: Stand): Promise<void> {
  for (const mail of stand.mails) await stand.untilAnswered(mail);
}

/** What is scheduled for tomorrow leaves when it is tomorrow, whoever made it so. */
async function scheduleAndJump(stand: Stand, program: Program, offset: Offset): Promise<void> {
  stand.doing = 'a scheduled mail';
  const tomorrow = Date.now() + (offset.highest + 1) * dayMs;
  const mail = stand.compose(tomorrow);
  await stand.untilAnswered(mail);
  await jump(stand, program, offset, offset.highest + jumpDays - offset.days);
  await stand.recover(mail);
  await repeatAll(stand);
}

async function startAtTrueTime(stand: Stand, offset: Offset): Promise<void> {
  stand.doing = 'started again at the true time';
  await stand.down();
  offset.add(-offset.days);
  await stand.up();
  const mails: Operation[] = [stand.compose(), ...stand.mails];
  for (const mail of mails) await stand.recover(mail);
}
