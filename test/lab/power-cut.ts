/** The power cut after each write, sync, answer and dot: what had been promised by then must be on the disk. */

import { readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { Coverage, type Said } from './coverage.ts';
import { skippedRow } from './kill-sweep.ts';
import { pause } from './load.ts';
import type { Operation } from './operation.ts';
import type { Program } from './program.ts';
import type { Row } from './row.ts';
import { Stand, until } from './stand.ts';
import { isDead, whyNoStrace } from './strace.ts';
import { type Call, readCalls, TracedDisk, tracedWrites } from './traced-disk.ts';

export type PowerCutOptions = {
  seed: number;
  onProgress?: (text: string) => void;
  /** Another program than the real one. */
  command?: string[];
  /** Starts of the server; each but the last ends by a kill on entering a sync, or by a sync that fails. */
  lives?: number;
  mailsPerLife?: number;
  /** How each life but the last ends; by the seed unless given. */
  end?: End;
};

/** What becomes of which call of a thread: of the one that syncs the log for commits, or of those that SQLite makes. */
type End = { call: 'fdatasync' | 'fsync'; what: 'signal=KILL' | 'error=EIO'; nth: number };

const fault = 'power cut after each write, sync, answer and dot';

const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));

/** A start makes some of them; after that come the mails of its life, and checkpoints. */
const syncsMax = { fdatasync: 30, fsync: 5 };

const clientsAtOnce = 3;

/** So many of its clients lose patience at once, and ask again while the first answer is still to come. */
const askedTwiceOneIn = 2;
const patienceMs = 8;

/** Longer than a death takes that nobody holds back. */
const letDieMs = 1_000;

/** A cut is looked at for each of these changes, on average: every one tells little that the next does not. */
const looksAtOneIn = 3;

export async function runPowerCuts(options: PowerCutOptions): Promise<Row[]> {
  const skipped = whyNoStrace();
  if (skipped) return [skippedRow(fault, skipped)];
  const stand = await Stand.open(options);
  try {
    await firstLife(stand);
    const disk = new TracedDisk(stand.databasePath);
    const promises = new Promises(stand, disk);
    const covered = { answers: 0, dots: 0 };
    const { lives = 8, mailsPerLife = 12 } = options;
    for (let life = 1; life <= lives; life++) {
      stand.doing = `life ${life}`;
      const output = stand.path(`life-${life}`);
      const end = life === lives ? null : (options.end ?? chooseEnd(stand));
      await liveAndDie(stand, { output, end, mails: mailsPerLife, command: options.command });
      if (isComplete(output)) promises.play(readCalls(output), covered);
      else disk.reread();
      rmSync(output);
      options.onProgress?.(
        `${fault}: life ${life}, ${stand.mails.length} mails, ${promises.cuts} cuts, a sync covers each of ${covered.answers} answers and ${covered.dots} dots, --seed ${options.seed}`,
      );
    }
    stand.command = options.command;
    await stand.up();
    for (const mail of stand.mails) await stand.recover(mail);
    return [await stand.conclude(fault, promises.cuts)];
  } finally {
    await stand.destroy();
  }
}

/** Makes the database, and ends as it should. */
async function firstLife(stand: Stand): Promise<void> {
  const program = await stand.up();
  program.signal('SIGTERM');
  await program.ended;
}

type Life = { output: string; end: End | null; mails: number; command: string[] | undefined };

function chooseEnd({ random }: Stand): End {
  const call = random() < 0.8 ? 'fdatasync' : 'fsync';
  const nth = 1 + Math.floor(random() * syncsMax[call]);
  return { call, what: random() < 0.5 ? 'signal=KILL' : 'error=EIO', nth };
}

async function liveAndDie(stand: Stand, { output, end, mails, command }: Life): Promise<void> {
  const fault = end ? ['-e', `inject=${end.call}:${end.what}:when=${end.nth}`] : [];
  stand.command = tracedWrites(output, command ?? [process.execPath, main], ...fault);
  const program = await stand.tryUp();
  if (!program) return until('the trace is complete', () => isComplete(output));
  const tracer = tracerOf(program.pid);
  await sendAll(stand, program, mails);
  program.signal('SIGKILL');
  // See `inject`: threads that strace holds back keep a death from being told.
  const timer = setTimeout(() => process.kill(tracer, 'SIGKILL'), letDieMs);
  await stand.down();
  await until('the tracer has ended', () => isDead(tracer));
  clearTimeout(timer);
}

/** A tracer that had to be killed takes its last lines with it. */
function isComplete(output: string): boolean {
  const trace = readFileSync(output, 'latin1');
  const [first = ''] = /^\d+/.exec(trace) ?? [];
  return new RegExp(`^${first} +\\+\\+\\+ killed by SIGKILL`, 'm').test(trace);
}

function tracerOf(pid: number): number {
  return Number(/^TracerPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** Those that a death has left unanswered come first; ends early with the server. */
async function sendAll(stand: Stand, program: Program, mails: number): Promise<void> {
  const waiting = stand.mails.filter(({ ids }) => ids === null);
  while (waiting.length < mails) waiting.push(stand.compose());
  const isGone = () => isDead(program.pid);
  const untilAccepted = async (mail: Operation) => {
    while (!isGone() && (await stand.try(mail)) !== 'accepted') await pause(5);
  };
  const client = async () => {
    for (let mail = waiting.shift(); mail && !isGone(); mail = waiting.shift()) {
      const again = stand.random() < 1 / askedTwiceOneIn ? pause(patienceMs).then(() => untilAccepted(mail)) : null;
      await Promise.all([untilAccepted(mail), again]);
    }
  };
  await Promise.all(Array.from({ length: clientsAtOnce }, client));
  await until('every mail has left, or the server is dead', () => isGone() || stand.open() === 0);
}

/** What the server has told the world so far, held against what its disk would say. */
class Promises {
  cuts = 0;
  readonly #stand: Stand;
  readonly #disk: TracedDisk;
  /** Ids that a client was answered. */
  readonly #acknowledged = new Set<string>();
  /** Ids whose dot has left. */
  readonly #handedOff = new Set<string>();
  constructor(stand: Stand, disk: TracedDisk) {
    this.#stand = stand;
    this.#disk = disk;
  }

  /** Counts in `covered` what a sync was seen to cover; what had been committed before this life was synced at its start. */
  play(calls: Call[], covered: { answers: number; dots: number }): void {
    const coverage = new Coverage(this.#stand.databasePath, this.#stand.relay.port);
    for (const call of calls) {
      const isOfDisk = this.#disk.play(call);
      const said = coverage.play(call);
      if (said) this.#hear(said, covered);
      if (said) this.#cut(false);
      if (isOfDisk && this.#stand.random() < 1 / looksAtOneIn) this.#cut(true);
    }
  }

  #hear({ what, id, commit, sync }: Said, covered: { answers: number; dots: number }): void {
    (what === 'dot' ? this.#handedOff : this.#acknowledged).add(id);
    if (commit === null) return;
    if (sync === null) this.#broken(`was not synced when the ${what} of ${id} left, which rests on commit ${commit}`);
    else covered[`${what}s`] += 1;
  }

  /** Nothing that was not synced is there; or, by chance, some of it is. */
  #cut(isTorn: boolean): void {
    this.cuts += 1;
    const path = this.#stand.path('cut.db');
    this.#disk.cut(path, isTorn ? this.#stand.random : null);
    const connection = new Sqlite(path);
    try {
      // The copy need not last.
      connection.pragma('synchronous = OFF');
      this.#examine(connection);
    } catch (error) {
      this.#broken(`cannot be read: ${String(error)}`);
    } finally {
      connection.close();
    }
  }

  #examine(connection: Sqlite.Database): void {
    const found = connection.pragma('integrity_check', { simple: true });
    if (found !== 'ok') this.#broken(`is corrupt: ${found}`);
    const rows = connection.prepare<[], { email_id: string; state: string }>('select email_id, state from deliveries');
    const states = new Map(rows.all().map((row) => [row.email_id, row.state]));
    for (const id of this.#acknowledged) if (!states.has(id)) this.#broken(`has lost ${id}, which was acknowledged`);
    for (const id of this.#handedOff) {
      const state = states.get(id) ?? 'unknown';
      if (/queued|sending|unknown/.test(state)) this.#broken(`would send ${id} again, which is ${state}`);
    }
  }

  #broken(what: string): void {
    const violation = `${this.#stand.doing}: the disk ${what}`;
    if (!this.#stand.violations.includes(violation)) this.#stand.violations.push(violation);
  }
}
