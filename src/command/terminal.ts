/** What the commands share: opening the database beside a running server, and printing tables. */

import type { Config } from '../config/config.ts';
import { databaseName, isThere, openBeside } from '../process/open-database.ts';
import type { Database } from '../store/database.ts';
import { acquireServingLock, type ServingLock } from '../store/engine/sqlite/lock.ts';
import { migrate } from '../store/migrate.ts';
import { refuseMoved } from '../store/move.ts';
import { isServed } from '../store/workers.ts';

/** A mistake of whoever typed: shown without a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/**
 * Runs with the database open; a server may be running beside, all writes are short.
 * @throws Error where the database is not there, or no server would take it.
 */
export async function withDatabase<T>(
  config: Config,
  terms: { create: boolean },
  work: (database: Database) => Promise<T>,
): Promise<T> {
  if (!terms.create && !isThere(config.database)) {
    throw new CommandError(
      `There is no database at ${databaseName(config.database)}. Start the server once, or set DATABASE_URL.`,
    );
  }
  const database = await openBeside(config.database, {
    onUnknownCommit: (error) => {
      console.error(`It is not known whether the change was stored: ${String(error)}`);
      process.exit(1);
    },
  });
  try {
    await migrateUnlessServed(config, database);
    await refuseMoved(database);
    return await work(database);
  } finally {
    await database.close();
  }
}

/** A running server has done it, and must not have its schema changed under it by a newer command line. */
async function migrateUnlessServed(config: Config, database: Database): Promise<void> {
  if (config.database.engine === 'postgres') {
    if (!(await isServed(database))) await migrate(database);
    return;
  }
  let lock: ServingLock;
  try {
    lock = acquireServingLock(config.database.path, 0);
  } catch {
    return;
  }
  await migrate(database);
  lock.release();
}

/** Columns padded to their widest cell; the last one as it is. */
export function table(head: string[], rows: string[][]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map(line)].join('\n');
}

/** `in 5 min`, `3 h ago`: near enough for a person, with the direction. */
export function relativeTime(at: number, now: number): string {
  const seconds = Math.round(Math.abs(at - now) / 1_000);
  const units: [number, string][] = [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'min'],
  ];
  const [size, unit] = units.find(([size]) => seconds >= 2 * size) ?? [1, 's'];
  const text = `${Math.round(seconds / size)} ${unit}`;
  return at > now ? `in ${text}` : `${text} ago`;
}

/** What strangers wrote must not move the cursor. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
