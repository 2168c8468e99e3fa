/** What keeps a SQLite file from being used, and what to do about it; and making folders, which fails in its own ways. */

import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';

/** Like `mkdir -p`. Node's own never comes back where the system will not have a folder, as below /proc. */
export function makeFolder(path: string): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolder(parent);
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** The file itself says what it should not: no later try reads it better. */
export function isDamage(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB)/.test(codeOf(error));
}

/** Failures of the machine rather than of one statement: the whole group is undone. */
export function isEngineFailure(error: unknown): boolean {
  if (!(error instanceof Sqlite.SqliteError)) return false;
  return /^SQLITE_(FULL|IOERR|BUSY|LOCKED|NOMEM|CANTOPEN|READONLY|CORRUPT|NOTADB|PROTOCOL)/.test(error.code);
}

export function isBusy(error: unknown): boolean {
  return error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY');
}

/** A full disk or a lock at COMMIT leaves the commit frame unwritten. An I/O error there tells nothing about what the log holds. */
export function isUnknownCommit(error: unknown): boolean {
  return !(error instanceof Sqlite.SqliteError) || !/^SQLITE_(FULL|BUSY|LOCKED)/.test(error.code);
}

/** The same error with the file's name, and what to do; what is not about the file stays as it is. */
export function explained(path: string, error: unknown): unknown {
  const next = nextAfter(path, error);
  if (next === null) return error;
  const about = new Error(`${path} ${next.what} (${(error as Error).message}): ${next.next}`, { cause: error });
  return Object.assign(about, { code: codeOf(error) });
}

/** What the system has against a file in this folder, where SQLite only says that it cannot open one; null where it has nothing. */
export function whyNotIn(folder: string): string | null {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return code === 'EROFS'
      ? 'it is on a disk that takes no writes (EROFS)'
      : `this user may not write there (${code})`;
  }
}

function nextAfter(path: string, error: unknown): { what: string; next: string } | null {
  if (isDamage(error)) return { what: 'is damaged', next: restoreIt };
  const [, kind = ''] = /^SQLITE_(READONLY|CANTOPEN|FULL|BUSY)/.exec(codeOf(error)) ?? [];
  switch (kind) {
    case 'READONLY':
      return { what: 'may not be written', next: `it is another user's, or on a disk that takes no writes. ${ownIt}` };
    case 'CANTOPEN': {
      const why = whyNotIn(dirname(path)) ?? 'this user may not open it, or make the files beside it';
      return { what: 'cannot be opened', next: `${why}. ${ownIt}` };
    }
    case 'FULL':
      return { what: 'cannot grow', next: 'make room on its disk.' };
    case 'BUSY':
      return { what: 'is locked', next: 'another program writes to it (sqlite3? a backup tool?): end that one.' };
    default:
      return null;
  }
}

const ownIt = 'Give the file and its folder to this user (chown), or name another path in DATABASE_URL.';
const restoreIt =
  'stop the server and put a backup back with `sendonce restore FILE`. Without one, `sqlite3 FILE .recover` saves what can be read.';

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? '');
}
