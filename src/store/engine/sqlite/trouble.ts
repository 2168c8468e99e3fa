/** What keeps a SQLite file from being used, and what to do about it; and making folders, which fails in its own ways. */

import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

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

/** The same error with the file's name, and what to do; what is not about the file stays as it is. */
export function explained(path: string, error: unknown): unknown {
  const next = nextAfter(error);
  if (next === null) return error;
  const about = new Error(`${path} ${next.what} (${(error as Error).message}): ${next.next}`, { cause: error });
  return Object.assign(about, { code: codeOf(error) });
}

function nextAfter(error: unknown): { what: string; next: string } | null {
  if (isDamage(error)) return { what: 'is damaged', next: restoreIt };
  const [, kind = ''] = /^SQLITE_(READONLY|CANTOPEN|FULL)/.exec(codeOf(error)) ?? [];
  switch (kind) {
    case 'READONLY':
      return { what: 'may not be written', next: `it is another user's, or on a disk that takes no writes. ${ownIt}` };
    case 'CANTOPEN':
      return { what: 'cannot be opened', next: `this user may not open it, or make the files beside it. ${ownIt}` };
    case 'FULL':
      return { what: 'cannot grow', next: 'the disk is full; make room on it.' };
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
