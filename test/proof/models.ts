/** The models under test/proof/*.pml: with which budgets each is checked whole, and which guards it has, each with the variant without it. */

export type Model = {
  /** `test/proof/<file>.pml`. */
  file: 'handoff' | 'accept' | 'upstream' | 'outbox' | 'telling';
  what: string;
  /** What is defined: which world, and how much may go wrong in it. */
  defines: string[];
  /** The same with less going wrong, where it is looked for a run that never ends: that takes twice the states. */
  smaller: string[];
};

export const models: Model[] = [
  {
    file: 'handoff',
    what: 'hand-off, processes die',
    defines: ['DEATHS', 'TROUBLES=3', 'DEEDS=2'],
    smaller: ['DEATHS', 'TROUBLES=2'],
  },
  {
    file: 'handoff',
    what: 'hand-off, the power is cut or a synchronous standby takes over',
    defines: ['POWER', 'TROUBLES=3'],
    smaller: ['POWER', 'TROUBLES=2'],
  },
  {
    file: 'handoff',
    what: 'hand-off, a backup is put back or a standby that lags takes over',
    defines: ['BACK', 'TROUBLES=2'],
    smaller: ['BACK', 'TROUBLES=1'],
  },
  {
    file: 'accept',
    what: 'one key, retried at two processes',
    defines: ['TROUBLES=5', 'TRIES=5'],
    smaller: ['TROUBLES=4', 'TRIES=4'],
  },
  { file: 'upstream', what: 'two upstreams with keys', defines: ['TROUBLES=6'], smaller: ['TROUBLES=4'] },
  { file: 'outbox', what: 'an outbox and two drains', defines: ['TROUBLES=7'], smaller: ['TROUBLES=5'] },
  { file: 'telling', what: 'a webhook is told', defines: ['TROUBLES=6'], smaller: ['TROUBLES=5'] },
];

export type Variant = Pick<Model, 'file'> & { guard: string; defines: string[] };

const without = (file: Model['file'], guard: string, ...defines: string[]): Variant => ({ file, guard, defines });

/** The guards of the lab (test/lab/guards.ts), by its names. */
export const labGuards: Variant[] = [
  without('handoff', 'the gate before the dot', 'DEATHS', 'ASKS_NOBODY'),
  without('handoff', 'the attempt number fences', 'DEATHS', 'UNFENCED'),
  without('handoff', 'what a crash interrupted is in doubt', 'DEATHS', 'SENDS_AGAIN'),
  without('handoff', 'what has no verdict is in doubt', 'DEATHS', 'RETRIES_DOUBT'),
  without('upstream', 'a mail moves on before its gate only', 'FAILS_OVER_BEHIND_THE_GATE'),
  without('handoff', 'what a dead process had claimed is queued again', 'DEATHS', 'FORGETS_CLAIMS'),
  without('accept', 'no answer leaves before the commit', 'ANSWERS_EARLY'),
  without('accept', 'no answer leaves before the sync of its commit', 'ANSWERS_BEFORE_SYNC'),
  without('handoff', 'no dot leaves before the sync of its gate', 'POWER', 'GATES_BEFORE_SYNC'),
  without('accept', 'no replay leaves before the sync of the first answer', 'REPLAYS_BEFORE_SYNC'),
  without('accept', 'PostgreSQL: what became of a lost COMMIT is found out', 'BELIEVES_IN_COMMITS'),
  without('handoff', 'PostgreSQL: what a dead process had handed off is in doubt', 'DEATHS', 'TAKEOVER_SENDS_AGAIN'),
  without('handoff', 'the witness of the restore guard', 'BACK', 'LOSES_WITNESS'),
  without('telling', 'a telling counts once it was answered', 'COUNTS_AT_THE_CLAIM'),
  without('handoff', 'PostgreSQL: a cancel is what it moved', 'DEATHS', 'CANCELS_BLINDLY'),
  without('handoff', 'cluster: the guard before the first claim', 'BACK', 'JUDGES_LATE'),
  without('handoff', 'cluster: what was handed off expires', 'BACK', 'FORGETS_HANDOFFS'),
  // Once for each way in which a commit that waits is called off: to the model they are one.
  without('accept', 'cluster: the look at a commit is one that waits', 'TRUSTS_SIGHT'),
];

/** Guards of the lab that no model has, each with the reason. */
export const unmodeled: Record<string, string> = {
  'a notice counts once':
    'a notice is looked up and taken in one transaction: between two of them there is nothing to interleave',
};

/** What only the models try to do without. */
export const ownGuards: Variant[] = [
  without('handoff', 'a verdict is of one gate', 'DEATHS', 'VERDICTS_UNFENCED'),
  without('handoff', 'no gate opens while what was open is being held', 'BACK', 'TROUBLES=2', 'GATES_WHILE_HOLDING'),
  without('handoff', 'a history that is gone and the next have no attempt in common', 'BACK', 'REUSES_ATTEMPTS'),
  without('handoff', 'an answer is taken back only while nobody has claimed it', 'DEATHS', 'UNDOES_BLINDLY'),
  without(
    'handoff',
    'no answer is taken back while what was open is being held',
    'BACK',
    'TROUBLES=2',
    'UNDOES_WHILE_HOLDING',
  ),
  without('handoff', 'a late 4yz ends no hold', 'BACK', 'PUT_OFF_ENDS_HOLDS'),
  without('upstream', 'what may be at one upstream goes to no other', 'LEAVES_ITS_RELAY'),
  without('upstream', 'no repeat beyond the life of its key', 'REPEATS_FOR_EVER'),
  without('outbox', 'no request beyond the life of its key', 'ASKS_BEYOND_THE_KEY'),
  without('outbox', 'a claim counts as possibly accepted', 'FORGETS_TRIES'),
  without('outbox', 'a row keeps its key', 'KEY_OF_THE_CLAIM'),
  without('outbox', 'an answer rules out its own request only', 'CLEARS_TOO_MUCH'),
];
