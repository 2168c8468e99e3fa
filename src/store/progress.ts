/** How far a database has come, which a witness outside it compares, and that one was found to have gone back in time. */

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

/** A database that was found to be behind its witness, and what became of its open deliveries. */
export type WentBack = {
  /** Epoch milliseconds when it was found. */
  at: number;
  /** What the witness had seen. */
  from: { generation: number; eventId: number };
  held: number;
  /** False while they are being held: a start that died in between goes on. */
  isDone: boolean;
};

const generationSetting = 'generation';
const wentBackSetting = 'went_back';

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

export async function findWentBack(reader: Reader): Promise<WentBack | null> {
  const text = await findSetting(reader, wentBackSetting);
  return text === null ? null : JSON.parse(text);
}

export async function recordWentBack(tx: Transaction, wentBack: WentBack): Promise<void> {
  await putSetting(tx, wentBackSetting, JSON.stringify(wentBack));
}
