/**
 * The condition of the partial index of what is open but not queued. SQLite uses such an index only where its condition stands in the
 * query word for word, and for a list of three words it makes a table each time a row is written: it is written out.
 */

import type { DeliveryState } from '../../core/delivery-state.ts';

/** `of`: what the query calls the table, with a dot. */
export function isOpen(of: 'd.' | '' = ''): string {
  return `(${of}state = 'sending' or ${of}state = 'handoff' or ${of}state = 'in_doubt')`;
}

/** The same of one state. */
export function isOpenAs(
  state: Extract<DeliveryState, 'sending' | 'handoff' | 'in_doubt'>,
  of: 'd.' | '' = '',
): string {
  return `${isOpen(of)} and ${of}state = '${state}'`;
}
