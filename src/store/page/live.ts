/** Whether anything happened since a moment: reads of the ends of indexes. */

import type { Reader } from '../database.ts';

export async function newestEventId(reader: Reader): Promise<number> {
  const [row] = await reader.all<{ id: number | null }>('select max(id) as id from events');
  return row?.id ?? 0;
}

/** Beyond it a page that was away for long is told about some accounts only by their next event. */
const eventsLooked = 1_000;

/** The newest event of each account that has some after `last`. */
export async function newestEventIds(reader: Reader, last: number): Promise<Map<string, number>> {
  const rows = await reader.all<{ account: string; id: number }>(
    `select account, max(id) as id from
       (select account, id from events where id > ? order by id desc limit ?) e group by account`,
    last,
    eventsLooked,
  );
  return new Map(rows.map((row) => [row.account, row.id]));
}

export async function newestEmailId(reader: Reader, account: string): Promise<string> {
  const [row] = await reader.all<{ id: string }>(
    'select id from emails where account = ? order by id desc limit 1',
    account,
  );
  return row?.id ?? '';
}

/** Changes with each replay and conflict that was written down: uses of keys make no event. */
export async function newestUses(reader: Reader, account: string): Promise<string> {
  const [row] = await reader.all<{ hour: number; uses: number }>(
    'select hour, replays + conflicts as uses from rollups where account = ? order by hour desc limit 1',
    account,
  );
  return row ? `${row.hour}-${row.uses}` : '';
}
