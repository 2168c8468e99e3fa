/** One writing connection: runs groups of works, each group in a transaction, and settles them once it has committed. */

import { CommitUnknown } from '../../../core/error.ts';
import type { Admission } from './admission.ts';
import { Connection, ConnectionLost } from './connection.ts';
import { refusalOf, troubleOf, unavailable } from './error.ts';
import { begin, mayRunAgain, type Ran, runWork, settle, writeSums } from './group.ts';
import type { Marker } from './marker.ts';
import type { Write, WriteQueue } from './queue.ts';
import { upSince } from './server-facts.ts';
import type { Watch } from './watch.ts';

/** `visible`: what can be seen counts as done, as if seeing it meant that a standby has it. */
export type AssumedCommits = 'undone' | 'committed' | 'visible';

export type WriterOptions = {
  url: string;
  queue: WriteQueue;
  wall: () => number;
  admission: Admission;
  watch: Watch;
  /** After a transaction ended: what waited for it can go on. */
  onDone: () => void;
  findOutMs: number;
  /**
   * Longer than all limits of a group: without an answer for so long the way to the server is taken for gone, unless it is seen to
   * be at work. COMMIT alone has no limit: it may wait for a standby.
   */
  silenceMs: number;
  assumeLostCommits: AssumedCommits | undefined;
};

/** How long a write waits for a server that is away, before it is refused with nothing written. */
const patienceMs = 3_000;
const backOffMs = [20, 50, 100, 200, 400, 1_000] as const;

type Open = { connection: Connection; marker: Marker };

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

  /** A commit that hangs is not waited for: the next start finds out what became of it. */
  async close(): Promise<void> {
    const timer = setTimeout(() => this.#open?.connection.destroy(), this.#options.silenceMs);
    await this.#running;
    clearTimeout(timer);
    if (this.#open && !this.#open.connection.isBroken) await this.#leave(this.#open);
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
      if (!this.#open || this.#open.connection.isBroken) this.#open = await this.#arrive(this.#options.silenceMs);
      else await this.#recheck(this.#open);
      return this.#open;
    } catch (error) {
      const tooOld = this.#options.queue.takeOlderThan(performance.now() - patienceMs);
      for (const write of tooOld) write.reject(unavailable(error));
      await this.#backOff();
      return null;
    }
  }

  /** In a schema that was not there yet nothing was acknowledged: there is nothing to be admitted to. */
  async #arrive(silenceMs: number): Promise<Open> {
    const { url, admission, watch } = this.#options;
    const onOpening = (opening: Connection) => watch.add(opening, { commits: true, limitMs: silenceMs });
    const connection = await Connection.open({ url, name: 'sendonce writes', silenceMs: null, onOpening });
    try {
      return { connection, marker: await admission.admit(connection) };
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  /** A server that promises something else than before is arrived at again. */
  async #recheck({ connection, marker }: Open): Promise<void> {
    const before = connection.facts;
    await connection.recheck();
    const { facts } = connection;
    if (before === facts) return;
    const isSame = before.timeline === facts.timeline && before.up_since === facts.up_since;
    if (isSame && before.standbys === facts.standbys) return;
    await this.#admit(connection, marker);
  }

  async #admit(connection: Connection, marker: Marker): Promise<void> {
    try {
      await this.#options.admission.admit(connection, marker);
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  async #leave({ connection, marker }: Open): Promise<void> {
    this.#options.admission.forget(marker);
    await marker.remove(connection).catch(() => {});
    await connection.close();
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
      open = await this.#arrive(Number.POSITIVE_INFINITY);
    } catch (error) {
      return this.#settleFailure(group, error);
    }
    await this.#runGroup(open, group);
    if (!open.connection.isBroken) await this.#leave(open);
  }

  async #runGroup(open: Open, group: Write[]): Promise<void> {
    try {
      if (!open.marker.isRegistered) await this.#admit(open.connection, open.marker);
      const ran = await this.#runWorks(open, group);
      writeSums(open.connection, ran);
      if (!(await this.#commitWithin(open, group))) throw new Undone();
      this.#options.admission.acknowledged(open.marker);
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
      const [, , [server]] = await Promise.all([
        connection.query(begin(group)),
        marker.mark(connection, this.#options.wall()),
        connection.isPooled ? answering(connection) : [],
      ]);
      if (server && server.up_since !== connection.facts.up_since) throw new AnotherServer();
    } catch (error) {
      if (!connection.isBroken) await connection.query('rollback');
      throw error;
    }
  }

  /**
   * A commit that hangs goes on by itself, and this connection with it: another one would only hang, too. Those who ask are told
   * after a while that nobody can tell.
   */
  async #commitWithin(open: Open, group: Write[]): Promise<boolean> {
    const { silenceMs, findOutMs } = this.#options;
    const timer = setTimeout(() => {
      for (const write of group) write.reject(new CommitUnknown('A commit has been waiting for too long.'));
    }, silenceMs + findOutMs);
    try {
      return await this.#commit(open);
    } finally {
      clearTimeout(timer);
    }
  }

  /** False: it is known to be undone. @throws CommitUnknown */
  async #commit({ connection, marker }: Open): Promise<boolean> {
    try {
      // A commit that waits for a standby must not be taken for confirmed because its time ran out.
      connection.query('set local statement_timeout = 0').catch(() => {});
      return await connection.commit();
    } catch (error) {
      // Also what the server answered with: it may have ended the session, or the wait for a standby, after it committed.
      connection.destroy();
      const { url, findOutMs, assumeLostCommits } = this.#options;
      if (assumeLostCommits && assumeLostCommits !== 'visible') return assumeLostCommits === 'committed';
      const committed = await marker.findOut(url, findOutMs, assumeLostCommits === 'visible');
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

/** Behind a pooler a connection outlives the server behind it. */
async function answering(connection: Connection): Promise<{ up_since: string }[]> {
  if (connection.facts.up_since === null) return [];
  return (await connection.query<{ up_since: string }>(upSince)).rows;
}

class AnotherServer extends ConnectionLost {
  constructor() {
    super('another server answers behind the pooler');
  }
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
