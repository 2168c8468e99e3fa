/** `sendonce migrate`: brings the schema up to date without starting the server, or moves everything to another database. */

import { type Config, type DatabaseSetting, parseDatabaseUrl } from '../config.ts';
import { databaseName, isThere, openServed } from '../open-database.ts';
import type { Database } from '../store/database.ts';
import { migrate } from '../store/migrate.ts';
import { beginMove, copyAll, endMove, type MoveProgress } from '../store/move.ts';
import { isServed } from '../store/workers.ts';
import { CommandError } from './terminal.ts';

export type MigrateFlags = { from?: string; to?: string };

export async function migrateCommand(config: Config, { from, to }: MigrateFlags): Promise<void> {
  if (from !== undefined || to !== undefined) return move(parseSide('from', from), parseSide('to', to));
  const { database, release } = await openServed(config.database, options);
  const ran = await migrate(database);
  await database.close();
  release();
  console.log(ran.length === 0 ? 'The schema is up to date.' : `Applied ${ran.join(', ')}.`);
}

const options = {
  onUnknownCommit: (error: unknown) => {
    throw error;
  },
};

const engines = { from: 'sqlite', to: 'postgres' } as const;

function parseSide(side: 'from' | 'to', text: string | undefined): DatabaseSetting {
  const setting = parseDatabaseUrl(text ?? '');
  if (setting?.engine === engines[side]) return setting;
  throw new CommandError('Usage: sendonce migrate --from sqlite:PATH --to postgres://user:password@host/database');
}

async function move(from: DatabaseSetting, to: DatabaseSetting): Promise<void> {
  if (!isThere(from)) throw new CommandError(`There is no database at ${databaseName(from)}.`);
  // Holds the lock of whoever serves it.
  const source = await openServed(from, options);
  const target = await openServed(to, options);
  try {
    await migrate(source.database);
    await refuseServed(target.database);
    await migrate(target.database);
    await beginMove(source.database, target.database, databaseName(from));
    // Once more: a server that started meanwhile has not seen the mark, and has said that it lives.
    await refuseServed(target.database);
    await copyAll(source.database, target.database, createBar());
    await endMove(source.database, target.database, databaseName(to));
  } finally {
    await target.database.close();
    await source.database.close();
    source.release();
  }
  console.log(`Everything is in ${databaseName(to)} now. Start the server with that DATABASE_URL.`);
}

async function refuseServed(database: Database): Promise<void> {
  if (await isServed(database)) throw new CommandError('The target is being served: stop its processes first.');
}

const barWidth = 30;

/** On a terminal one line that is drawn again; otherwise a line for each table. */
function createBar(): (progress: MoveProgress) => void {
  let lastTable = '';
  return ({ table, done, total }) => {
    const part = total === 0 ? 1 : Math.min(1, done / total);
    const isNew = table !== lastTable;
    lastTable = table;
    const bar = '█'.repeat(Math.round(part * barWidth)).padEnd(barWidth, '░');
    const line = `${bar} ${Math.floor(part * 100)} % ${table}`;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}${part === 1 ? '\n' : ''}`);
    else if (isNew) process.stderr.write(`${line}\n`);
  };
}
