/** One writing connection: runs groups of works, each group in a transaction, and settles them once it has committed. */

import { CommitUnknown } from '../../../core/error.ts';
import { type SqlValue, type Transaction, TransactionEnded } from '../../database.ts';
import { Connection } from './connection.ts';
import { refusalOf, troubleOf, unavailable } from './error.ts';
import { Marker } from './marker.ts';
import type { Write, WriteQueue } from './queue.ts';

export type WriterOptions = {
  url: string;
  queue: WriteQueue;
  wall: () => number;
  /** After a transaction ended: what waited for it can go on. */
  onDone: () => void;
  findOutMs: number;
  /**
   * Longer than all limits below: without an answer for so long the way to the server is taken for gone. COMMIT alone has no
   * limit: one that waits longer for a standby counts as a lost answer, too.
   */
  silenceMs: number;
  assumeLostCommits: 'undone' | 'committed' | undefined;
};

/** Of a group: many answers wait behind one held row; each is tried by itself then. */
const groupLockMs = 200;
/** Of a work by itself: a fraction of the 3 s after which a duplicate is told to come back. */
const soloLockMs = 500;
const statementMs = 10_000;
/** A process that stands still in the middle of a transaction must not hold rows for long. */
const idleMs = 5_000;

/** How long a write waits for a server that is away, before it is refused with nothing written. */
const patienceMs = 3_000;
const backOffMs = [20, 50, 100, 200, 400, 1_000] as const;

/** How often a work that lost to other transactions is run again. */
const lossesMax = 5;

type Open = { connection: Connection; marker: Marker };

/** What running one work came to, before the commit. */
type Ran = { value: unknown } | { error: unknown; asked: boolean };

export class Writer {
  readonly #options: WriterOptions;
  #open: Open | null = null;
  #failures = 0;
  #isRunning = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return !this.#isRunning;
  }

  /** Takes from the queue until there is nothing it could take. */
  wake(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    await this.#running;
    if (!this.#open || this.#open.connection.isBroken) return;
    await this.#open.marker.remove(this.#open.connection).catch(() => {});
    await this.#open.connection.close();
  }

  async #run(): Promise<void> {
    // What arrives in one turn of the event loop shares a transaction.
    await new Promise((resolve) => setImmediate(resolve));
    const { queue } = this.#options;
    while (!queue.isEmpty) {
      const open = await this.#connected();
      if (!open) continue;
      const group = queue.take();
      if (group.length === 0) break;
      await this.#runTaken(open, group);
    }
    // In the same breath as the last look at the queue: whoever adds to it from here on must find us idle.
    this.#isRunning = false;
  }

  async #runTaken(open: Open, group: Write[]): Promise<void> {
    const { queue, onDone } = this.#options;
    if (group[0]?.terms.patient) await this.#runPatiently(group);
    else await this.#runGroup(open, group);
    queue.done(group);
    onDone();
  }

  /** Null: not now; what has waited too long is refused. */
  async #connected(): Promise<Open | null> {
    try {
      if (this.#open && !this.#open.connection.isBroken) {
        await this.#open.connection.recheck();
        return this.#open;
      }
      this.#open = await openWriter(this.#options.url, this.#options.silenceMs);
      return this.#open;
    } catch (error) {
      const tooOld = this.#options.queue.takeOlderThan(performance.now() - patienceMs);
      for (const write of tooOld) write.reject(unavailable(error));
      await this.#backOff();
      return null;
    }
  }

  async #backOff(): Promise<void> {
    const pause = backOffMs[Math.min(this.#failures, backOffMs.length - 1)];
    this.#failures += 1;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }

  /** On a connection that no silence ends. */
  async #runPatiently(group: Write[]): Promise<void> {
    let open: Open;
    try {
      open = await openWriter(this.#options.url, null);
    } catch (error) {
      return this.#settleFailure(group, error);
    }
    await this.#runGroup(open, group);
    await open.marker.remove(open.connection).catch(() => {});
    await open.connection.close();
  }

  async #runGroup(open: Open, group: Write[]): Promise<void> {
    try {
      await open.marker.register(open.connection, this.#options.wall());
      const ran = await this.#runWorks(open, group);
      if (!(await this.#commit(open))) throw new Undone();
      this.#failures = 0;
      for (const [index, write] of group.entries()) settle(write, ran[index] as Ran);
    } catch (error) {
      if (error instanceof CommitUnknown) for (const write of group) write.reject(error);
      else await this.#settleFailure(group, error, open.connection);
    }
  }

  /**
   * All works at the same time: their statements leave together. Throws, with all undone, where one failed after it asked
   * anything: what a statement wrote cannot be told from its answer (a CTE writes and answers as a select).
   */
  async #runWorks(open: Open, group: Write[]): Promise<Ran[]> {
    const { connection } = open;
    await this.#begin(open, group);
    const trouble: { first: unknown } = { first: null };
    const ran = await Promise.all(group.map((write) => runWork(connection, write, trouble)));
    const failed = ran.find((one) => 'error' in one && one.asked);
    if (trouble.first === null && !failed) return ran;
    if (!connection.isBroken) await connection.query('rollback');
    throw trouble.first ?? (failed as { error: unknown }).error;
  }

  /** Waited for: behind a BEGIN that was refused (cancelled, timed out) each statement would commit by itself. */
  async #begin({ connection, marker }: Open, group: Write[]): Promise<void> {
    try {
      await Promise.all([connection.query(begin(group)), marker.mark(connection, this.#options.wall())]);
    } catch (error) {
      if (!connection.isBroken) await connection.query('rollback');
      throw error;
    }
  }

  /** False: it is known to be undone. @throws CommitUnknown */
  async #commit({ connection, marker }: Open): Promise<boolean> {
    try {
      // A commit that waits for a standby must not be taken for confirmed because its time ran out.
      connection.query('set local statement_timeout = 0').catch(() => {});
      return (await connection.query('commit')).command === 'COMMIT';
    } catch (error) {
      // Also an error the server answered with: it may have ended the session right after it committed.
      connection.destroy();
      const { url, findOutMs, assumeLostCommits } = this.#options;
      if (assumeLostCommits) return assumeLostCommits === 'committed';
      const committed = await marker.findOut(url, findOutMs);
      if (committed === null) throw new CommitUnknown('What became of a commit cannot be found out.', { cause: error });
      return committed;
    }
  }

  /** Nothing was written: the works are run again, each by itself where they were many, or refused. */
  async #settleFailure(group: Write[], error: unknown, connection?: Connection): Promise<void> {
    const trouble = error instanceof Undone ? 'again' : troubleOf(error);
    if (trouble === 'unavailable') {
      connection?.destroy();
      const { tooOld, patient } = splitByAge(group);
      for (const write of tooOld) write.reject(refusalOf(error));
      this.#options.queue.putBack(patient);
      return this.#backOff();
    }
    const again = group.filter((write) => mayRunAgain(write, group.length, trouble));
    for (const write of group) if (!again.includes(write)) write.reject(refusalOf(error));
    for (const write of again) write.solo = true;
    this.#options.queue.putBack(again);
  }
}

async function openWriter(url: string, silence: number | null): Promise<Open> {
  const connection = await Connection.open({ url, name: 'sendonce writes', silenceMs: silence });
  return { connection, marker: new Marker() };
}

/** The settings are the transaction's own: behind a pooler the next one may meet another session. */
function begin(group: Write[]): string {
  const isSolo = group[0]?.solo || group[0]?.terms.about === undefined;
  const [lock, statement, idle] = group[0]?.terms.patient
    ? [0, 0, 0]
    : [isSolo ? soloLockMs : groupLockMs, statementMs, idleMs];
  return `begin isolation level read committed read write; set local lock_timeout = ${lock};
    set local statement_timeout = ${statement}; set local idle_in_transaction_session_timeout = ${idle}; ${syncs}`;
}

/** Whatever became of the setting since the start, or is another session's behind a pooler: a commit that is answered is on a disk. */
const syncs = `select set_config('synchronous_commit', 'on', true) where current_setting('synchronous_commit') = 'off'`;

async function runWork(connection: Connection, write: Write, trouble: { first: unknown }): Promise<Ran> {
  let asked = false;
  let ended = false;
  async function ask<R>(sql: string, params: SqlValue[]) {
    if (ended) throw new TransactionEnded();
    asked = true;
    try {
      return await connection.query<R>(sql, params);
    } catch (error) {
      // The first one is the cause; whatever follows it in the transaction is refused for that alone.
      trouble.first ??= error;
      throw error;
    }
  }
  const transaction: Transaction = {
    skipLocked: 'for update skip locked',
    writer: 'pg_backend_pid()',
    all: async <R>(sql: string, ...params: SqlValue[]) => (await ask<R>(sql, params)).rows,
    run: async (sql, ...params) => (await ask(sql, params)).count,
  };
  try {
    return { value: await write.work(transaction) };
  } catch (error) {
    return { error, asked };
  } finally {
    ended = true;
  }
}

function settle(write: Write, ran: Ran): void {
  if ('error' in ran) write.reject(ran.error);
  else write.resolve(ran.value);
}

/** A transaction that is known not to have committed, for no fault of its works. */
class Undone extends Error {
  override readonly name = 'Undone';
}

function splitByAge(group: Write[]): { tooOld: Write[]; patient: Write[] } {
  const since = performance.now() - patienceMs;
  return {
    tooOld: group.filter((write) => write.since < since),
    patient: group.filter((write) => write.since >= since),
  };
}

function mayRunAgain(write: Write, groupSize: number, trouble: ReturnType<typeof troubleOf>): boolean {
  if (groupSize > 1) return true;
  if (trouble === 'contended') return !write.solo && write.terms.about !== undefined;
  if (trouble !== 'again') return false;
  write.lost += 1;
  return write.lost <= lossesMax;
}
