/** FIRST_KEY_FILE: the first API key in a file of its own, instead of on the output, which journals keep. */

import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';

export type KeptAside = {
  /** In place of what may have been there: the key counts now. */
  publish(): void;
  drop(): void;
};

/** Written before the key counts, so that one that counts is never lost. @throws Error where the file cannot be written. */
export function keepAside(path: string, token: string): KeptAside {
  const aside = `${path}.${randomUUID()}`;
  try {
    const file = openSync(aside, 'wx', 0o600);
    writeSync(file, `${token}\n`);
    fsyncSync(file);
    closeSync(file);
  } catch (cause) {
    throw new Error(`FIRST_KEY_FILE: ${path} cannot be written: ${(cause as Error).message}`, { cause });
  }
  return { publish: () => renameSync(aside, path), drop: () => unlinkSync(aside) };
}
