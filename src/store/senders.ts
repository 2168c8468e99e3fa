/** Senders an account has named, to be referred to by number. */

import assert from 'node:assert/strict';
import { lockAccount } from './accounts.ts';
import type { Reader, Transaction } from './database.ts';

export type Sender = { id: number; name: string; email: string };

/** Null: the account has a sender of this address. */
export async function insertSender(
  tx: Transaction,
  account: string,
  { name, email, now }: Omit<Sender, 'id'> & { now: number },
): Promise<number | null> {
  // Of two that are made at once, the second one finds the first one's address and number.
  await lockAccount(tx, account);
  if (await findByEmail(tx, account, email)) return null;
  const [row] = await tx.all<{ id: number }>(
    'insert into senders (account, id, name, email, created_at) values (?, ?, ?, ?, ?) returning id',
    account,
    await nextNumber(tx, account),
    name,
    email,
    now,
  );
  assert(row, 'nobody else takes a number of this account');
  return row.id;
}

/** Never one that was given before, whatever was deleted since. */
async function nextNumber(tx: Transaction, account: string): Promise<number> {
  await tx.run('update accounts set last_sender_id = last_sender_id + 1 where id = ?', account);
  const [row] = await tx.all<{ id: number }>('select last_sender_id as id from accounts where id = ?', account);
  assert(row, 'senders belong to an account that exists');
  return row.id;
}

async function findByEmail(reader: Reader, account: string, email: string): Promise<Sender | null> {
  const [row] = await reader.all<Sender>(
    'select id, name, email from senders where account = ? and email = ?',
    account,
    email,
  );
  return row ?? null;
}

export async function findSender(reader: Reader, account: string, id: number): Promise<Sender | null> {
  const [row] = await reader.all<Sender>(
    'select id, name, email from senders where account = ? and id = ?',
    account,
    id,
  );
  return row ?? null;
}

export async function listSenders(reader: Reader, account: string): Promise<Sender[]> {
  return reader.all<Sender>('select id, name, email from senders where account = ? order by id', account);
}

/** What is left out stays, as it is at this moment. `taken`: another sender of the account has this address. */
export async function updateSender(
  tx: Transaction,
  account: string,
  id: number,
  change: Partial<Omit<Sender, 'id'>>,
): Promise<'changed' | 'taken' | 'missing'> {
  await lockAccount(tx, account);
  const known = await findSender(tx, account, id);
  if (!known) return 'missing';
  const { name = known.name, email = known.email } = change;
  const other = await findByEmail(tx, account, email);
  if (other && other.id !== id) return 'taken';
  const changed = await tx.run(
    'update senders set name = ?, email = ? where account = ? and id = ?',
    name,
    email,
    account,
    id,
  );
  return changed === 1 ? 'changed' : 'missing';
}

/** False: there was none. */
export async function deleteSender(tx: Transaction, account: string, id: number): Promise<boolean> {
  return (await tx.run('delete from senders where account = ? and id = ?', account, id)) === 1;
}
