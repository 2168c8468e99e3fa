/** Opens the database of the settings, whichever engine it is, for a server or beside one. */

import { existsSync } from 'node:fs';
import type { DatabaseSetting } from '../config/database-url.ts';
import { log } from '../log.ts';
import type { Database } from '../store/database.ts';
import type { PostgresOptions } from '../store/engine/postgres/postgres.ts';
import type { Hearing } from '../store/engine/postgres/signals.ts';
import { acquireServingLock } from '../store/engine/sqlite/lock.ts';
import { openSqlite, type SqliteOptions } from '../store/engine/sqlite/sqlite.ts';

export type OpenOptions = Omit<SqliteOptions, 'path'> &
  Pick<PostgresOptions, 'assumeLostCommits' | 'onHearing' | 'onArrival' | 'onHang'>;

/** Whoever types a command is there to type it again. */
const besidePatienceMs = 3_000;

/** `release` lets others serve a database that only one process may serve; to be called once it is closed. */
export type Served = { database: Database; release(): void };

/** @throws Error when another process serves a database that takes one only, or when it cannot be used. */
export async function openServed(setting: DatabaseSetting, options: OpenOptions): Promise<Served> {
  if (setting.engine === 'postgres') {
    const { assumeLostCommits, onArrival, onHang, onHearing = noteHearing } = options;
    const chosen = { ...setting, assumeLostCommits, onArrival, onHang, onHearing };
    return { database: await openPostgres(chosen), release: () => {} };
  }
  const { release } = acquireServingLock(setting.path);
  try {
    return { database: openSqlite({ ...options, path: setting.path }), release };
  } catch (error) {
    release();
    throw error;
  }
}

/** Loaded where it is asked for: a server on SQLite would hold 10 MB for a client of PostgreSQL that it never uses. */
async function openPostgres(options: PostgresOptions): Promise<Database> {
  const engine = await import('../store/engine/postgres/postgres.ts');
  return engine.openPostgres(options);
}

/** For short reads and writes while a server may be running. */
export async function openBeside(setting: DatabaseSetting, options: OpenOptions): Promise<Database> {
  if (setting.engine === 'postgres') return openPostgres({ ...setting, startPatienceMs: besidePatienceMs });
  return openSqlite({ ...options, path: setting.path });
}

/** Known before it is opened, which would make a SQLite file. */
export function isThere(setting: DatabaseSetting): boolean {
  return setting.engine === 'postgres' || existsSync(setting.path);
}

/** For people: a path, or host and database without the password. */
export function databaseName(setting: DatabaseSetting): string {
  if (setting.engine === 'sqlite') return setting.path;
  try {
    const { host, pathname, searchParams } = new URL(setting.url);
    return `${host || (searchParams.get('host') ?? '')}${pathname}`;
  } catch {
    return 'PostgreSQL';
  }
}

function noteHearing(hearing: Hearing): void {
  const why = whyNotHeard(hearing);
  if (why === null) log.wakeUpsBack();
  else log.wakeUpsLost(why);
}

function whyNotHeard(hearing: Hearing): string | null {
  switch (hearing.state) {
    case 'works':
      return null;
    case 'pooled':
      return 'a pooler stands between: DATABASE_LISTEN_URL must lead straight to PostgreSQL';
    case 'elsewhere':
      return 'DATABASE_LISTEN_URL leads to another database than DATABASE_URL';
    case 'fails':
      return (hearing.cause as Error).message;
  }
}
