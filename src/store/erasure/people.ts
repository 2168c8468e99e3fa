/** The people of an account that has ended: its contacts with all they chose, and whom its broadcasts went to. */

import { contactFacts } from '../../core/event.ts';
import type { Transaction } from '../database.ts';

/** Rows one transaction deletes of each table. */
const rowsAtOnce = 500;

/** By what each is found within its account. */
const tables: readonly [table: string, key: string][] = [
  ['segment_contacts', 'segment, contact'],
  ['topic_choices', 'contact, topic'],
  ['broadcast_recipients', 'broadcast, address_key'],
  ['contacts', 'id'],
  ['broadcasts', 'id'],
  ['request_logs', 'id'],
];

/** A step. False: there is nobody left. */
export async function forgetPeople(tx: Transaction, account: string): Promise<boolean> {
  for (const [table, key] of tables) {
    const deleted = await tx.run(
      `delete from ${table} where account = ? and (${key}) in (select ${key} from ${table} where account = ? limit ?)`,
      account,
      account,
      rowsAtOnce,
    );
    if (deleted > 0) return true;
  }
  return (await forgetContactFacts(tx, account)) > 0;
}

/** What webhooks were told of contacts, which stands in the events whole. */
async function forgetContactFacts(tx: Transaction, account: string): Promise<number> {
  const types = contactFacts.map((type) => `'${type}'`).join(', ');
  return tx.run(
    `delete from events where id in (select id from events where account = ? and type in (${types}) order by id limit ?)`,
    account,
    rowsAtOnce,
  );
}
