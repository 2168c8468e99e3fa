/** Which engine test servers stand on: SQLite, unless the test file says otherwise before it loads the tests. */

import { copyFileSync } from 'node:fs';
import { parseDatabaseUrl } from '../../src/config/database-url.ts';
import { openBeside } from '../../src/process/open-database.ts';
import type { Database } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { sharedPostgres } from './postgres-server.ts';
import { createTemp, type Temp } from './temp.ts';

let engine: Database['engine'] = 'sqlite';

export function useEngine(chosen: Database['engine']): void {
  engine = chosen;
}

export function chosenEngine(): Database['engine'] {
  return engine;
}

/** What `it` and `describe` take of a test that is about a file, or about one process that serves alone. */
export function onlyOnSqlite(because: string): { skip: string | false } {
  return { skip: engine !== 'sqlite' && because };
}

/** The URL of a database of its own. */
export async function newDatabaseUrl(temp: Temp): Promise<string> {
  if (engine === 'sqlite') return `sqlite:${temp.path('test.db')}`;
  return (await sharedPostgres()).createDatabase();
}

/** The URL of a database of its own that has its schema: a copy takes a third of the time that all migrations take. */
export async function newMigratedUrl(temp: Temp): Promise<string> {
  return engine === 'postgres' ? newMigratedPostgres() : newMigratedFile(temp.path('test.db'));
}

/** The same on SQLite, whichever engine test servers stand on. */
export async function newMigratedFile(path: string): Promise<string> {
  migratedFile ??= makeMigrated('sqlite');
  copyFileSync(pathOf(await migratedFile), path);
  return `sqlite:${path}`;
}

/** The same on PostgreSQL, whichever engine test servers stand on. */
export async function newMigratedPostgres(): Promise<string> {
  migratedPostgres ??= makeMigrated('postgres');
  const like = await migratedPostgres;
  return (await sharedPostgres()).createDatabase(like);
}

/** Of this process, made when one is first asked for. */
let migratedFile: Promise<string> | null = null;
let migratedPostgres: Promise<string> | null = null;

async function makeMigrated(on: Database['engine']): Promise<string> {
  const temp = createTemp();
  process.once('exit', temp.remove);
  const url = on === 'sqlite' ? `sqlite:${temp.path('migrated.db')}` : await (await sharedPostgres()).createDatabase();
  const database = await openDatabase(url);
  await migrate(database);
  await database.close();
  return url;
}

function pathOf(url: string): string {
  return url.slice('sqlite:'.length);
}

/** For one made here, once its test is over. A file goes with its folder. */
export async function discardDatabase(url: string): Promise<void> {
  if (!url.startsWith('sqlite:')) (await sharedPostgres()).discardDatabase(url);
}

/** Beside whoever serves it, as the command line does. */
export async function openDatabase(url: string): Promise<Database> {
  const setting = parseDatabaseUrl(url);
  if (!setting) throw new Error(`not a database: ${url}`);
  return openBeside(setting, {
    onUnknownCommit: (cause) => {
      throw cause;
    },
  });
}
