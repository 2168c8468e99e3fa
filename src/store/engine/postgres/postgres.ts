/** The PostgreSQL engine: any number of processes, each with one write queue whose groups commit on a few connections. */

import pg from 'pg';
import { AppError, isUnavailable } from '../../../core/error.ts';
import type { Awaitable, Database, SqlValue, Transaction, WriteTerms } from '../../database.ts';
import { Admission, type OnArrival } from './admission.ts';
import { DatabaseClock } from './clock.ts';
import { Connection, ConnectionLost } from './connection.ts';
import { WriteQueue } from './queue.ts';
import { Readers } from './reader.ts';
import { type Hearing, Signals } from './signals.ts';
import { Succession } from './succession.ts';
import { type Hang, Watch } from './watch.ts';
import { type AssumedCommits, Writer, type WriterOptions } from './writer.ts';

export type PostgresOptions = {
  url: string;
  /** For LISTEN, where `url` leads through a pooler. */
  listenUrl?: string | null;
  /** Told when announcements of other processes are no longer heard, and when they are again. */
  onHearing?: (hearing: Hearing) => void;
  /** Judges each arrival at a server, before anything else is done there. */
  onArrival?: OnArrival;
  /** Told when commits hang, and when they do not any more. */
  onHang?: (hang: Hang | null) => void;
  /** How long a server that is not there yet is waited for. */
  startPatienceMs?: number;
  /** How long a COMMIT whose answer was lost is asked about, before it is said to be unknown. */
  findOutMs?: number;
  /** How long a statement that writes goes without an answer before the way to the server is taken for gone. */
  silenceMs?: number;
  /** Instead of finding out what became of a COMMIT whose answer was lost: only negative controls assume. */
  assumeLostCommits?: AssumedCommits;
  /** Connections that write: only the benchmark asks for another number. */
  writers?: number;
};

/** Measured (docs/decisions/0021-groups-on-postgresql.md). */
const writersChosen = 2;
const readers = 2;

/** Longer than a transaction of ours may stand idle, shorter than what most clients wait for an answer. */
const findOutMsMax = 15_000;

const readSilenceMs = 15_000;
const reportSilenceMs = 120_000;

/** Longer than any statement may take but COMMIT, which may wait for a standby (`writer.ts`). */
const writeSilenceMs = 20_000;

/** How long a start waits for a server that is starting, too. */
const startPatienceMsMax = 15_000;
const startPauseMs = 200;

/** How long new work waits for commits that hang: refused at once, clients that try again at once would be all there is to do. */
const hangPatienceMs = 1_000;

/** Where containers start together a name may appear a moment later; most often it is wrong. */
const namePatienceMs = 3_000;

/** @throws Error when the server cannot be reached, does not let us in, or could not keep the promise. */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const patienceMs = options.startPatienceMs ?? startPatienceMsMax;
  const giveUpAt = performance.now() + patienceMs;
  await reachable(options.url, patienceMs);
  for (;;) {
    const database = new PostgresDatabase(options);
    try {
      await database.start();
      return database;
    } catch (error) {
      await database.close();
      // It was there a moment ago: a busy machine takes its time for each of the connections.
      if (!isUnavailable(error) || performance.now() > giveUpAt) throw error;
    }
  }
}

async function reachable(url: string, patienceMs: number): Promise<void> {
  const startedAt = performance.now();
  for (;;) {
    try {
      const connection = await Connection.open({ url, name: 'sendonce starts', silenceMs: readSilenceMs });
      return await connection.close();
    } catch (cause) {
      if (performance.now() - startedAt >= Math.min(patienceMs, worthWaitingMs(cause))) throw startError(cause);
      await new Promise((resolve) => setTimeout(resolve, startPauseMs));
    }
  }
}

/** What node-postgres says of settings that do not fit the server, and OpenSSL's and Node's codes about certificates. */
const hopelessMessages = /does not support SSL|^SASL:/;
const hopelessCodes = /CERT|^UNABLE_TO_|^ERR_(TLS|SSL|OSSL)_/;

/** PgBouncer's words: its SQLSTATE is the same for all it refuses. */
const poolerRefusals = /authentication failed|^no such (database|user)|^(database|role) ".*" does not exist$/;

/** None where waiting mends nothing: a wrong password, no such database, a certificate that does not fit, a server that does not sync. */
function worthWaitingMs(error: unknown): number {
  if (error instanceof pg.DatabaseError) {
    const isHopeless = /^(28|3D|42)/.test(error.code ?? '') || poolerRefusals.test(error.message);
    return isHopeless ? 0 : startPatienceMsMax;
  }
  if (!(error instanceof ConnectionLost)) return 0;
  const { code = '', message } = error.cause as NodeJS.ErrnoException;
  if (hopelessCodes.test(code) || hopelessMessages.test(message)) return 0;
  return code === 'ENOTFOUND' ? namePatienceMs : startPatienceMsMax;
}

function startError(cause: unknown): Error {
  const { message } = cause as Error;
  const text = cause instanceof ConnectionLost ? message : `PostgreSQL cannot be used: ${message}`;
  const hint = /ENOTFOUND|Invalid URL/.test(message)
    ? '. Is the URL right? Special characters in a password must be percent-encoded: / is %2F, # is %23, ? is %3F'
    : '';
  return new Error(`${text}${hint}`, { cause });
}

class PostgresDatabase implements Database {
  readonly engine = 'postgres';
  readonly #queue = new WriteQueue();
  readonly #writers: Writer[];
  readonly #readers: Readers;
  readonly #reports: Readers;
  readonly #clock: DatabaseClock;
  readonly #signals: Signals;
  readonly #watch: Watch;

  constructor(chosen: PostgresOptions) {
    const { url, listenUrl, onHearing = () => {}, findOutMs, silenceMs, assumeLostCommits } = chosen;
    const { onArrival = () => () => {}, onHang = () => {} } = chosen;
    const wall = () => this.wall();
    const succession = new Succession();
    const admission = new Admission(onArrival, succession);
    const watch = new Watch({ url, succession, wall, onHang, onRound: () => this.#refuseLate() });
    this.#watch = watch;
    const shared = { url, admission, watch };
    this.#readers = new Readers({ ...shared, name: 'sendonce reads', connections: readers, silenceMs: readSilenceMs });
    this.#reports = new Readers({ ...shared, name: 'sendonce reports', connections: 1, silenceMs: reportSilenceMs });
    this.#clock = new DatabaseClock(async () => {
      const [row] = await this.#readers.all<{ now: number }>(
        'select (extract(epoch from clock_timestamp()) * 1000)::numeric as now',
        [],
      );
      return row?.now ?? 0;
    });
    this.#signals = new Signals({ url: listenUrl ?? url, readers: this.#readers, watch, onHearing });
    const options: WriterOptions = {
      ...shared,
      queue: this.#queue,
      wall,
      onDone: () => this.#wake(),
      findOutMs: findOutMs ?? findOutMsMax,
      silenceMs: silenceMs ?? writeSilenceMs,
      assumeLostCommits,
    };
    const { writers = writersChosen } = chosen;
    this.#writers = Array.from({ length: writers }, () => new Writer(options));
  }

  start(): Promise<void> {
    return this.#clock.start();
  }

  all<R>(sql: string, ...params: SqlValue[]): Promise<R[]> {
    return this.#readers.all<R>(sql, params);
  }

  write<T>(work: (tx: Transaction) => Awaitable<T>, terms: WriteTerms = {}): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.add({
        work,
        terms,
        resolve: resolve as (value: unknown) => void,
        reject,
        since: performance.now(),
        solo: false,
        lost: 0,
      });
      this.#wake();
    });
  }

  report<R>(sql: string, ...params: SqlValue[]): Promise<R[]> {
    return this.#reports.all<R>(sql, params);
  }

  wall(): number {
    return Math.floor(this.#clock.now());
  }

  announce(): void {
    this.#signals.announce();
  }

  onAnnounced(listener: () => void): void {
    this.#signals.listen(listener);
  }

  /** PostgreSQL's own is its operator's to keep, and to end. */
  async emptyLog(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    this.#clock.stop();
    await this.#signals.close();
    for (const writer of this.#writers) await writer.close();
    await this.#readers.close();
    await this.#reports.close();
    await this.#watch.close();
  }

  /** What has not begun while commits hang: nothing of it was written. */
  #refuseLate(): void {
    const { hang } = this.#watch;
    if (!hang) return;
    for (const write of this.#queue.takeOlderThan(performance.now() - hangPatienceMs)) write.reject(hanging(hang));
  }

  /** One at a time: while it gathers a group, more may arrive for it. */
  #wake(): void {
    if (this.#queue.isEmpty) return;
    this.#writers.find((writer) => writer.isIdle)?.wake();
  }
}

/** Longer than most standbys need to come back, and no longer than a client would wait by itself. */
const retryAfterSeconds = 5;

function hanging({ cause }: Hang): AppError {
  return new AppError(
    'unavailable',
    'The database does not confirm what is written right now; nothing was accepted. Try again.',
    {
      retryAfterSeconds,
      cause: new Error(`Commits hang: ${cause}.`),
    },
  );
}
