/** Which version this is: of the package.json beside what is compiled for the package, or a folder further up, for tests. */

import { existsSync, readFileSync } from 'node:fs';

export const version = readVersion();

function readVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    const file = new URL(path, import.meta.url);
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')).version;
  }
  return 'unknown';
}
