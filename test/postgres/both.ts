/** Which tests run on both engines: all that reach a store, in shares of a process each, but those that say here why not. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { useEngine } from '../support/engine.ts';

/** What `test/postgres/<share>.test.ts` runs, in this order: files under `test/` whose names begin so. */
export const shares = {
  brevo: ['brevo/'],
  command: [
    'doctor.test.ts',
    'secret-key.test.ts',
    'accounts/',
    'trouble.test.ts',
    'recipient.test.ts',
    'import.test.ts',
  ],
  // The replay comes first: ids made in one process never go back in time, but the clocks of tests do.
  deliver: ['webhook/replay', 'e2e/', 'webhook/', 'deliver/rates'],
  listen: ['listen/'],
  outbox: ['outbox/'],
  page: ['page/'],
  property: ['property/'],
  resend: ['resend/', 'http/', 'facade.test.ts'],
  upgrade: ['upgrade/'],
} as const;

/** Tests of what PostgreSQL has no such thing as. Names that end in a slash are folders. */
export const sqliteOnly: Record<string, string> = {
  'release.test.ts': 'what a release holds, and how npm start begins',
  'brevo/bad-input.test.ts': 'refused before a store is asked',
  'brevo/errors.test.ts': 'refused before a store is asked, in words that no engine changes',
  'brevo/parse-hostile.test.ts': 'refused before a store is asked',
  'resend/bad-input.test.ts': 'refused before a store is asked',
  'resend/wire.test.ts': 'bytes of SDKs, whose requests other tests make on both engines',
  'client/': 'what apps do with answers and with none; which answers there are is tested on both engines',
  'command.test.ts':
    'how a process begins and ends, and what it prints; start, signals and pooled do so on PostgreSQL, and accounts/ runs commands there',
  'e2e/bodies.test.ts': 'memory and connections, before a store is asked',
  'e2e/large-mails.test.ts': 'memory of one process',
  'e2e/doors.test.ts': 'counts of wrong keys, hosts and proxies, kept in memory',
  'e2e/smtputf8.test.ts': 'what is said to a relay, which no engine changes',
  'e2e/log.test.ts': 'what the log tells, which no engine changes',
  'http/direct.test.ts': 'two ways to the same accept, compared with each other; the accept is tested on both engines',
  'http/openapi.test.ts': 'documents, which no engine changes',
  'http/next-steps.test.ts': 'sentences, which no engine changes',
  'backup.test.ts': 'copies a file; PostgreSQL has tools of its own',
  'check-code.test.ts': 'reads the code of apps, and opens no database',
  'documents.test.ts': 'what documents say, which no engine changes',
  'documents-examples.test.ts': 'what documents say, which no engine changes',
  'examples.test.ts': 'programs of callers; what they meet is tested on both engines',
  'files.test.ts': 'the modes of the files beside a SQLite database; PostgreSQL keeps its own',
  'cost/':
    'the processor time of the thread that reads requests and renders pages, which no engine changes; statements are counted elsewhere',
  'init.test.ts': 'asks a person and writes a file of settings; doctor.test.ts and accounts/ run on both engines',
  'lab/':
    'kills, power cuts and full disks of one process and its file; test/postgres/fleet.test.ts is the lab of many',
  'listen/hostile.test.ts':
    'refused before a store is asked; what is taken over SMTP, and by whom, listen/submission.test.ts has on both engines',
  'page/docs.test.ts': 'what documents say, which no engine changes',
  'page/page.test.ts': 'what a browser makes of pages, which the other tests of the page read on both engines',
  'page/three-clicks.test.ts': 'how far it is from the overview in a browser, which no engine changes',
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

const folder = fileURLToPath(new URL('../../../test/', import.meta.url));

/** The test files that reach a store, as paths under `test/`: by what they import, or by a program of ours that they start. */
export function storeTests(): string[] {
  tests ??= findStoreTests();
  return tests;
}

let tests: string[] | null = null;

/** Each file is read once, and what it imports is followed back from the stores. */
function findStoreTests(): string[] {
  const all = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts'));
  const importers = new Map<string, string[]>(all.map((name) => [join(folder, name), []]));
  const reaching = new Set<string>();
  // A map goes on to what is added to it meanwhile.
  for (const path of importers.keys()) {
    const text = readFileSync(path, 'utf8');
    if (/\/src\/store\/engine\/\w+\/(sqlite|postgres)\.ts$/.test(path) || /main\.js'/.test(text)) reaching.add(path);
    for (const [, name = ''] of text.matchAll(/(?:from|import\()\s*'(\.[^']+\.tsx?)'/g)) {
      const imported = join(dirname(path), name);
      importers.set(imported, [...(importers.get(imported) ?? []), path]);
    }
  }
  for (const path of reaching) for (const importer of importers.get(path) ?? []) reaching.add(importer);
  return all.filter((name) => reaching.has(join(folder, name))).sort();
}
