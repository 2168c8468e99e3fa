/** Whether the database answers: one small read with little patience, whatever asks, and however often. */

import type { Reader } from '../store/database.ts';

/** Less than a probe waits for us, more than a loaded database needs for one row. */
const patienceMs = 1_500;

/** Those who ask while a read is under way share it: nobody can make a database that is down be asked more and more. */
export function createPulse(database: Reader): () => Promise<boolean> {
  let asked: Promise<boolean> | null = null;
  return () => {
    asked ??= within(patienceMs, answers(database)).finally(() => {
      asked = null;
    });
    return asked;
  };
}

/** A row of a table: without one SQLite would not look into its file. */
async function answers(database: Reader): Promise<boolean> {
  try {
    await database.all('select id from accounts limit 1');
    return true;
  } catch {
    return false;
  }
}

async function within(ms: number, answer: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
