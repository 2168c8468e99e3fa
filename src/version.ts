/** Which package this is: where it is installed, with its docs, and its version. */

import { existsSync, readFileSync } from 'node:fs';

/** The next folder above this code that has a package.json: the code may be one file for all or one for each module. */
export const packageFolder = findFolder(new URL('./', import.meta.url));

export const version = packageFolder ? readVersion(packageFolder) : 'unknown';

function findFolder(folder: URL): URL | null {
  if (existsSync(new URL('package.json', folder))) return folder;
  const above = new URL('../', folder);
  return above.href === folder.href ? null : findFolder(above);
}

function readVersion(folder: URL): string {
  return JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')).version;
}
