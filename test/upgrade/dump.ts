/** A database as one file that a test can bring back: a SQLite file, or SQL that `pg` alone can run. */

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import Sqlite from 'better-sqlite3';
import pg from 'pg';

/** As it stands in a crash at this moment: while a server serves it. */
export async function dumpSqlite(path: string, target: string): Promise<void> {
  const source = new Sqlite(path, { readonly: true });
  await source.backup(`${path}.copy`);
  source.close();
  const copy = new Sqlite(`${path}.copy`);
  copy.pragma('journal_mode = delete');
  copy.exec('vacuum');
  copy.close();
  keep(target, readFileSync(`${path}.copy`));
}

/** The statements of the checkout's own migrations, then all rows, as one moment sees them. */
export async function dumpPostgres(url: string, checkout: string, target: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('begin isolation level repeatable read read only');
  const { rows: tables } = await client.query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public' order by table_name",
  );
  const lines = await schemaOf(checkout);
  for (const { name } of tables) lines.push(...(await rowsOf(client, name)));
  await client.end();
  keep(target, `${lines.join(';\n')};\n`);
}

export function keep(target: string, content: string | Uint8Array): void {
  writeFileSync(target, gzipSync(content, { level: 9 }));
}

/** What its migrations run on an empty database. */
async function schemaOf(checkout: string): Promise<string[]> {
  const { migrate } = await import(pathToFileURL(join(checkout, 'build/src/store/migrate.js')).href);
  const statements: string[] = [];
  const recording = {
    all: async () => [],
    run: async (sql: string) => {
      if (/^(create|alter)/i.test(sql)) statements.push(sql);
      return 0;
    },
  };
  await migrate({ engine: 'postgres', write: (work: (tx: typeof recording) => unknown) => work(recording) });
  return statements;
}

async function rowsOf(client: pg.Client, table: string): Promise<string[]> {
  const { rows: columns } = await client.query<{ name: string; serial: boolean }>(
    `select column_name as name, is_identity = 'YES' as serial from information_schema.columns
     where table_schema = 'public' and table_name = $1 order by ordinal_position`,
    [table],
  );
  const names = columns.map(({ name }) => name);
  // As text, which every type reads again.
  const { rows } = await client.query<Record<string, string | null>>(
    `select ${names.map((name) => `${name}::text`).join(', ')} from ${table}`,
  );
  const values = rows.map((row) => `(${names.map((name) => literal(client, row[name] ?? null)).join(', ')})`);
  const inserts = values.map(
    (one) => `insert into ${table} (${names.join(', ')}) overriding system value values ${one}`,
  );
  const [serial] = columns.filter((column) => column.serial);
  if (!serial || rows.length === 0) return inserts;
  const next = `select setval(pg_get_serial_sequence('${table}', '${serial.name}'), (select max(${serial.name}) from ${table}))`;
  return [...inserts, next];
}

function literal(client: pg.Client, value: string | null): string {
  return value === null ? 'null' : client.escapeLiteral(value);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
