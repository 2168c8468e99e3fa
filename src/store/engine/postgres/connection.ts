/** One connection to PostgreSQL: statements of one turn leave together, and their answers come in order. */

import { Socket } from 'node:net';
import pg from 'pg';
import type { SqlValue } from '../../database.ts';
import { plainFacts, refuseUnfit, type ServerFacts, ServerRefused, serverFacts } from './server-facts.ts';

export type Answered<R> = { rows: R[]; count: number; command: string };

export type ConnectionOptions = {
  url: string;
  /** Shown in pg_stat_activity. */
  name: string;
  /** A statement without an answer for so long ends the connection; null: never, or a `Watch` sees to it. */
  silenceMs: number | null;
  /** Told before the connection is open, so that silence is noticed from the start. */
  onOpening?: (connection: Connection) => void;
};

/** A proxy may take connections for a server that has vanished: who waits longer there misses that another has taken over. */
const connectTimeoutMs = 2_500;

/** An idle connection whose other end has vanished is noticed some ten seconds after that. */
const keepAliveAfterMs = 5_000;

/** How long a server may promise less, or more, than it did before anybody notices. */
const inspectEveryMs = 1_000;

/** Texts that are kept prepared: more than the program has; lists of varying length must not fill the server's memory. */
const preparedMax = 300;

/** `bigint` and sums of it: nothing we store is beyond 2^53. */
const numbers = new Set([20, 1700]);

const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    numbers.has(oid) ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

export class Connection {
  readonly #client: pg.Client;
  readonly #socket: Socket;
  readonly #prepared = new Map<string, string>();
  #corked = false;
  #broken: ConnectionLost | null = null;
  /** Behind a pooler each transaction may meet another server process: what one has prepared the next does not know. */
  #pooled = true;
  #facts: ServerFacts | null = null;
  #inspectedAt = 0;
  #unanswered = 0;
  /** The last time anything was heard, or was asked of a connection that owed no answer. */
  #heardAt = performance.now();
  #warnings = 0;

  private constructor(client: pg.Client, socket: Socket) {
    this.#client = client;
    this.#socket = socket;
    client.on('error', (error) => this.#break(error));
    client.on('end', () => this.#break(new Error('the connection ended')));
    client.on('notice', () => {
      this.#warnings += 1;
    });
    socket.on('data', () => {
      this.#heardAt = performance.now();
    });
  }

  /** @throws pg.DatabaseError; ConnectionLost; ServerRefused where the promise could not be kept on it. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const socket = new Socket();
    const client = new pg.Client({
      connectionString: options.url,
      application_name: options.name,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: keepAliveAfterMs,
      pipeline: true,
      stream: () => socket,
      types,
      ...(options.silenceMs === null ? {} : { query_timeout: options.silenceMs }),
    });
    const connection = new Connection(client, socket);
    options.onOpening?.(connection);
    try {
      await client.connect();
      await connection.#inspect(true);
      return connection;
    } catch (error) {
      connection.destroy();
      if (error instanceof pg.DatabaseError || error instanceof ServerRefused) throw error;
      throw new ConnectionLost(error, 'PostgreSQL cannot be reached');
    }
  }

  get isBroken(): boolean {
    return this.#broken !== null;
  }

  /** Another process answers than the one that was connected to: a pooler stands between. */
  get isPooled(): boolean {
    return this.#pooled;
  }

  /** What the server said of itself when it was last asked. */
  get facts(): ServerFacts {
    if (!this.#facts) throw new ConnectionLost('it is not open yet');
    return this.#facts;
  }

  /** The process that answers, as far as it has said who it is. */
  get backend(): ServerFacts | null {
    return this.#facts;
  }

  /** Since when answers are owed and nothing was heard; null where none are. */
  get silentSince(): number | null {
    return this.#unanswered === 0 || this.#broken ? null : this.#heardAt;
  }

  onNotification(listener: (payload: string) => void): void {
    this.#client.on('notification', ({ payload }) => listener(payload ?? ''));
  }

  /**
   * Statements are sent at once, whether or not earlier ones were answered; several without parameters in one text are fine.
   * @throws pg.DatabaseError, or ConnectionLost.
   */
  async query<R>(sql: string, params: SqlValue[] = []): Promise<Answered<R>> {
    if (this.#broken) throw this.#broken;
    this.#cork();
    if (this.#unanswered === 0) this.#heardAt = performance.now();
    this.#unanswered += 1;
    try {
      const { rows, rowCount, command } = await this.#client.query(this.#statement(sql, params));
      return { rows: rows as R[], count: rowCount ?? 0, command };
    } catch (error) {
      if (error instanceof pg.DatabaseError) throw error;
      this.#break(error);
      throw new ConnectionLost(error);
    } finally {
      this.#unanswered -= 1;
    }
  }

  /**
   * Ends the transaction. False: it was undone. Where the wait for a standby is called off the server says COMMIT all the same,
   * with a warning before it: the rows can be seen, and the next primary may not have them.
   * @throws NotWaitedFor; pg.DatabaseError; ConnectionLost
   */
  async commit(): Promise<boolean> {
    const warnings = this.#warnings;
    const { command } = await this.query('commit');
    if (this.#warnings !== warnings) throw new NotWaitedFor();
    return command === 'COMMIT';
  }

  async close(): Promise<void> {
    if (!this.#broken) await this.#client.end();
  }

  destroy(): void {
    this.#break(new Error('the connection was given up'));
    this.#socket.destroy();
  }

  #break(cause: unknown): void {
    this.#broken ??= new ConnectionLost(cause);
  }

  /** One write to the socket for all that this turn of the event loop asks. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#corked = false;
      this.#socket.uncork();
    });
  }

  #statement(sql: string, params: SqlValue[]): pg.QueryConfig {
    const text = numbered(sql);
    const name = params.length === 0 ? null : this.#nameOf(sql);
    return { text, values: params.map(toParameter), ...(name === null ? {} : { name }) };
  }

  #nameOf(sql: string): string | null {
    if (this.#pooled) return null;
    let name = this.#prepared.get(sql);
    if (name === undefined && this.#prepared.size < preparedMax) {
      name = `s${this.#prepared.size}`;
      this.#prepared.set(sql, name);
    }
    return name ?? null;
  }

  /** Now and then: settings may be changed while the server runs. @throws ServerRefused, with the connection given up. */
  async recheck(): Promise<void> {
    if (performance.now() - this.#inspectedAt < inspectEveryMs) return;
    try {
      await this.#inspect(false);
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  async #inspect(isNew: boolean): Promise<void> {
    const facts = await this.#ask();
    this.#inspectedAt = performance.now();
    refuseUnfit(facts, isNew);
    this.#facts = facts;
    const connectedTo = (this.#client as unknown as { processID: number | null }).processID;
    this.#pooled = facts.pid !== connectedTo;
  }

  async #ask(): Promise<ServerFacts> {
    const { rows } = await this.query<ServerFacts>(serverFacts).catch((error: unknown) => {
      if (!(error instanceof pg.DatabaseError) || !noSuchFacts.has(error.code ?? '')) throw error;
      return this.query<ServerFacts>(plainFacts);
    });
    const [facts] = rows;
    if (!facts) throw new Error('the server does not answer');
    return facts;
  }
}

/** Undefined function; insufficient privilege. */
const noSuchFacts = new Set(['42883', '42501']);

/** The server says that the transaction has committed, and that it has not waited for the standbys it should wait for. */
export class NotWaitedFor extends Error {
  override readonly name = 'NotWaitedFor';

  constructor() {
    super('The wait for a standby was called off: a commit may be missing on the next primary.');
  }
}

/** The way to the server is gone, and with it what was under way. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';

  constructor(cause: unknown, what = 'The connection to PostgreSQL is gone') {
    super(`${what}: ${reasonOf(cause)}`, { cause });
  }
}

/** Where a name has several addresses and none answers, Node's error has no message but theirs. */
function reasonOf(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(reasonOf).join(', ');
  return cause instanceof Error ? cause.message : String(cause);
}

const numberedTexts = new Map<string, string>();

/** `?` to `$1`, `$2`, …, but not within quotes. */
function numbered(sql: string): string {
  let text = numberedTexts.get(sql);
  if (text === undefined) {
    let count = 0;
    text = sql.replace(/'[^']*'|\?/g, (part) => {
      if (part !== '?') return part;
      count += 1;
      return `$${count}`;
    });
    if (numberedTexts.size < preparedMax) numberedTexts.set(sql, text);
  }
  return text;
}

/** PostgreSQL's text refuses NUL, which a relay's reply or a path may hold. */
function toParameter(value: SqlValue): SqlValue {
  return typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\ufffd') : value;
}
