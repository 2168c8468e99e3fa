/** Copies of a SQLite database, one file each: made while it is served, checked, and put in its place. */

import { chmodSync, closeSync, copyFileSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import type { Reader, SqlValue } from '../../database.ts';
import { explained, isDamage } from './trouble.ts';

/** What SQLite and we keep beside a file. */
const endings = ['', '-wal', '-shm', '-journal', '.lock'];

/** Some 40 MB: a few steps a second, so that whoever waits can be told how far it is. */
const pagesAtATime = 10_000;

/**
 * Copies what is committed now, whatever is written meanwhile; the file appears under its name only once it is whole and synced.
 * @param onProgress told a share from 0 to 1.
 */
export async function copyDatabase(from: string, to: string, onProgress: (share: number) => void): Promise<void> {
  const half = `${to}.part`;
  rmSync(half, { force: true });
  const source = new Sqlite(from, { fileMustExist: true, timeout: 5_000 });
  try {
    // One moment for all steps: without it, SQLite begins anew whenever the server has written something between two of them.
    source.exec('begin');
    source.prepare('select 1 from sqlite_schema limit 1').get();
    await source.backup(half, {
      progress({ totalPages, remainingPages }) {
        onProgress(1 - remainingPages / Math.max(1, totalPages));
        return pagesAtATime;
      },
    });
  } finally {
    source.close();
  }
  makeSingle(half);
  renameSync(half, to);
  syncFolder(to);
}

/** Looks into a file and changes nothing about it. @throws whatever SQLite has against it. */
export async function readFrom<T>(path: string, work: (reader: Reader) => Promise<T>): Promise<T> {
  const file = new Sqlite(path, { fileMustExist: true, readonly: true, timeout: 5_000 });
  try {
    return await work({ all: <R>(sql: string, ...params: SqlValue[]) => file.prepare(sql).all(...params) as R[] });
  } finally {
    file.close();
  }
}

/**
 * Null where it is whole; else what SQLite says of it. The quick check does not compare indexes with their tables.
 * @throws Error where the file cannot be looked into.
 */
export async function findDamage(
  path: string,
  check: 'integrity_check' | 'quick_check' = 'integrity_check',
): Promise<string | null> {
  try {
    const [found] = await readFrom(path, async (reader) => reader.all<Record<string, string>>(`pragma ${check}(1)`));
    return found?.[check] === 'ok' ? null : (found?.[check] ?? 'nothing');
  } catch (error) {
    if (isDamage(error)) return (error as Error).message;
    throw explained(path, error);
  }
}

/**
 * Puts a copy in the place of a database that nobody serves, once it has been made ready; what was there stays beside it.
 * @param makeReady is given the path of the copy; when it throws, nothing was replaced.
 * @returns the path of what was there; null where nothing was.
 */
export async function replaceDatabase(
  path: string,
  copy: string,
  makeReady: (path: string) => Promise<void>,
): Promise<string | null> {
  const half = `${path}.part`;
  try {
    copyFileSync(copy, half);
    await makeReady(half);
    makeSingle(half);
  } catch (error) {
    for (const ending of endings) rmSync(half + ending, { force: true });
    throw error;
  }
  rmSync(`${half}.lock`, { force: true });
  const kept = existsSync(path) ? `${path}.before-restore-${Date.now()}` : null;
  if (kept) {
    // Its log would be taken for the log of what comes in its place.
    makeSingle(path);
    renameSync(path, kept);
  }
  for (const ending of ['-wal', '-shm']) rmSync(path + ending, { force: true });
  renameSync(half, path);
  syncFolder(path);
  return kept;
}

/** Without a log beside it, for its user alone, and on the disk. */
function makeSingle(path: string): void {
  chmodSync(path, 0o600);
  const database = new Sqlite(path, { fileMustExist: true });
  database.pragma('journal_mode = delete');
  database.close();
  sync(path);
}

function syncFolder(path: string): void {
  sync(dirname(path));
}

function sync(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
