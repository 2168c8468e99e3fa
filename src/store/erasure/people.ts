/** The people of an account that has ended: its contacts with all they chose, and whom its broadcasts went to. */

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
  return false;
}
