/** An outbox in the caller's PostgreSQL. */

import pg from 'pg';
import type { OutboxDatabase, Steps, Value } from './engine.ts';
import { outboxChannel } from './table.ts';

/** A lane holds one while it claims and settles. */
const connectionsMax = 8;

/** How often a transaction is run again that others were in the way of. */
const triesMax = 5;

/** Deadlock, and a conflict where the caller made stricter isolation the default. */
const again = new Set(['40P01', '40001']);

const listenAgainMs = 1_000;

/** `bigint`: no number here is beyond 2^53. */
const bigint = 20;

const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === bigint ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

export async function openPostgresOutbox(url: string): Promise<OutboxDatabase> {
  const pool = new pg.Pool({ connectionString: url, max: connectionsMax, application_name: 'sendonce outbox', types });
  // A connection that is lost while idle is replaced when it is needed.
  pool.on('error', () => {});
  await pool.query('select 1');
  return new PostgresOutbox(url, pool);
}

class PostgresOutbox implements OutboxDatabase {
  readonly engine = 'postgres';
  readonly skipLocked = 'for update skip locked';
  readonly among = '= any(array(select value::bigint from json_array_elements_text(?::json)))';
  readonly #url: string;
  readonly #pool: pg.Pool;
  readonly #texts = new Map<string, string>();

  constructor(url: string, pool: pg.Pool) {
    this.#url = url;
    this.#pool = pool;
  }

  async transaction<T>(steps: (now: number) => Steps<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#take(steps);
      } catch (error) {
        if (tries >= triesMax || !again.has((error as { code?: string }).code ?? '')) throw error;
      }
    }
  }

  async all<R>(sql: string, ...params: Value[]): Promise<R[]> {
    return (await this.#pool.query(this.#numbered(sql), params)).rows as R[];
  }

  onRows(listener: () => void): () => void {
    const listening = { isOver: false, client: null as pg.Client | null };
    void this.#listen(listener, listening);
    return () => {
      listening.isOver = true;
      void listening.client?.end().catch(() => {});
    };
  }

  async script(sql: string): Promise<void> {
    // Sent as one, they are one transaction.
    await this.#pool.query(sql);
  }

  time(epochMs: number): string {
    return new Date(epochMs).toISOString();
  }

  records(name: string, columns: string): string {
    return `json_to_recordset(?::json) as ${name}(${columns})`;
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #take<T>(steps: (now: number) => Steps<T>): Promise<T> {
    const client = await this.#pool.connect();
    let isBroken = true;
    try {
      await client.query('begin isolation level read committed');
      // Whatever the caller chose: which key a row goes out under must outlive a power cut.
      const { rows } = await client.query<{ now: number }>(beginning);
      const taken = steps(rows[0]?.now ?? Date.now());
      let step = taken.next();
      while (!step.done) {
        const { sql, params, wants } = step.value;
        const answer = await client.query(this.#numbered(sql), params);
        step = taken.next(wants === 'rows' ? answer.rows : (answer.rowCount ?? 0));
      }
      await client.query('commit');
      isBroken = false;
      return step.value;
    } catch (error) {
      isBroken = !(await client.query('rollback').then(
        () => true,
        () => false,
      ));
      throw error;
    } finally {
      client.release(isBroken);
    }
  }

  /** Behind a pooler that hands connections round nothing is heard, and polling has to do. */
  async #listen(listener: () => void, listening: { isOver: boolean; client: pg.Client | null }): Promise<void> {
    if (listening.isOver) return;
    const client = new pg.Client({ connectionString: this.#url, application_name: 'sendonce outbox', keepAlive: true });
    listening.client = client;
    const ended = new Promise<void>((resolve) => {
      client.on('end', resolve);
      client.on('error', () => resolve());
    });
    client.on('notification', listener);
    try {
      await client.connect();
      await client.query(`listen ${outboxChannel}`);
      // What came while nobody listened.
      listener();
      await ended;
    } catch {
      // Tried again below, like a connection that ended.
    }
    await client.end().catch(() => {});
    if (!listening.isOver) setTimeout(() => void this.#listen(listener, listening), listenAgainMs).unref();
  }

  /** `?` to `$1`, `$2`, …: no text here has a question mark of its own. */
  #numbered(sql: string): string {
    const known = this.#texts.get(sql);
    if (known) return known;
    let count = 0;
    const text = sql.replace(/\?/g, () => `$${++count}`);
    this.#texts.set(sql, text);
    return text;
  }
}

const beginning = `select (extract(epoch from clock_timestamp()) * 1000)::bigint as now,
  case when current_setting('synchronous_commit') = 'off' then set_config('synchronous_commit', 'on', true) end as durable`;
