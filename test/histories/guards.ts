/** The guards of the lab that a history shows the lack of, and how; and those that it cannot, with the command that does. */

import type { Wanted } from './gather.ts';

type How = Pick<Wanted, 'variant' | 'only' | 'mood'> & { engine?: 'sqlite' | 'postgres' };

/** By the names of test/lab/guards.ts. */
export const guards: Record<string, How> = {
  'the gate before the dot': { variant: 'dots-early', engine: 'sqlite' },
  'what a crash interrupted is in doubt': { variant: 'sends-again', engine: 'sqlite' },
  'what has no verdict is in doubt': { variant: 'retries-doubt', engine: 'sqlite', mood: 'acceptThenDrop' },
  'what a dead process had claimed is queued again': { variant: 'forgets-claims', engine: 'sqlite' },
  'no answer leaves before the commit': { variant: 'answers-early', engine: 'sqlite' },
  'PostgreSQL: what became of a lost COMMIT is found out': {
    ...{ variant: 'believes-in-commits', engine: 'postgres' },
    only: ['COMMIT cut off'],
  },
  'PostgreSQL: what a dead process had handed off is in doubt': {
    ...{ variant: 'sends-again', engine: 'postgres' },
    only: ['kill -9'],
  },
  'PostgreSQL: a cancel is what it moved': { variant: 'cancels-blindly', engine: 'postgres', only: ['kill -9'] },
};

/** What befalls a history does not touch them. */
export const unseen: Record<string, string> = {
  'the attempt number fences': 'takes a clock that is moved: npm run lab -- --only "attempt number"',
  'no answer leaves before the sync of its commit': 'takes a cut of the power',
  'no dot leaves before the sync of its gate': 'takes a cut of the power',
  'no replay leaves before the sync of the first answer': 'takes a cut of the power',
  'the witness of the restore guard': 'takes a backup that is put back',
  'a telling counts once it was answered': 'is about webhooks, which no history has',
  'cluster: the guard before the first claim': 'takes a failover',
  'cluster: what was handed off expires': 'takes a failover',
  'cluster: the look at a commit is one that waits (restart)': 'takes a failover',
  'cluster: the look at a commit is one that waits (terminate)': 'takes a failover',
  'cluster: the look at a commit is one that waits (cancel)': 'takes a failover',
};
