/** The states of a delivery, and what is said of an edge from one to another. */

import type { EventType } from './event.ts';

/** States of a delivery; the same words stand in SQL, docs and the command line. */
export const deliveryStates = [
  'queued',
  'sending',
  'handoff',
  'in_doubt',
  'sent',
  'delivered',
  'bounced',
  'failed',
  'suppressed',
  'canceled',
] as const;

export type DeliveryState = (typeof deliveryStates)[number];

/**
 * What must be in the row for the edge to be taken, beside the state it leaves. `attempt`: the attempt that the mover knows.
 * `handoff_attempt`: the attempt whose final dot was allowed to leave, whatever happened since. `state`: the state alone, for
 * people, who hold no attempt.
 */
export type Fence = 'attempt' | 'handoff_attempt' | 'state';

/**
 * Columns whose values the mover brings along. `held_until`: its time in doubt is given back to it up to then; `held_again`: what was
 * given back up to then is taken again, since it was in doubt all along. `tried`: the relay it came to, and those passed over.
 * `repeat_until`: when its key ends, where it has one; `no_repeats`: never again under that one. What an edge does not set `waits_for`
 * to, waits for nothing but its time.
 */
export type MovedColumn =
  | 'run_at'
  | 'reply'
  | 'recipients'
  | 'worker'
  | 'gated_at'
  | 'content_hash'
  | 'give_up_at'
  | 'held_until'
  | 'held_again'
  | 'tried'
  | 'repeat_until'
  | 'no_repeats'
  | 'upstream_id'
  | 'waits_for';

export type Edge = {
  from: readonly DeliveryState[];
  to: DeliveryState;
  fence: Fence;
  /**
   * Not if it may have left once already, if any attempt came to something, once it was held, while all is being held, while it waits
   * and nothing of it can have left, or where nobody knows that it is being sent again.
   */
  unless?: 'may_have_left' | 'was_tried' | 'was_held' | 'all_is_being_held' | 'has_not_left' | 'is_not_sent_again';
  /**
   * The attempt is counted on: whoever holds the delivery is fenced from here on. `far`: to a number that no attempt has had which
   * the database, gone back in time, does not know of.
   */
  ends?: true | 'far';
  /** `own_gate`: the gate this very attempt has passed is taken back. */
  counts?: {
    tries?: '+ 1';
    failures?: '+ 1' | '= 0';
    unanswered?: '+ 1' | '- 1' | 'own_gate';
    possible_duplicate?: '+ 1' | '- 1';
    /** Attempts that ended without a word, since the last one that had something to say. */
    wordless?: '+ 1' | '= 0';
    /** How far an attempt made alone has come (core/silence.ts). */
    alone?: '= 0' | '= 1' | '= 2' | '= 3';
  };
  sets: readonly MovedColumn[];
  /** What is told, in this order. */
  events?: readonly EventType[];
  /** Only the first failure in a row is told: one event for a relay that is away, not one each try. */
  tells?: 'first_failure';
  /** Who decided, where it was not the relay. */
  by?: 'operator' | 'policy' | 'notice';
};
