/** What is kept as counts beside what a walk over the rows finds: the two must never differ. */

import assert from 'node:assert/strict';
import type { Reader, Transaction } from '../../src/store/database.ts';

/** By walking, in the columns of `counts`. */
const walkSql = `
  select account, state as name, count(*) as items, sum(recipient_count) as recipients
    from deliveries where state in ('queued', 'in_doubt') group by account, state
  union all select '', 'untold', count(*), 0 from webhook_deliveries where state = 'pending' having count(*) > 0`;

const countedSql = `select account, name, sum(items) as items, sum(recipients) as recipients from counts
  group by account, name having sum(items) <> 0 or sum(recipients) <> 0`;

export async function assertCounted(reader: Reader): Promise<void> {
  assert.deepEqual(await linesOf(reader, countedSql), await linesOf(reader, walkSql));
}

type Row = { account: string; name: string; items: number | string; recipients: number | string };

async function linesOf(reader: Reader, sql: string): Promise<string[]> {
  const rows = await reader.all<Row>(sql);
  return rows.map((row) => `${row.account} ${row.name}: ${row.items} of ${row.recipients}`).sort();
}

/** For tests that write rows which the program never writes so. */
export async function recount(tx: Transaction): Promise<void> {
  await tx.run('delete from counts');
  await tx.run(
    `insert into counts (account, name, writer, items, recipients)
     select account, name, 0, items, recipients from (${walkSql}) w`,
  );
}
