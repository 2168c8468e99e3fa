/** Rare paths, counted while the lab runs: a lab that never takes one proves nothing about it. */

/** By what the program says when it takes one. */
const paths = {
  'a late verdict settles a doubt': 'the relay answered after all what was in doubt',
  'a claim of the dead is queued again': 'a process ended with claims; they are queued again',
  'a hand-off of the dead is in doubt': 'the process that sent it ended before the relay answered',
  'a claim runs out': 'a claim ran out and was taken back',
  'the policy sends a doubt again': 'in doubt and sent again by policy',
  'an outcome is recorded again': 'an outcome could not be recorded; trying again',
  'a commit is found out about too late': 'what became of a commit cannot be found out',
  'a database is found to have gone back': 'THE DATABASE WENT BACK IN TIME',
} as const;

type Path = keyof typeof paths;

const counts = new Map<Path, number>();

/** Told each line that any program of the lab writes. */
export function noteLine(line: string): void {
  for (const [path, words] of Object.entries(paths) as [Path, string][]) {
    if (line.includes(words)) counts.set(path, (counts.get(path) ?? 0) + 1);
  }
}

export function renderSometimes(): string {
  const lines = (Object.keys(paths) as Path[]).map((path) => `| ${path} | ${counts.get(path) ?? 0} |`);
  return ['| sometimes | times |', '|---|--:|', ...lines].join('\n');
}

/** What a whole run has to take, and has not. */
export function neverTaken(): string[] {
  return (Object.keys(paths) as Path[]).filter((path) => !counts.has(path));
}
