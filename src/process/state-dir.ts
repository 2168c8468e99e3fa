/** The folder of what must not be in the database: it is made where it is missing, and has to be writable. */

import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from '../store/engine/sqlite/trouble.ts';

/** @throws Error saying what is wrong with it, and what to do. */
export function makeStateDir(stateDir: string): void {
  try {
    makeFolder(stateDir);
    accessSync(stateDir, usable);
  } catch (cause) {
    throw new Error(cannotBeUsed(stateDir, reasonOf(cause)), { cause });
  }
}

/** What a start would say of it, which makes it where it is missing; null: nothing. */
export function problemOfStateDir(stateDir: string): string | null {
  const why = whyNotMade(stateDir);
  return why === null ? null : cannotBeUsed(stateDir, why);
}

/** Why a folder could not be made, or written to where it is there; null: it could. */
export function whyNotMade(path: string): string | null {
  try {
    const place = nearestThere(path);
    if (!statSync(place).isDirectory()) return `${place} is a file, not a folder`;
    accessSync(place, usable);
    return null;
  } catch (cause) {
    return reasonOf(cause);
  }
}

const usable = constants.W_OK | constants.X_OK;

/** The folder itself, or the one it would be made in. */
function nearestThere(path: string): string {
  const parent = dirname(path);
  return existsSync(path) || parent === path ? path : nearestThere(parent);
}

function cannotBeUsed(stateDir: string, why: string): string {
  return `STATE_DIR is ${stateDir}, which cannot be used: ${why}. ${advice}`;
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
