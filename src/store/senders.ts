/** Senders an account has named, to be referred to by number. */

import type { Reader, Transaction } from './database.ts';

export type Sender = { id: number; name: string; email: string };

/**
 * Two transactions may pick the same number at once: whoever loses picks the next. One loses at most as often as others are
 * under way, and ten were too few for twenty of them.
 */
const picksMax = 1_000;

/** Null: the account has a sender of this address. */
export async function insertSender(
  tx: Transaction,
  account: string,
  { name, email, now }: Omit<Sender, 'id'> & { now: number },
): Promise<number | null> {
  for (let pick = 0; pick < picksMax; pick++) {
    if (await findByEmail(tx, account, email)) return null;
    const [row] = await tx.all<{ id: number }>(
      'select coalesce(max(id), 0) + 1 as id from senders where account = ?',
      account,
    );
    const id = row?.id ?? 1;
    const inserted = await tx.run(
      'insert into senders (account, id, name, email, created_at) values (?, ?, ?, ?, ?) on conflict do nothing',
      account,
      id,
      name,
      email,
      now,
    );
    if (inserted === 1) return id;
  }
  throw new Error('no number is free for a sender');
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

/** False: another sender of the account has this address. */
export async function updateSender(tx: Transaction, account: string, sender: Sender): Promise<boolean> {
  const other = await findByEmail(tx, account, sender.email);
  if (other && other.id !== sender.id) return false;
  await tx.run(
    'update senders set name = ?, email = ? where account = ? and id = ?',
    sender.name,
    sender.email,
    account,
    sender.id,
  );
  return true;
}

/** False: there was none. */
export async function deleteSender(tx: Transaction, account: string, id: number): Promise<boolean> {
  return (await tx.run('delete from senders where account = ? and id = ?', account, id)) === 1;
}
