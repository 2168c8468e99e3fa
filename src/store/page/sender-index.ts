/** Finding older emails by sender and relay: what an older version has indexed is gone through once more, the newest first. */

import type { Reader, Transaction } from '../database.ts';
import { findCursor, holdCursor, moveCursor } from './rollups.ts';
import { addTerm } from './search-index.ts';
import { relayTerm, senderTerm } from './search-query.ts';

const cursorOf = (account: string) => `senders ${account}`;

/** Accounts that have such emails left. */
export async function accountsToIndex(reader: Reader): Promise<string[]> {
  const rows = await reader.all<{ name: string }>(
    "select name from cursors where name >= 'senders ' and name < 'senders!' and position <> '' order by name",
  );
  return rows.map(({ name }) => name.slice('senders '.length));
}

/** Tells whether there may be more. */
export async function indexSenders(tx: Transaction, account: string, limit: number): Promise<boolean> {
  const position = await holdCursor(tx, cursorOf(account));
  if (!position) return false;
  const rows = await tx.all<{ id: string; summary: string }>(
    'select id, summary from emails where account = ? and id <= ? order by id desc limit ?',
    account,
    position,
    limit,
  );
  for (const { id, summary } of rows) {
    const { from }: { from?: string } = JSON.parse(summary);
    if (from !== undefined) await addTerm(tx, account, senderTerm(from), id);
    for (const relay of await relaysOf(tx, account, id)) await addTerm(tx, account, relayTerm(relay), id);
  }
  const oldest = rows.at(-1)?.id;
  const next = rows.length < limit || oldest === undefined ? '' : await before(tx, account, oldest);
  await moveCursor(tx, cursorOf(account), next);
  return next !== '';
}

async function relaysOf(tx: Transaction, account: string, emailId: string): Promise<string[]> {
  const rows = await tx.all<{ relay: string }>(
    'select distinct relay from deliveries where account = ? and email_id = ? and relay is not null',
    account,
    emailId,
  );
  return rows.map(({ relay }) => relay);
}

async function before(tx: Transaction, account: string, id: string): Promise<string> {
  const [row] = await tx.all<{ id: string }>(
    'select id from emails where account = ? and id < ? order by id desc limit 1',
    account,
    id,
  );
  return row?.id ?? '';
}

/** The newest email that is not found by sender and relay yet; null where all are. */
export async function findUnnamed(reader: Reader, account: string): Promise<string | null> {
  return (await findCursor(reader, cursorOf(account))) || null;
}
