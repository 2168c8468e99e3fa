/**
 * What is kept of a database that went back in time: that it did, how far what was open then is held, and whose history the
 * database goes on with. While a hold is under way nothing is claimed, canceled or rescheduled.
 */

import { cannotWrite } from '../core/error.ts';
import { afterAllIds } from '../core/token.ts';
import { deleteSetting, findSetting, putSetting } from './accounts.ts';
import type { DatabaseReader, Reader, Transaction } from './database.ts';
import { holdables, holdSome } from './mail/hold.ts';
import { findProgress, type Progress } from './progress.ts';

/** A database that was found to be behind, and what became of its open deliveries. */
export type WentBack = {
  /** Epoch milliseconds when it was found. */
  at: number;
  /** What was seen before. */
  from: Pick<Progress, 'generation' | 'eventId'>;
  held: number;
  /** False while they are being held: a process that dies in between is succeeded by another. */
  isDone: boolean;
  /** The newest email there was then: what is accepted later cannot have left before. Absent: all of them. */
  until?: string;
};

/** Whose history the database goes on with. Rows of a standby tell of the primary before it. */
export type History = {
  /** Changes at each promotion; null where the engine has no such thing. */
  timeline: string | null;
  /** Commits wait for a standby: one that is promoted has all that was acknowledged. */
  isSynchronous: boolean;
  /** How often it was found to have gone back. */
  era: number;
};

const wentBackSetting = 'went_back';
const historySetting = 'history';
/** There while a hold is under way (`mail/claim.ts`). */
const holdingSetting = 'holding';

export async function findWentBack(reader: Reader): Promise<WentBack | null> {
  const text = await findSetting(reader, wentBackSetting);
  return text === null ? null : JSON.parse(text);
}

export async function recordWentBack(tx: Transaction, wentBack: WentBack): Promise<void> {
  await putSetting(tx, wentBackSetting, JSON.stringify(wentBack));
}

/** Null before the first arrival. */
export async function findHistory(reader: Reader): Promise<History | null> {
  const text = await findSetting(reader, historySetting);
  return text ? JSON.parse(text) : null;
}

/** Whoever judges next waits for this transaction. */
export async function lockHistory(tx: Transaction): Promise<History | null> {
  await tx.run(
    `insert into settings (name, value) values (?, '') on conflict (name) do update set value = settings.value`,
    historySetting,
  );
  return findHistory(tx);
}

export async function recordHistory(tx: Transaction, history: History): Promise<void> {
  await putSetting(tx, historySetting, JSON.stringify(history));
}

/** From its commit on nothing that was there before is claimed, until it is held. */
export async function beginHold(tx: Transaction, { at, from }: Pick<WentBack, 'at' | 'from'>): Promise<void> {
  const held = await heldUnserved(tx);
  await putSetting(tx, holdingSetting, '');
  await recordWentBack(tx, { at, from, held, isDone: false, until: await newestEmail(tx) });
}

/** Of a copy that was put back by a command, which has held what was open in it: no witness need be there to notice. */
export async function recordRestored(tx: Transaction, { at, held }: Pick<WentBack, 'at' | 'held'>): Promise<void> {
  const { generation = 0, eventId = 0 } = (await findProgress(tx)) ?? {};
  await recordWentBack(tx, { at, from: { generation, eventId }, held, isDone: true, until: await newestEmail(tx) });
}

/** What such a command has held. Each start begins a generation: the same one means that no server was started since. */
async function heldUnserved(tx: Transaction): Promise<number> {
  const [before, progress] = [await findWentBack(tx), await findProgress(tx)];
  return before && before.from.generation === progress?.generation ? before.held : 0;
}

/** Empty where there is none. */
async function newestEmail(tx: Transaction): Promise<string> {
  const [newest] = await tx.all<{ id: string | null }>(
    `select max((select id from emails where emails.account = accounts.id order by id desc limit 1)) as id from accounts`,
  );
  return newest?.id ?? '';
}

/** How many were held because the database went back; null where that never happened, or all of them are settled. */
export async function findHeldBack(database: DatabaseReader): Promise<number | null> {
  const wentBack = await findWentBack(database);
  if (!wentBack?.isDone || wentBack.held === 0) return null;
  const [left] = await database.report<{ part: number }>(
    `select part from deliveries where state = 'in_doubt' and email_id <= ? limit 1`,
    wentBack.until ?? afterAllIds,
  );
  return left ? wentBack.held : null;
}

/**
 * Holds some more of what was open. Several processes may take steps, one after the other. Null: nothing is to be held, or
 * another has done it; `isDone`: this step was the last.
 */
export async function holdStep(tx: Transaction, terms: { now: number; reason: string }): Promise<WentBack | null> {
  // Locks the row, on either engine.
  await tx.run('update settings set value = value where name = ?', wentBackSetting);
  const wentBack = await findWentBack(tx);
  if (!wentBack || wentBack.isDone) return null;
  const until = wentBack.until ?? afterAllIds;
  // What was queued is asked for twice: what is under way may come back to the queue meanwhile, and nothing leaves it.
  for (const state of [...holdables, 'queued'] as const) {
    const { found, held } = await holdSome(tx, state, { ...terms, until });
    if (found === 0) continue;
    wentBack.held += held;
    await recordWentBack(tx, wentBack);
    return wentBack;
  }
  await deleteSetting(tx, holdingSetting);
  await recordWentBack(tx, { ...wentBack, isDone: true });
  return { ...wentBack, isDone: true };
}

/** What is about to be held may have left: nobody can say that it was called off. @throws AppError `unavailable` */
export async function refuseWhileHolding(tx: Transaction): Promise<void> {
  if ((await findSetting(tx, holdingSetting)) === null) return;
  throw cannotWrite(new Error('the database went back in time, and what is open is being held'));
}
