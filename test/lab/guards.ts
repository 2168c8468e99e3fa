/** Each guard switched off: without it the lab has to see a duplicate or a loss. */

import { acts, hangingCommits, synchronously } from './failovers.ts';
import { type KillOptions, killAgainAndAgain } from './kills.ts';
import { fleetSpeed, labServer, labSpeed } from './lab-server.ts';
import { asynchronously, standbyLags } from './lagging-standby.ts';
import { runLateNotices } from './late-notices.ts';
import { type After, copiesAfterPause, copiesAfterTakeover, unfenced } from './late-workers.ts';
import { type MischiefOptions, makeMischief } from './mischief.ts';
import { createMoods } from './moods.ts';
import { runPowerCuts } from './power-cut.ts';
import { restoreAgainAndAgain } from './restore.ts';
import type { Row } from './row.ts';
import { type Scale, untroubled } from './scenarios.ts';
import { rowOf } from './table.ts';
import { thoughtful } from './world.ts';

export type Control = {
  guard: string;
  /** What the lab has to see without the guard: a count, or a violation in these words. */
  sees:
    | 'duplicates'
    | 'lost'
    | 'were never told'
    | 'its log says'
    | 'which was acknowledged'
    | 'would send'
    | 'leases have run out'
    | 'was counted';
  /** Seconds at most: `npm test` runs it, too. */
  isQuick?: boolean;
  run: (scale: Scale) => Promise<Row>;
};

const killsMax = 12;
/** Of one life; two or three of them are mostly enough to see what is missing. */
const kills = 3;

/** One life after another until it is seen. */
async function killed(
  sees: Control['sees'],
  [fault, variant]: [fault: string, variant: string],
  { seed }: Scale,
  more: Partial<KillOptions> = {},
): Promise<Row> {
  for (let done = kills; ; done += kills) {
    const options = {
      kills,
      seed: seed + done,
      moods: thoughtful,
      command: labServer(variant),
      speed: labSpeed,
      ...more,
    };
    const row = rowOf(fault, done, await killAgainAndAgain(options));
    if (bites({ sees }, row) || done >= killsMax) return row;
  }
}

/** Several processes on one PostgreSQL. */
async function befallen(
  fault: string,
  variant: string,
  more: Pick<MischiefOptions, 'seed' | 'times' | 'only' | 'hasPeople'>,
) {
  const unguarded = { command: labServer(variant), speed: fleetSpeed, moods: thoughtful };
  return rowOf(fault, more.times, await makeMischief({ apis: 2, workers: 2, ...unguarded, ...more }));
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

/** One life that ends of itself: every answer and dot in it is followed by a cut of the power. */
async function cutOff(variant: string, { seed }: Scale): Promise<Row> {
  const [row] = await runPowerCuts({ seed, command: labServer(variant), lives: 1, mailsPerLife: 6 });
  if (!row) throw new Error('a power cut has a row');
  return row;
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
    run: (scale) => killed('duplicates', ['hand-offs are queued again after a crash', 'sends-again'], scale),
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
    guard: 'a mail moves on before its gate only',
    sees: 'duplicates',
    run: async ({ seed }) => {
      const options = { seed, command: labServer('moves-on-late'), speed: labSpeed, moods: createMoods };
      return untroubled('a mail moves on behind its gate, too', 150, { ...options, isRouted: true });
    },
  },
  {
    guard: 'what a dead process had claimed is queued again',
    sees: 'lost',
    isQuick: true,
    run: (scale) => killed('lost', ['claims of the dead are given up', 'forgets-claims'], scale),
  },
  {
    guard: 'no answer leaves before the commit',
    sees: 'lost',
    run: (scale) => killed('lost', ['answers leave before the commit', 'answers-early'], scale),
  },
  {
    guard: 'no answer leaves before the sync of its commit',
    sees: 'which was acknowledged',
    run: (scale) => cutOff('answers-before-sync', scale),
  },
  {
    guard: 'no dot leaves before the sync of its gate',
    sees: 'would send',
    run: (scale) => cutOff('gates-before-sync', scale),
  },
  {
    guard: 'no replay leaves before the sync of the first answer',
    sees: 'which was acknowledged',
    run: (scale) => cutOff('replays-before-sync', scale),
  },
  {
    guard: 'PostgreSQL: what became of a lost COMMIT is found out',
    sees: 'lost',
    run: ({ seed }) =>
      befallen('a lost COMMIT is taken for committed', 'believes-in-commits', {
        seed,
        times: 20,
        only: ['COMMIT cut off'],
      }),
  },
  {
    guard: 'PostgreSQL: what a dead process had handed off is in doubt',
    sees: 'duplicates',
    run: ({ seed }) =>
      befallen('hand-offs of the dead are queued again', 'sends-again', { seed, times: 20, only: ['kill -9'] }),
  },
  {
    guard: 'the witness of the restore guard',
    sees: 'duplicates',
    run: ({ seed }) => restoreAgainAndAgain({ times: 1, seed, losesWitness: true }),
  },
  {
    guard: 'a telling counts once it was answered',
    sees: 'were never told',
    run: (scale) =>
      killed('were never told', ['tellings count once they are claimed', 'tells-unheard'], scale, { isHeard: true }),
  },
  {
    guard: 'a notice counts once',
    sees: 'was counted',
    run: ({ seed }) => runLateNotices({ seed, kills: 3, engine: 'sqlite', command: labServer('counts-notices-anew') }),
  },
  {
    guard: 'PostgreSQL: a cancel is what it moved',
    sees: 'its log says',
    run: ({ seed }) =>
      befallen('cancels count as done once they are looked up', 'cancels-blindly', {
        seed,
        times: 20,
        only: ['kill -9'],
        hasPeople: true,
      }),
  },
  {
    guard: 'cluster: the guard before the first claim',
    sees: 'duplicates',
    run: (scale) =>
      asynchronously('a failover is noticed once a second', standbyLags, { command: labServer('judges-late') })(
        2,
        scale,
      ),
  },
  {
    guard: 'cluster: what was handed off expires',
    sees: 'leases have run out',
    run: (scale) =>
      asynchronously('hand-offs stay with a worker that lives', standbyLags, {
        command: labServer('forgets-handoffs'),
      })(2, scale),
  },
];

/** One for each way in which a commit that waits is called off. */
for (const act of acts) {
  controls.push({
    guard: `cluster: the look at a commit is one that waits (${act})`,
    sees: 'lost',
    run: (scale) =>
      synchronously('what can be seen is taken for done', hangingCommits(act), {
        command: labServer('trusts-sight'),
      })(2, scale),
  });
}

/** A guard that can be taken out without anybody noticing guards nothing. */
export function bites({ sees }: Pick<Control, 'sees'>, row: Row): boolean {
  if (sees === 'duplicates' || sees === 'lost') return row[sees] > 0;
  return row.violations.some((violation) => violation.includes(sees));
}
