/**
 * Notices silence on all connections of a process, one place for all of them. Where answers are owed and nothing is heard, another
 * connection looks whether the server still works for the silent one, and what it waits for: one that is not there any more, or
 * has long answered, is given up within seconds; a COMMIT that waits for a standby is left to wait, and said to hang. Connections to
 * a primary that was succeeded are given up as well.
 */

import { Connection } from './connection.ts';
import type { Succession } from './succession.ts';

/** What commits wait for: a synchronous standby, the disk, a lock, or a server that does not say. */
export type HangCause = 'SyncRep' | 'disk' | 'lock' | 'server';

/** How the database's commits have come to a stand, and since when (epoch milliseconds). */
export type Hang = { cause: HangCause; since: number };

export type WatchOptions = {
  url: string;
  succession: Succession;
  wall: () => number;
  /** Told when commits hang, with each new cause, and with null when they do not any more. */
  onHang: (hang: Hang | null) => void;
  /** After each round. */
  onRound: () => void;
};

/** `commits`: its silence says that the database takes no writes, and is left alone where the server is at work for it. */
export type Watched = { commits: boolean; limitMs: number };

const everyMs = 250;

/** Longer than a loaded server needs for a word, and a fraction of what clients wait for. */
const suspectAfterMs = 1_500;

/** Commits that hang for so long hang for everybody: new work is refused. */
export const hangsAfterMs = 3_000;

/** What was seen to be at work is believed for so long. */
const excusedMs = 5_000;

/** An answer to the look itself. */
const lookMs = 2_000;

type State = Watched & { excusedUntil: number; idleSince: number | null; cause: HangCause };

export class Watch {
  readonly #options: WatchOptions;
  readonly #connections = new Map<Connection, State>();
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;
  #own: Connection | null = null;
  #hang: Hang | null = null;
  #isClosed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Null while commits are answered. */
  get hang(): Hang | null {
    return this.#hang;
  }

  add(connection: Connection, watched: Watched): void {
    this.#connections.set(connection, { ...watched, excusedUntil: 0, idleSince: null, cause: 'server' });
    if (this.#isClosed) return;
    this.#timer ??= setInterval(() => this.#round(), everyMs).unref();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer) clearInterval(this.#timer);
    await this.#looking;
    this.#own?.destroy();
  }

  #round(): void {
    const now = performance.now();
    let isSuspicious = false;
    for (const [connection, state] of this.#connections) {
      if (connection.isBroken) {
        this.#connections.delete(connection);
        continue;
      }
      if (this.#isSucceeded(connection)) {
        connection.destroy();
        continue;
      }
      const silentMs = silenceOf(connection, now);
      if (silentMs > state.limitMs && !isExcused(state, now)) connection.destroy();
      else if (silentMs > suspectAfterMs) isSuspicious = true;
    }
    if (isSuspicious) this.#looking ??= this.#look().finally(() => this.#looked());
    else this.#rest();
    this.#judge(now);
    this.#options.onRound();
  }

  /** Others of this process have already been led to the new primary. */
  #isSucceeded({ backend }: Connection): boolean {
    return backend !== null && this.#options.succession.isSucceeded(backend);
  }

  #looked(): void {
    this.#looking = null;
  }

  #rest(): void {
    if (this.#looking) return;
    this.#own?.destroy();
    this.#own = null;
  }

  async #look(): Promise<void> {
    try {
      if (!this.#own || this.#own.isBroken) {
        this.#own = await Connection.open({ url: this.#options.url, name: 'sendonce asks', silenceMs: lookMs });
      }
      const { rows } = await this.#own.query<Session>(sessions);
      const now = performance.now();
      for (const [connection, state] of this.#connections) {
        if (silenceOf(connection, now) > suspectAfterMs) compare(connection, state, rows, now);
      }
    } catch {
      // Nothing answers: whatever was seen before ends by its limit.
    }
  }

  /** One that hangs in what holds up everybody is enough; elsewhere another connection may still work. */
  #judge(now: number): void {
    const hanging = [...this.#connections].filter(
      ([connection, { commits }]) => commits && silenceOf(connection, now) > hangsAfterMs,
    );
    const causes = hanging.map(([, state]) => (state.excusedUntil > now ? state.cause : 'server'));
    const committing = [...this.#connections.values()].filter(({ commits }) => commits);
    const cause = causes.find((one) => one === 'SyncRep' || one === 'disk') ?? null;
    const isStuck = hanging.length > 0 && hanging.length === committing.length;
    this.#tell(cause ?? (isStuck ? (causes[0] ?? 'server') : null));
  }

  #tell(cause: HangCause | null): void {
    if (cause === (this.#hang?.cause ?? null)) return;
    const since = this.#hang?.since ?? this.#options.wall() - hangsAfterMs;
    this.#hang = cause === null ? null : { cause, since };
    this.#options.onHang(this.#hang);
  }
}

/** What commits of this role hang in right now, for whoever only looks. @throws ConnectionLost; pg.DatabaseError */
export async function findHang(url: string): Promise<HangCause | null> {
  const connection = await Connection.open({ url, name: 'sendonce asks', silenceMs: lookMs });
  try {
    const { rows } = await connection.query<Session>(`${sessions} and state = 'active'
      and pid <> pg_backend_pid() and state_change < clock_timestamp() - interval '${hangsAfterMs} milliseconds'`);
    const causes = rows.map(causeOf);
    return causes.find((cause) => cause !== 'server') ?? null;
  } finally {
    connection.destroy();
  }
}

type Session = { pid: number; began: string; state: string | null; type: string | null; event: string | null };

const sessions = `select pid, backend_start::text as began, state, wait_event_type as type, wait_event as event
  from pg_stat_activity where usename = session_user and not pg_is_in_recovery()`;

/** Behind a pooler nobody can tell which session works for whom: only what holds up all of ours excuses. */
function compare(connection: Connection, state: State, rows: Session[], now: number): void {
  const { backend, isPooled } = connection;
  const own = isPooled
    ? rows.find(isWaitingForStandby)
    : rows.find((row) => backend?.began === row.began && backend.pid === row.pid);
  if (!own) {
    if (!isPooled && rows.length > 0) connection.destroy();
    return;
  }
  // Without `track_activities` no session says what it does.
  if (own.state === 'active' || own.state === null || own.state === 'disabled') {
    state.excusedUntil = now + excusedMs;
    state.cause = causeOf(own);
    state.idleSince = null;
    return;
  }
  // It owes nothing, as it sees it: its answer, or our question, is lost. A second look lets one that is on its way arrive.
  const since = connection.silentSince;
  if (state.idleSince === since) connection.destroy();
  else state.idleSince = since;
}

function isWaitingForStandby({ event }: Session): boolean {
  return event === 'SyncRep';
}

/** A read that takes too long is given up, at work or not; its first commit may wait like any other. */
function isExcused({ commits, cause, excusedUntil }: State, now: number): boolean {
  return excusedUntil > now && (commits || cause === 'SyncRep');
}

const diskEvents = /^(WAL|DataFile|SLRU|Buffile|RelationMap)/;

function causeOf({ type, event }: Session): HangCause {
  if (event === 'SyncRep') return 'SyncRep';
  if (type === 'Lock') return 'lock';
  return type === 'IO' || (type === 'LWLock' && diskEvents.test(event ?? '')) ? 'disk' : 'server';
}

function silenceOf(connection: Connection, now: number): number {
  const since = connection.silentSince;
  return since === null ? 0 : now - since;
}
