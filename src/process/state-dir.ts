/** The folder of what must not be in the database: it is made where it is missing, and has to be writable. */

import { accessSync, constants } from 'node:fs';
import { makeFolder } from '../store/engine/sqlite/trouble.ts';

/** @throws Error saying what is wrong with it, and what to do. */
export function makeStateDir(stateDir: string): void {
  try {
    makeFolder(stateDir);
    accessSync(stateDir, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new Error(`STATE_DIR is ${stateDir}, which cannot be used: ${reasonOf(cause)}. ${advice}`, { cause });
  }
}

const advice = 'It must be a folder that this user may write to: name another one, or give it to this user with chown.';

function reasonOf(cause: unknown): string {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  return reasons[code] ? `${reasons[code]} (${code})` : message;
}

const reasons: Record<string, string> = {
  EEXIST: 'it is a file, not a folder',
  ENOTDIR: 'a part of its path is a file, not a folder',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'it is on a disk that takes no writes',
};
