/** How far the index behind the search has come. */

import { idTime } from '../../core/token.ts';
import type { Reader } from '../database.ts';
import { findCursor } from './rollups.ts';
import { termsCursor } from './search-index.ts';

/** When the first email was accepted that cannot be searched for yet; null where all can. */
export async function findUnindexed(reader: Reader, account: string): Promise<number | null> {
  const [next] = await reader.all<{ id: string }>(
    'select id from emails where account = ? and id > ? order by id limit 1',
    account,
    await findCursor(reader, termsCursor(account)),
  );
  return next ? idTime(next.id) : null;
}
