/** Who serves: each process of a shared database says every now and then that it lives. */

import { AppError } from '../core/error.ts';
import type { Database, Reader, Transaction } from './database.ts';

/** A process without a beat for so long is dead: seven beats were lost, or it stands still. */
export const deadAfterMs = 15_000;

/** Rows of the dead are kept for a day, for whoever looks. */
const forgottenAfterMs = 24 * 60 * 60_000;

/** False: it is the first beat, or there was none for so long that others may have taken this process for dead. */
export async function beat(tx: Transaction, id: string, now: number): Promise<boolean> {
  const isSteady = await tx.run(
    'update workers set beat_at = ? where id = ? and beat_at > ?',
    now,
    id,
    now - deadAfterMs,
  );
  if (isSteady === 1) return true;
  await tx.run('delete from workers where beat_at < ?', now - forgottenAfterMs);
  await tx.run(
    `insert into workers (id, started_at, beat_at) values (?, ?, ?)
     on conflict (id) do update set beat_at = excluded.beat_at`,
    id,
    now,
    now,
  );
  return false;
}

export async function sayGoodbye(tx: Transaction, id: string): Promise<void> {
  await tx.run('delete from workers where id = ?', id);
}

/** Whether any process serves the database, as far as its beats tell: not for SQLite, whose lock does. */
export async function isServed(database: Database): Promise<boolean> {
  return (await hasSchema(database)) && isAnyAlive(database, database.wall());
}

export async function isAnyAlive(reader: Reader, now: number): Promise<boolean> {
  const alive = await reader.all('select id from workers where beat_at > ? limit 1', now - deadAfterMs);
  return alive.length > 0;
}

async function hasSchema(database: Database): Promise<boolean> {
  try {
    await database.all('select id from workers limit 1');
    return true;
  } catch (error) {
    if (error instanceof AppError) throw error;
    return false;
  }
}
