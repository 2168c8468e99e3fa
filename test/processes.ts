/** Which test files share a process, and which processes begin first. */

export type TestProcess = { name: string; files: string[] };

/** Files, and starts of them, in the order in which they begin: a long one that began last would be waited for by itself. */
const alone = [
  'lab/sweep',
  'postgres/deliver',
  'model/',
  'lab/crash',
  'postgres/resend',
  'postgres/fleet',
  'property/property',
  'postgres/brevo',
  'postgres/command',
  'page/page.',
  'cost/cost',
  'lab/',
  'command.',
  'histories/',
  'postgres/page',
  'postgres/move',
  'postgres/listen',
  'postgres/outbox',
  'postgres/property',
  'postgres/upgrade',
  // Each has servers of PostgreSQL of its own.
  'postgres/pooled',
  'postgres/standby',
  'outbox/drain',
  'outbox/kills',
  'client/retrying',
  // Their clocks go back, or days ahead, and ids of one process never go back.
  'store/',
  'webhook/contacts-and-domains',
  'upgrade/',
  'property/',
];

/** What shares a process comes one after another: so many files are about a minute on a slow machine. */
const filesMax = 12;

/** A folder of fewer shares a process with others of that kind. */
const filesMin = 4;

/** `files`: paths under `build/test`. */
export function gatherProcesses(files: readonly string[]): TestProcess[] {
  const sorted = files.toSorted();
  const rank = (file: string) => alone.findIndex((start) => file.startsWith(start));
  const own = sorted.filter((file) => rank(file) >= 0).sort((a, b) => rank(a) - rank(b));
  const folders = byFolder(sorted.filter((file) => rank(file) < 0));
  const isSmall = ([, all]: [string, string[]]) => all.length < filesMin;
  const few = [...folders].filter(isSmall).flatMap(([, all]) => all);
  const gathered: [string, string[]][] = [...[...folders].filter((one) => !isSmall(one)), ['few', few]];
  const shared = gathered.flatMap(([folder, all]) =>
    parts(all).map((some, index) => ({ name: `${folder}-${index + 1}`, files: some })),
  );
  return [
    ...own.map((file) => ({ name: file, files: [file] })),
    ...shared.sort((a, b) => b.files.length - a.files.length),
  ];
}

function byFolder(files: readonly string[]): Map<string, string[]> {
  const folders = new Map<string, string[]>();
  for (const file of files) {
    const folder = file.includes('/') ? (file.split('/')[0] ?? '') : 'test';
    folders.set(folder, [...(folders.get(folder) ?? []), file]);
  }
  return folders;
}

function parts(files: readonly string[]): string[][] {
  const count = Math.ceil(files.length / filesMax);
  const size = Math.ceil(files.length / count);
  return Array.from({ length: count }, (_, index) => files.slice(index * size, (index + 1) * size));
}
