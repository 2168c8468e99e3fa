/** Which tests run on both engines: all that reach a store, in shares of a process each, but those that say here why not. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { useEngine } from '../support/engine.ts';

/** What `test/postgres/<share>.test.ts` runs, in this order: files under `test/` whose names begin so. */
export const shares = {
  brevo: ['brevo/'],
  command: [
    'command.test.ts',
    'doctor.test.ts',
    'secret-key.test.ts',
    'accounts/',
    'trouble.test.ts',
    'init.test.ts',
    'recipient.test.ts',
  ],
  // The replay comes first: ids made in one process never go back in time, but the clocks of tests do.
  deliver: ['webhook/replay', 'e2e/', 'webhook/', 'deliver/rates'],
  listen: ['listen/'],
  outbox: ['outbox/'],
  page: ['page/'],
  property: ['property/'],
  resend: ['resend/', 'http/', 'client/', 'facade.test.ts'],
  upgrade: ['upgrade/'],
} as const;

/** Tests of what PostgreSQL has no such thing as. Names that end in a slash are folders. */
export const sqliteOnly: Record<string, string> = {
  'backup.test.ts': 'copies a file; PostgreSQL has tools of its own',
  'check-code.test.ts': 'reads the code of apps, and opens no database',
  'documents.test.ts': 'what documents say, which no engine changes',
  'files.test.ts': 'the modes of the files beside a SQLite database; PostgreSQL keeps its own',
  'cost/':
    'the processor time of the thread that reads requests and renders pages, which no engine changes; statements are counted elsewhere',
  'lab/':
    'kills, power cuts and full disks of one process and its file; test/postgres/fleet.test.ts is the lab of many',
  'page/page.test.ts': 'what a browser makes of pages, which the other tests of the page read on both engines',
  'store/page-plans.test.ts': 'reads the plans of SQLite',
  'store/synced.test.ts': 'the syncs of a file',
  'store/sqlite.test.ts':
    'the file, its lock and its syncs; the suite in it runs on PostgreSQL in store/postgres.test.ts',
};

/** Tests that choose their engines themselves. */
export const ownEngines = [
  'histories/',
  'model/',
  'postgres/',
  'store/edges.test.ts',
  'store/fairness.test.ts',
  'store/postgres.test.ts',
];

export async function runOnPostgres(share: keyof typeof shares): Promise<void> {
  useEngine('postgres');
  for (const name of testsOf(share)) await import(`../${name.replace(/ts$/, 'js')}`);
}

export function testsOf(share: keyof typeof shares): string[] {
  const all = storeTests().filter((name) => !(name in sqliteOnly));
  return [...new Set(shares[share].flatMap((start) => all.filter((name) => name.startsWith(start))))];
}

/** The test files that reach a store, as paths under `test/`. */
export function storeTests(): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && reachesStore(join(folder, name), new Set()))
    .sort();
}

const folder = fileURLToPath(new URL('../../../test/', import.meta.url));

/** By what it imports, and what that imports, or by a program of ours that it starts. */
function reachesStore(path: string, seen: Set<string>): boolean {
  if (seen.has(path)) return false;
  seen.add(path);
  if (/\/src\/store\/engine\/\w+\/(sqlite|postgres)\.ts$/.test(path)) return true;
  const text = readFileSync(path, 'utf8');
  if (/main\.js'/.test(text)) return true;
  const imports = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+\.tsx?)'/g)];
  return imports.some(([, name = '']) => reachesStore(join(dirname(path), name), seen));
}
