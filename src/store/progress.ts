/** How far a database has come, which a witness outside it compares. */

import { ensureSetting, findSetting, putSetting } from './accounts.ts';
import type { Reader, Transaction } from './database.ts';

export type Progress = {
  /** Made at the first start: tells databases apart. */
  databaseId: string;
  /** Counts starts. */
  generation: number;
  /** The highest event id; 0 where there is none. */
  eventId: number;
};

const generationSetting = 'generation';

/** Null before the first start. */
export async function findProgress(reader: Reader): Promise<Progress | null> {
  const databaseId = await findSetting(reader, 'database_id');
  if (databaseId === null) return null;
  const generation = Number((await findSetting(reader, generationSetting)) ?? 0);
  const [last] = await reader.all<{ id: number | null }>('select max(id) as id from events');
  return { databaseId, generation, eventId: last?.id ?? 0 };
}

/** A start: the generation is one more than the database, and than whatever witness was found. */
export async function beginGeneration(tx: Transaction, databaseId: string, witnessed: number): Promise<void> {
  await ensureSetting(tx, 'database_id', databaseId);
  const generation = Number((await findSetting(tx, generationSetting)) ?? 0);
  await putSetting(tx, generationSetting, String(Math.max(generation, witnessed) + 1));
}
