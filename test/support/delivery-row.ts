/** A delivery's row as a value, and what each edge of the table makes of it: the judge of what engines do. */

import { type EdgeName, edges } from '../../src/core/delivery.ts';
import type { DeliveryState, Edge } from '../../src/core/delivery-state.ts';
import type { EventType } from '../../src/core/event.ts';
import { farAttempts } from '../../src/store/mail/edge-columns.ts';

export type DeliveryRow = {
  state: DeliveryState;
  attempt: number;
  handoffAttempt: number | null;
  tries: number;
  failures: number;
  unanswered: number;
  possibleDuplicate: number;
  wordless: number;
  alone: number;
};

export const edgeNames = Object.keys(edges) as EdgeName[];

/** Null: the edge cannot be taken by who knows this much of the row. */
export function take(
  edge: Edge,
  row: DeliveryRow,
  known: DeliveryRow,
): { row: DeliveryRow; events: EventType[] } | null {
  if (!edge.from.includes(row.state) || !isFenceRight(edge, row, known) || isBarred(edge, row)) return null;
  const { counts = {} } = edge;
  const isOwnGate = counts.unanswered === 'own_gate' && row.handoffAttempt === row.attempt;
  const unanswered = { '+ 1': 1, '- 1': -1, own_gate: isOwnGate ? -1 : 0 }[counts.unanswered ?? 'own_gate'];
  const handoffAttempt = edge.to === 'handoff' ? row.attempt : isOwnGate ? null : row.handoffAttempt;
  const failures = counts.failures === '= 0' ? 0 : row.failures + (counts.failures ? 1 : 0);
  const isTold = edge.tells !== 'first_failure' || failures === 1;
  return {
    row: {
      state: edge.to,
      attempt: row.attempt + (edge.ends === 'far' ? farAttempts : edge.ends ? 1 : 0),
      handoffAttempt,
      tries: row.tries + (counts.tries ? 1 : 0),
      failures,
      unanswered: row.unanswered + (counts.unanswered ? unanswered : 0),
      possibleDuplicate: row.possibleDuplicate + Number((counts.possible_duplicate ?? '0').replace(' ', '')),
      wordless: counts.wordless === '= 0' ? 0 : row.wordless + (counts.wordless ? 1 : 0),
      alone: counts.alone ? Number(counts.alone.slice(2)) : row.alone,
    },
    events: isTold ? [...(edge.events ?? [])] : [],
  };
}

function isFenceRight({ fence }: Edge, row: DeliveryRow, known: DeliveryRow): boolean {
  if (fence === 'state') return true;
  if (fence === 'attempt') return row.attempt === known.attempt;
  return row.handoffAttempt !== null && row.handoffAttempt === known.handoffAttempt;
}

function isBarred({ unless }: Edge, row: DeliveryRow): boolean {
  if (unless === 'may_have_left') return row.possibleDuplicate > 0;
  if (unless === 'is_not_sent_again') return row.possibleDuplicate === 0;
  if (unless === 'was_held') return row.handoffAttempt === null || row.attempt > row.handoffAttempt + 1;
  if (unless === 'has_not_left') {
    return ['queued', 'sending'].includes(row.state) && row.unanswered === 0 && row.possibleDuplicate === 0;
  }
  return unless === 'was_tried' && (row.tries > 0 || row.handoffAttempt !== null || row.possibleDuplicate > 0);
}

/** What the mover knows by its fence. */
export function fenceOf({ fence }: Edge, known: DeliveryRow): number | undefined {
  if (fence === 'state') return undefined;
  return (fence === 'attempt' ? known.attempt : known.handoffAttempt) ?? -1;
}
