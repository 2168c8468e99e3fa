/** The files of an installation, which no other user of the machine may open: which they are, who else could, and closing them. */

import { chmodSync, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Config } from '../config/config.ts';
import { isWitness } from './restore-guard.ts';
import { isSecretKeyFile } from './secret-key.ts';

export type Installation = Pick<Config, 'database' | 'stateDir'>;

/** A file or a folder, and its mode bits. */
type Entry = { path: string; mode: number };

export type Openings = {
  /** Files of ours that others may open, and folders that hold nothing else. */
  ours: Entry[];
  /** Folders others may look into that hold other things, too, or are somebody else's: not for us to close. */
  shared: Entry[];
};

/** Group and others. */
const others = 0o077;
const sticky = 0o1000;

/** Mode bits say nothing on Windows. */
const hasModes = process.platform !== 'win32';

/** @throws Error where a folder of the installation cannot be read. */
export function findOpenings(installation: Installation): Openings {
  const openings: Openings = { ours: [], shared: [] };
  for (const folder of foldersOf(installation)) {
    const entry = entryOf(folder);
    if (!hasModes || !entry) continue;
    const names = readdirSync(folder);
    const files = names.filter((name) => isOurs(installation, folder, name));
    openings.ours.push(...files.map((name) => entryOf(join(folder, name))).filter((one) => isOpen(one)));
    if (!isOpen(entry)) continue;
    const isOursAlone = files.length === names.length && entry.uid === process.getuid?.() && !(entry.mode & sticky);
    (isOursAlone ? openings.ours : openings.shared).push(entry);
  }
  return openings;
}

/** Takes from others what they may do with what is ours. Those it could not close come back as `left`. */
export function closeToOthers(installation: Installation): { closed: string[]; left: string[] } {
  const result = { closed: [] as string[], left: [] as string[] };
  for (const { path, mode } of findOpenings(installation).ours) {
    try {
      chmodSync(path, mode & ~others);
      result.closed.push(path);
    } catch {
      result.left.push(path);
    }
  }
  return result;
}

/** As `ls -l` and `chmod` have it: 0644. */
export function writeMode(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** Others could put files of their own in the place of ours. */
export function mayBeReplaced({ mode }: Entry): boolean {
  return (mode & 0o002) !== 0 && (mode & sticky) === 0;
}

/** Of links, where they lead: that is where SQLite keeps its files, and the lock is beside the link. */
function foldersOf({ database, stateDir }: Installation): string[] {
  const folders = [stateDir, ...databasePaths(database).map(dirname)].map(realPath);
  return [...new Set(folders)].filter((folder) => folder !== null && statSync(folder).isDirectory()) as string[];
}

function databasePaths(database: Config['database']): string[] {
  if (database.engine !== 'sqlite') return [];
  const real = realPath(database.path);
  return real === null ? [database.path] : [database.path, real];
}

function isOurs({ database, stateDir }: Installation, folder: string, name: string): boolean {
  if (isWitness(name) || isSecretKeyFile(name)) return folder === realPath(stateDir);
  return databasePaths(database).some((path) => {
    const isHere = realPath(dirname(path)) === folder;
    return isHere && databaseSuffixes.some((suffix) => name === `${basename(path)}${suffix}`);
  });
}

/** SQLite's own files beside a database, and the lock of whoever serves it. */
const databaseSuffixes = ['', '-wal', '-shm', '-journal', '.lock', '.lock-journal'];

/** Null where there is nothing. */
function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

/** Null where it went meanwhile. A link in a folder is not followed: what it leads to may be anybody's. */
function entryOf(path: string): (Entry & { uid: number }) | null {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isFile() || stats?.isDirectory() ? { path, mode: stats.mode & 0o7777, uid: stats.uid } : null;
}

function isOpen<E extends Entry>(entry: E | null): entry is E {
  return entry !== null && (entry.mode & others) !== 0;
}
