/** How much waits, counted in the transactions that change it: what may be millions is never read to be shown as a number. */

import type { Reader, Transaction } from './database.ts';

/** Deliveries by state, and what webhooks are still to be told. What is under way is bounded, and counted where it stands. */
export type CountName = 'queued' | 'in_doubt' | 'untold';

/** `recipients` of deliveries. */
export type Count = { items: number; recipients: number };

/** What is to be told is counted for all accounts together. */
export const everyAccount = '';

/** Each connection adds to a row of its own (`writer`), so that it waits for no other's commit. */
export function addToCount(tx: Transaction, account: string, name: CountName, more: Count): void {
  if (more.items === 0 && more.recipients === 0) return;
  tx.add(countsOf(tx.writer), [account, name], [more.items, more.recipients]);
}

/** By the connection. */
const texts = new Map<string, string>();

function countsOf(writer: string): string {
  const known = texts.get(writer);
  if (known !== undefined) return known;
  const made = `insert into counts (account, name, writer, items, recipients) values (?, ?, ${writer}, ?, ?)
     on conflict (account, name, writer) do update set
       items = counts.items + excluded.items, recipients = counts.recipients + excluded.recipients`;
  texts.set(writer, made);
  return made;
}

/** A sum of several rows in SQL: `items` or `recipients` of one account, or of all where it is null. */
export function countSql(name: CountName, column: keyof Count, account: '?' | null): string {
  const where = account === null ? '' : 'account = ? and ';
  return `(select coalesce(sum(${column}), 0) from counts where ${where}name = '${name}')`;
}

/** Of one account. */
export async function findCount(reader: Reader, account: string, name: CountName): Promise<number> {
  const [row] = await reader.all<{ items: number | string }>(
    `select ${countSql(name, 'items', '?')} as items`,
    account,
  );
  // PostgreSQL adds bigints up to a numeric, which may come as text.
  return Number(row?.items ?? 0);
}
