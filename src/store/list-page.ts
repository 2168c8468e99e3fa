/** One page of a list whose ids grow with time: newest first, from a cursor that is itself left out. */

import type { Reader, SqlValue } from './database.ts';

export type ListPage = {
  /** Null: all there are. */
  limit: number | null;
  /** Ids; at most one of the two is set. */
  after: string | null;
  before: string | null;
};

export type Listed<R> = { rows: R[]; hasMore: boolean };

type ListQuery = {
  /** `select … from … where …`, to which `and` can be added. */
  sql: string;
  params: readonly SqlValue[];
  /** The column of the ids. */
  id?: string;
};

/** More than this in one answer nobody reads: where no limit is named, it is this one. */
const rowsMax = 10_000;

export async function readPage<R>(reader: Reader, query: ListQuery, page: ListPage): Promise<Listed<R>> {
  const { sql, params, id = 'id' } = query;
  const limit = page.limit ?? rowsMax;
  const cursor = page.before ?? page.after;
  const isBackwards = page.before !== null;
  const rows = await reader.all<R>(
    `${sql} ${cursor === null ? '' : `and ${id} ${isBackwards ? '>' : '<'} ?`} order by ${id} ${isBackwards ? 'asc' : 'desc'} limit ?`,
    ...params,
    ...(cursor === null ? [] : [cursor]),
    limit + 1,
  );
  const shown = rows.slice(0, limit);
  return { rows: isBackwards ? shown.reverse() : shown, hasMore: rows.length > limit };
}
