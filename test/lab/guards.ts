/** Each guard switched off: without it the lab has to see a duplicate or a loss. */

import { type KillOptions, killAgainAndAgain } from './kills.ts';
import { labServer, labSpeed } from './lab-server.ts';
import { type After, copiesAfterPause, copiesAfterTakeover, unfenced } from './late-workers.ts';
import { thoughtful } from './life.ts';
import { createMoods } from './moods.ts';
import { restoreAgainAndAgain } from './restore.ts';
import type { Row } from './row.ts';
import { rowOf, type Scale, untroubled } from './scenarios.ts';

export type Control = {
  guard: string;
  sees: 'duplicates' | 'lost' | 'violations';
  /** Seconds at most: `npm test` runs it, too. */
  isQuick?: boolean;
  run: (scale: Scale) => Promise<Row>;
};

const kills = 12;

async function killed(fault: string, variant: string, { seed }: Scale, more: Partial<KillOptions> = {}): Promise<Row> {
  const options = { kills, seed, moods: thoughtful, command: labServer(variant), speed: labSpeed, ...more };
  return rowOf(fault, kills, await killAgainAndAgain(options));
}

/** In this process: what the relay got beyond the one copy. */
async function lateWorker(fault: string, copies: (after: After) => Promise<number>): Promise<Row> {
  const cleanUps: (() => Promise<void>)[] = [];
  try {
    const duplicates = (await copies((cleanUp) => cleanUps.push(cleanUp))) - 1;
    const violations = duplicates > 0 ? ['the mail left again'] : [];
    return { fault, runs: 1, mails: 1, duplicates, lost: 0, held: 0, explained: 0, violations };
  } finally {
    for (const cleanUp of cleanUps) await cleanUp();
  }
}

export const controls: Control[] = [
  {
    guard: 'the gate before the dot',
    sees: 'duplicates',
    isQuick: true,
    run: () =>
      lateWorker('the dot leaves whatever the gate says', (after) => copiesAfterPause(after, { asksNobody: true })),
  },
  {
    guard: 'the attempt number fences',
    sees: 'duplicates',
    isQuick: true,
    run: () => lateWorker('the gate opens for any attempt', (after) => copiesAfterTakeover(after, [unfenced])),
  },
  {
    guard: 'what a crash interrupted is in doubt',
    sees: 'duplicates',
    isQuick: true,
    run: (scale) => killed('hand-offs are queued again after a crash', 'sends-again', scale),
  },
  {
    guard: 'what has no verdict is in doubt',
    sees: 'duplicates',
    isQuick: true,
    run: ({ seed }) => {
      const moods = (thinking: Parameters<typeof createMoods>[0]) =>
        createMoods(thinking).filter(({ name }) => name === 'acceptThenDrop');
      const options = { seed, moods, command: labServer('retries-doubt'), speed: labSpeed };
      return untroubled('a lost verdict is tried again', 10, options);
    },
  },
  {
    guard: 'what a dead process had claimed is queued again',
    sees: 'lost',
    isQuick: true,
    run: (scale) => killed('claims of the dead are given up', 'forgets-claims', scale),
  },
  {
    guard: 'no answer leaves before the commit',
    sees: 'lost',
    run: (scale) => killed('answers leave before the commit', 'answers-early', scale),
  },
  {
    guard: 'the witness of the restore guard',
    sees: 'duplicates',
    run: ({ seed }) => restoreAgainAndAgain({ times: 1, seed, losesWitness: true }),
  },
  {
    guard: 'a telling counts once it was answered',
    sees: 'violations',
    run: (scale) => killed('tellings count once they are claimed', 'tells-unheard', scale, { isHeard: true }),
  },
];

/** A guard that can be taken out without anybody noticing guards nothing. */
export function bites({ sees }: Pick<Control, 'sees'>, row: Row): boolean {
  return (sees === 'violations' ? row.violations.length : row[sees]) > 0;
}
