/** Inserts of many rows: some of them at once, since a statement costs about as much as a row of its own. */

import { type Awaitable, type SqlValue, type Transaction, together } from './database.ts';

/** Few enough that every engine takes the parameters of the widest; beyond it nothing is won. */
const atOnce = 10;

/** By table and columns: one row, and as many as go at once. */
const texts = new Map<string, { one: string; some: string }>();

/** `into`: a table and its columns, as `notes (id, text)`. All rows together, which over a network is one way there and back. */
export function insertRows(tx: Transaction, into: string, rows: readonly SqlValue[][]): Awaitable<unknown> {
  const { one, some } = textsOf(into);
  const [only] = rows;
  if (rows.length === 1 && only) return tx.run(one, ...only);
  const inserted: Awaitable<number>[] = [];
  const whole = rows.length - (rows.length % atOnce);
  for (let from = 0; from < whole; from += atOnce)
    inserted.push(tx.run(some, ...rows.slice(from, from + atOnce).flat()));
  for (const row of rows.slice(whole)) inserted.push(tx.run(one, ...row));
  return together(inserted);
}

function textsOf(into: string): { one: string; some: string } {
  const known = texts.get(into);
  if (known) return known;
  const row = `(${into.split(',').fill('?').join(', ')})`;
  const made = {
    one: `insert into ${into} values ${row}`,
    some: `insert into ${into} values ${Array(atOnce).fill(row).join(', ')}`,
  };
  texts.set(into, made);
  return made;
}
