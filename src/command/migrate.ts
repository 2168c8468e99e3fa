/** `sendonce migrate`: brings the schema up to date without starting the server, or moves everything to another database. */

import type { Config } from '../config/config.ts';
import { type DatabaseSetting, parseDatabaseUrl } from '../config/database-url.ts';
import { databaseName, isThere, openServed } from '../process/open-database.ts';
import type { Database } from '../store/database.ts';
import { migrate } from '../store/migrate.ts';
import { beginMove, type Compared, copyAll, endMove, type MoveProgress, refuseMoved } from '../store/move.ts';
import { isServed } from '../store/workers.ts';
import { CommandError, table } from './terminal.ts';

export type MigrateFlags = { from?: string; to?: string };

export async function migrateCommand(config: Config, { from, to }: MigrateFlags): Promise<void> {
  if (from !== undefined || to !== undefined) return move(parseSide('from', from), targetOf(config, to));
  const { database, release } = await openServed(config.database, options);
  try {
    const ran = await migrate(database, { onWait: () => console.error(waits) });
    await refuseMoved(database);
    console.log(ran.length === 0 ? 'The schema is up to date.' : `Applied ${ran.join(', ')}.`);
  } finally {
    await database.close();
    release();
  }
}

const waits = 'Processes of an older version serve this database: they are waited for, a minute at most.';

const options = {
  onUnknownCommit: (error: unknown) => {
    throw error;
  },
};

const engines = { from: 'sqlite', to: 'postgres' } as const;
const forms = {
  from: 'sqlite:PATH, as in sqlite:./data/sendonce.db',
  to: 'postgres://user:password@host/database',
} as const;

function parseSide(side: 'from' | 'to', text: string | undefined): DatabaseSetting {
  const setting = parseDatabaseUrl(text ?? '');
  if (setting?.engine === engines[side]) return setting;
  // What was typed is not repeated: it may have a password in it.
  const problem = text === undefined ? `--${side} is missing: it must be` : `--${side} must be`;
  throw new CommandError(
    `${problem} ${forms[side]}.\nUsage: sendonce migrate --from sqlite:PATH --to postgres://user:password@host/database`,
  );
}

/** Where none is named, the database of the settings: those are not in everybody's `ps`. */
function targetOf({ database }: Config, to: string | undefined): DatabaseSetting {
  return to === undefined && database.engine === 'postgres' ? database : parseSide('to', to);
}

async function move(from: DatabaseSetting, to: DatabaseSetting): Promise<void> {
  if (!isThere(from)) throw new CommandError(`There is no database at ${databaseName(from)}.`);
  // Holds the lock of whoever serves it.
  const source = await openServed(from, options);
  const target = await openServed(to, options);
  const bar = createBar();
  const interrupt = () => {
    bar.end();
    console.error('Interrupted. Run the same command again: it goes on from here.');
    process.exit(interruptedStatus);
  };
  process.on('SIGINT', interrupt);
  let compared: Compared[];
  try {
    await migrate(source.database);
    await refuseServed(target.database);
    await migrate(target.database);
    await beginMove(source.database, target.database, databaseName(from));
    // Once more: a server that started meanwhile has not seen the mark, and has said that it lives.
    await refuseServed(target.database);
    await copyAll(source.database, target.database, bar.show);
    compared = await endMove(source.database, target.database, databaseName(to));
  } finally {
    process.off('SIGINT', interrupt);
    bar.end();
    await target.database.close();
    await source.database.close();
    source.release();
  }
  const rows = compared.map((one) => [one.table, String(one.here), String(one.there)]);
  console.log(`${table(['TABLE', 'ROWS', 'ARRIVED'], rows)}\n`);
  console.log(`Everything is in ${databaseName(to)} now. Start the server with that DATABASE_URL.`);
}

/** What a shell makes of a command that SIGINT ended. */
const interruptedStatus = 130;

async function refuseServed(database: Database): Promise<void> {
  if (await isServed(database)) throw new CommandError('The target is being served: stop its processes first.');
}

const barWidth = 30;

/** On a terminal one line that is drawn again; otherwise a line for each table that has arrived. */
function createBar() {
  let isDrawn = false;
  return {
    show({ table, isTableDone, done, total }: MoveProgress): void {
      const part = total === 0 ? 1 : done / total;
      const bar = '█'.repeat(Math.round(part * barWidth)).padEnd(barWidth, '░');
      const line = `${bar} ${Math.floor(part * 100)} % ${table}`;
      if (!process.stderr.isTTY) return void (isTableDone && process.stderr.write(`${line}\n`));
      process.stderr.write(`\r\x1b[K${line}`);
      isDrawn = true;
    },
    /** What is printed next begins a line. */
    end(): void {
      if (isDrawn) process.stderr.write('\n');
      isDrawn = false;
    },
  };
}
