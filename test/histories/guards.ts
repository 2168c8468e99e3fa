/** The guards of the lab that a history shows the lack of, on which engine and how; and those that it cannot, which the lab shows. */

import type { Wanted } from './gather.ts';

type Engine = Wanted['engine'];
type How = Pick<Wanted, 'variant' | 'only' | 'mood' | 'isCalm' | 'isHeard' | 'clients'>;

/** By the names of test/lab/guards.ts. */
export const guards: Record<string, Partial<Record<Engine, How>>> = {
  'the gate before the dot': killedOnBoth({ variant: 'dots-early' }),
  'what a crash interrupted is in doubt': killedOnBoth({ variant: 'sends-again' }),
  'what has no verdict is in doubt': {
    sqlite: { variant: 'retries-doubt', mood: 'acceptThenDrop', isCalm: true },
    postgres: { variant: 'retries-doubt', mood: 'acceptThenDrop', isCalm: true },
  },
  'what a dead process had claimed is queued again': killedOnBoth({ variant: 'forgets-claims' }),
  'no answer leaves before the commit': killedOnBoth({ variant: 'answers-early' }),
  'a telling counts once it was answered': killedOnBoth({ variant: 'tells-unheard', isHeard: true }),
  'PostgreSQL: what became of a lost COMMIT is found out': {
    postgres: { variant: 'believes-in-commits', only: ['COMMIT cut off'] },
  },
  'PostgreSQL: what a dead process had handed off is in doubt': {
    postgres: { variant: 'sends-again', only: ['kill -9'] },
  },
  // Few clients, so that people's are many of the operations.
  'PostgreSQL: a cancel is what it moved': { postgres: { variant: 'cancels-blindly', isCalm: true, clients: 3 } },
};

function killedOnBoth(how: How): Record<Engine, How> {
  return { sqlite: how, postgres: { ...how, only: ['kill -9'] } };
}

/** What befalls a history does not touch them: the lab's own run without each is judged instead. */
export const unseen: Record<string, string> = {
  'the attempt number fences': 'takes a clock that is moved',
  'a mail moves on before its gate only': 'takes two relays',
  'a notice counts once': 'takes notices, which come from no client',
  'no answer leaves before the sync of its commit': 'takes a cut of the power',
  'no dot leaves before the sync of its gate': 'takes a cut of the power',
  'no replay leaves before the sync of the first answer': 'takes a cut of the power',
  'the witness of the restore guard': 'takes a backup that is put back',
  'cluster: the guard before the first claim': 'takes a failover',
  'cluster: what was handed off expires': 'takes a failover',
  'cluster: the look at a commit is one that waits (restart)': 'takes a failover',
  'cluster: the look at a commit is one that waits (terminate)': 'takes a failover',
  'cluster: the look at a commit is one that waits (cancel)': 'takes a failover',
};
