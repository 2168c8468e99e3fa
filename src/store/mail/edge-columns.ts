/** What an edge sets, counts and minds, as SQL. */

import type { Edge, MovedColumn } from '../../core/delivery-state.ts';

/** While what may have left is being held (`went-back.ts`) there is such a row. */
export const nothingIsHeld = "not exists (select 1 from settings where name = 'holding')";

export const conditions = {
  may_have_left: 'possible_duplicate = 0',
  has_not_left: "(state in ('handoff', 'in_doubt') or unanswered > 0 or possible_duplicate > 0)",
  // Nor while all is being held: in a history that is gone it may have left since.
  is_not_sent_again: `possible_duplicate > 0 and ${nothingIsHeld}`,
  was_tried: 'tries = 0 and handoff_attempt is null and possible_duplicate = 0',
  // Beyond its gate only the doubt about it has counted on.
  was_held: 'attempt <= handoff_attempt + 1',
  all_is_being_held: nothingIsHeld,
};

/** More attempts than one delivery has in all the time that a copy of a database may be behind. */
export const farAttempts = 1_000;

export function countsOf({ to, ends, counts = {} }: Edge): string[] {
  const { tries, failures, unanswered, possible_duplicate, wordless, alone } = counts;
  return [
    ...(ends ? [`attempt = attempt + ${ends === 'far' ? farAttempts : 1}`] : []),
    ...(to === 'handoff' ? ['handoff_attempt = attempt'] : []),
    ...(tries ? [`tries = tries ${tries}`] : []),
    ...(failures ? [failures === '= 0' ? 'failures = 0' : `failures = failures ${failures}`] : []),
    ...(unanswered ? (unanswered === 'own_gate' ? ownGateTakenBack : [`unanswered = unanswered ${unanswered}`]) : []),
    ...(possible_duplicate ? [`possible_duplicate = possible_duplicate ${possible_duplicate}`] : []),
    ...(wordless ? [wordless === '= 0' ? 'wordless = 0' : `wordless = wordless ${wordless}`] : []),
    ...(alone ? [`alone ${alone}`] : []),
  ];
}

/** Only this attempt's own: an earlier one may still get its verdict. */
const ownGateTakenBack = [
  'unanswered = unanswered - case when handoff_attempt = attempt then 1 else 0 end',
  'handoff_attempt = case when handoff_attempt = attempt then null else handoff_attempt end',
];

export const columnSql: Record<MovedColumn, string> = {
  run_at: 'run_at = ?',
  reply: 'reply = ?, said = ?',
  recipients: 'recipients = ?, recipient_count = ?',
  worker: 'worker = ?',
  gated_at: 'gated_at = ?',
  content_hash: 'content_hash = ?',
  give_up_at: 'give_up_at = ?',
  // Time spent held does not count against the three days; they begin anew for what was held before any gate.
  held_until: `give_up_at = case when gated_at is null then ?
    else give_up_at + case when gated_at < ? then ? - gated_at else 0 end end`,
  held_again: 'give_up_at = give_up_at - case when gated_at < ? then ? - gated_at else 0 end',
  tried: 'relay = ?, passed_over = ?',
  waits_for: 'waits_for = ?',
  // The first of two requests under one key may be the one that counts.
  repeat_until:
    'repeat_until = case when possible_duplicate > 0 and repeat_until is not null then repeat_until else ? end',
  no_repeats: 'repeat_until = null',
  upstream_id: 'upstream_id = ?',
};

export const columnParams: Record<MovedColumn, string[]> = {
  run_at: ['run_at'],
  reply: ['reply', 'said'],
  recipients: ['recipients', 'recipient_count'],
  worker: ['worker'],
  gated_at: ['gated_at'],
  content_hash: ['content_hash'],
  give_up_at: ['give_up_at'],
  held_until: ['expires_at', 'held_until', 'held_until'],
  held_again: ['held_again', 'held_again'],
  tried: ['relay', 'passed_over'],
  waits_for: ['waits_for'],
  repeat_until: ['repeat_until'],
  no_repeats: [],
  upstream_id: ['upstream_id'],
};
