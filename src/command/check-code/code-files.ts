/** The files of a code base that may call something, in order; what is fetched, made or hidden is passed over. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';

export type CodeFile = { path: string; extension: string; text: string };

const extensions =
  /\.(?:[cm]?[jt]s|[jt]sx|vue|svelte|astro|py|go|php|rb|java|kt|scala|rs|cs|fs|vb|sh|exs?|dart|swift)$/i;

const passedOver = new Set(['node_modules', 'vendor', 'target', 'dist', 'build', 'venv', '__pycache__', 'bin', 'obj']);

/** What people write is smaller; a bundle is no source. */
export const fileBytesMax = 1024 * 1024;

/** Calls `tooLarge` for those that are not read. Symbolic links are not followed. @throws Error where there is nothing at `path`. */
export function* codeFilesIn(path: string, tooLarge: (path: string) => void): Generator<CodeFile> {
  if (statSync(path).isFile()) return yield* readCode(path, tooLarge);
  const folders = [path];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries = readdirSync(folder, { withFileTypes: true }).sort((one, other) => (one.name < other.name ? -1 : 1));
    for (const entry of entries) {
      const inside = join(folder, entry.name);
      if (entry.name.startsWith('.')) continue;
      if (entry.isDirectory() && !passedOver.has(entry.name)) folders.push(inside);
      if (entry.isFile() && extensions.test(entry.name)) yield* readCode(inside, tooLarge);
    }
  }
}

function* readCode(path: string, tooLarge: (path: string) => void): Generator<CodeFile> {
  if (statSync(path).size > fileBytesMax) return tooLarge(path);
  const text = readFileSync(path, 'utf8');
  if (!text.includes('\0')) yield { path, extension: extname(path).toLowerCase(), text };
}
