/** What the database of a life says, read from outside by whoever examines it. */

import { existsSync } from 'node:fs';
import pg from 'pg';
import type { DeliveryState } from '../../src/core/delivery-state.ts';
import { never } from '../../src/store/mail/deliveries.ts';
import { readColumn, readRows, readRowsAtOnce } from './program.ts';

export type Books = {
  /** As DATABASE_URL has it. */
  readonly url: string;
  rows<R>(sql: string): Promise<R[]>;
  /** Several at one moment: a living server may hear of a late verdict between two reads. */
  rowsAtOnce<R extends readonly unknown[]>(
    sqls: { [Index in keyof R]: string },
  ): Promise<{ [Index in keyof R]: R[Index][] }>;
  /** A program that was killed before its first commit has left no schema yet, or no file. */
  hasSchema(): Promise<boolean>;
  /** The highest id an event has been given, whether or not it is to be seen yet. */
  lastEventGiven(): Promise<number>;
  /** What the engine itself finds broken. */
  faults(): Promise<string[]>;
};

export function sqliteBooks(path: string): Books {
  return {
    url: `sqlite:${path}`,
    rows: async <R>(sql: string) => readRows<R>(path, sql),
    rowsAtOnce: async (sqls) => readRowsAtOnce(path, sqls) as never,
    hasSchema: async () =>
      existsSync(path) && readColumn(path, `select name from sqlite_master where name = 'deliveries'`).length > 0,
    lastEventGiven: async () => Number(readColumn(path, 'select coalesce(max(id), 0) from events')[0]),
    faults: async () => readColumn(path, 'pragma integrity_check').filter((word) => word !== 'ok'),
  };
}

/**
 * `url` tells where the database is now. `processesUrl` is what the processes are given: another way to it, through what may
 * break.
 */
export function postgresBooks(url: () => string, processesUrl: string): Books {
  const rows = <R>(sql: string) => askPostgres<R>(url(), sql);
  return {
    url: processesUrl,
    rows,
    rowsAtOnce: (sqls) => askPostgresAtOnce(url(), sqls) as never,
    hasSchema: async () => {
      const [found] = await rows<{ it: string | null }>(`select to_regclass('deliveries')::text as it`);
      return typeof found?.it === 'string';
    },
    async lastEventGiven() {
      const [given] = await rows<{ last_value: number }>('select last_value from events_id_seq');
      return given?.last_value ?? 0;
    },
    faults: () => amcheck(url()),
  };
}

/** Email ids of the deliveries in some states. */
export async function deliveriesIn(books: Books, ...states: DeliveryState[]): Promise<string[]> {
  const listed = states.map((state) => `'${state}'`).join();
  const rows = await books.rows<{ email_id: string }>(`select email_id from deliveries where state in (${listed})`);
  return rows.map((row) => row.email_id);
}

/** Events that name relays which were passed over. */
export async function countFailovers(books: Books): Promise<number> {
  const [row] = await books.rows<{ n: number }>(`select count(*) as n from events where detail like '%"passed_over"%'`);
  return Number(row?.n ?? 0);
}

/** What the program will still do something about by itself, repeats at an upstream among it; a doubt that waits for a person is not. */
export async function underWayIn(books: Books): Promise<{ email: string; state: DeliveryState }[]> {
  return books.rows(`select email_id as email, state from deliveries
    where state in ('queued', 'sending', 'handoff') or (state = 'in_doubt' and (run_at < ${never} or repeat_until is not null))`);
}

/** `bigint`: nothing we store is beyond 2^53. */
const bigintOid = 20;
const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === bigintOid ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

/** By a connection of its own, which sees what has committed by now. */
async function askPostgres<R>(url: string, sql: string): Promise<R[]> {
  const [rows = []] = await askPostgresAtOnce(url, [sql]);
  return rows as R[];
}

async function askPostgresAtOnce(url: string, sqls: readonly string[]): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: url, types });
  client.on('error', () => {});
  await client.connect();
  try {
    if (sqls.length > 1) await client.query('begin isolation level repeatable read read only');
    const found: unknown[][] = [];
    for (const sql of sqls) found.push((await client.query(sql)).rows);
    return found;
  } finally {
    await client.end();
  }
}

/** Every table's pages, and every index against its table (amcheck). */
async function amcheck(url: string): Promise<string[]> {
  const tables = `
    select c.relname || ': ' || found.msg as fault from pg_class c cross join lateral verify_heapam(c.oid) as found
    where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace`;
  const indexes = `
    select bt_index_check(index => c.oid, heapallindexed => true)
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
    where a.amname = 'btree' and c.relnamespace = 'public'::regnamespace and i.indisvalid`;
  try {
    await askPostgres(url, 'create extension if not exists amcheck');
    await askPostgres(url, indexes);
    return (await askPostgres<{ fault: string }>(url, tables)).map(({ fault }) => fault);
  } catch (error) {
    return [String(error)];
  }
}
