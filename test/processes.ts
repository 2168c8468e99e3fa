/** Which test files share a process, and which processes begin first. */

export type TestProcess = { name: string; files: string[] };

/** Files, and starts of them, in the order in which they begin: a long one that began last would be waited for by itself. */
const alone = [
  'lab/sweep',
  'postgres/deliver',
  'lab/crash',
  'postgres/fleet',
  'postgres/resend',
  'model/',
  'postgres/command',
  'property/property',
  'postgres/brevo',
  'page/page.',
  'lab/',
  'cost/cost',
  'command.',
  'histories/',
  'postgres/',
  'outbox/',
  'client/retrying',
  // Their clocks go back, or days ahead, and ids of one process never go back.
  'store/',
  'webhook/contacts-and-domains',
];

/** What shares a process comes one after another: so many files are about a minute on a slow machine. */
const filesMax = 12;

/** `files`: paths under `build/test`. */
export function gatherProcesses(files: readonly string[]): TestProcess[] {
  const sorted = files.toSorted();
  const rank = (file: string) => alone.findIndex((start) => file.startsWith(start));
  const own = sorted.filter((file) => rank(file) >= 0).sort((a, b) => rank(a) - rank(b));
  const byFolder = new Map<string, string[]>();
  for (const file of sorted.filter((one) => rank(one) < 0)) {
    const folder = file.includes('/') ? (file.split('/')[0] ?? '') : 'test';
    byFolder.set(folder, [...(byFolder.get(folder) ?? []), file]);
  }
  const shared = [...byFolder].flatMap(([folder, all]) =>
    parts(all).map((some, index) => ({ name: `${folder}-${index + 1}`, files: some })),
  );
  return [
    ...own.map((file) => ({ name: file, files: [file] })),
    ...shared.sort((a, b) => b.files.length - a.files.length),
  ];
}

function parts(files: readonly string[]): string[][] {
  const count = Math.ceil(files.length / filesMax);
  const size = Math.ceil(files.length / count);
  return Array.from({ length: count }, (_, index) => files.slice(index * size, (index + 1) * size));
}
