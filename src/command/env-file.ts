/** `--env-file FILE`: settings from a file of lines, as systemd, Docker and Node read them. */

import { readFileSync, statSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { CommandError } from './terminal.ts';

export type EnvFile = { values: Record<string, string | undefined>; warning: string | null };

const others = 0o077;

/** @throws CommandError where it cannot be read. */
export function readEnvFile(path: string): EnvFile {
  try {
    const values = { ...parseEnv(readFileSync(path, 'utf8')) };
    const isOpen = process.platform !== 'win32' && (statSync(path).mode & others) !== 0;
    const warning = isOpen ? `other users of this machine may read ${path}: chmod 600 ${path}` : null;
    return { values, warning };
  } catch (error) {
    throw new CommandError(`--env-file: ${path} cannot be read: ${(error as Error).message}`);
  }
}

/** A line that all of them read alike; quoted only where it has to be, since Docker keeps quotes. */
export function writeEnvLine(name: string, value: string): string {
  return /^[\w:/@.%+,~!()*=?&<>-]+$/.test(value) ? `${name}=${value}` : `${name}="${value.replaceAll('"', '\\"')}"`;
}
