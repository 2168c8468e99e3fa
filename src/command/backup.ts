/** `sendonce backup` and `sendonce restore`: a copy of a SQLite database while it is served, and putting one back. */

import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import type { DatabaseSetting } from '../config/database-url.ts';
import { isBehind } from '../process/restore-guard.ts';
import { copyDatabase, findDamage, readFrom, replaceDatabase } from '../store/engine/sqlite/copies.ts';
import { acquireServingLock } from '../store/engine/sqlite/lock.ts';
import { findProgress, type Progress } from '../store/progress.ts';
import { holdRestored } from '../use-cases/hold.ts';
import { CommandError, withDatabase } from './terminal.ts';
import { UsageError } from './usage.ts';

type BackupFlags = { force?: boolean };

export async function backup(config: Config, [file]: string[], { force }: BackupFlags): Promise<void> {
  const { path } = sqliteOf(
    config,
    'Make it with PostgreSQL’s own tools: pg_dump while it runs, or pg_basebackup with archived WAL.',
  );
  if (!file) throw new UsageError('Usage: sendonce backup FILE');
  if (!existsSync(path)) throw new CommandError(`There is no database at ${path}. Set DATABASE_URL.`);
  if (existsSync(file) && !force)
    throw new CommandError(`${file} is there already: name another file, or add --force.`);
  await copyDatabase(path, file, showProgress);
  const damage = await findDamage(file);
  if (damage !== null) throw new CommandError(`${file} is damaged, and so may the database be: ${damage}.`);
  console.log(`${file}: ${describe(await progressOf(file))}, ${megabytes(file)} MB, checked.`);
  console.log('Keep it apart from STATE_DIR, which has the secret key and notices a database that went back in time.');
}

export async function restore(config: Config, [file]: string[], { force }: BackupFlags): Promise<void> {
  const { path } = sqliteOf(
    config,
    'Restore it with PostgreSQL’s own tools (pg_restore, or a base backup), then start: docs/operations.md.',
  );
  if (!file) throw new UsageError('Usage: sendonce restore FILE');
  if (!existsSync(file)) throw new CommandError(`There is no file ${file}.`);
  if (resolve(file) === resolve(path)) throw new CommandError(`${file} is the database itself.`);
  const lock = acquireServingLock(path, 0);
  try {
    await refuseDamaged(file);
    if (!force) await refuseNewer(path, file);
    let held = 0;
    const kept = await replaceDatabase(path, file, async (copy) => {
      held = await holdAll({ ...config, database: { engine: 'sqlite', path: copy } });
    });
    if (kept) console.log(`What was there is kept as ${kept}.`);
    console.log(outcomeOf(held));
  } finally {
    lock.release();
  }
}

function holdAll(config: Config): Promise<number> {
  const reason = 'A backup was restored: whether this has left since is not known.';
  return withDatabase(config, { create: false }, (database) => holdRestored(database, database.wall(), reason));
}

async function refuseDamaged(file: string): Promise<void> {
  const damage = await findDamage(file);
  if (damage !== null) throw new CommandError(`${file} cannot be restored: ${damage}.`);
  if ((await progressOf(file)) === null) throw new CommandError(`${file} is not a database that Sendonce has served.`);
}

function outcomeOf(held: number): string {
  const keys = 'Requests accepted since the backup are forgotten: a retry of one sends anew.';
  if (held === 0) return `Restored. Nothing in it waited to be sent. ${keys}`;
  return `Restored. ${held} deliveries may have left since the backup was made, and are held.\n${keys}\nStart the server, see sendonce queue, and answer with sendonce queue settle EMAIL|all sent|send-again|abandon.`;
}

function sqliteOf({ database }: Config, otherwise: string): DatabaseSetting & { engine: 'sqlite' } {
  if (database.engine === 'sqlite') return database;
  throw new CommandError(`This is for SQLite. ${otherwise}`);
}

async function refuseNewer(path: string, file: string): Promise<void> {
  const current = existsSync(path) ? await progressOf(path) : null;
  const copy = await progressOf(file);
  if (!current || !copy) return;
  if (current.databaseId !== copy.databaseId)
    throw new CommandError(`${path} is another database than the one the backup was made of: --force replaces it.`);
  if (!isBehind(copy, current)) return;
  const more = current.eventId - copy.eventId;
  throw new CommandError(
    `${path} is newer than the backup, by ${more} events: what was accepted since would be forgotten. Add --force where that is meant.`,
  );
}

/** Null where no server has ever been started on it. */
async function progressOf(path: string): Promise<Progress | null> {
  const isOurs = "select name from sqlite_schema where name = 'settings'";
  return readFrom(path, async (reader) => ((await reader.all(isOurs)).length === 0 ? null : findProgress(reader)));
}

function describe(progress: Progress | null): string {
  return progress ? `${progress.eventId} events` : 'a database that was never served';
}

function megabytes(file: string): number {
  return Math.ceil(statSync(file).size / 1024 / 1024);
}

/** On a terminal only, in place. */
function showProgress(share: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${Math.round(share * 100)} %${share === 1 ? '\n' : ''}`);
}
