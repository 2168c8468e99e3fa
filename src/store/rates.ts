/** The ledger of rates: what all processes have taken of each ceiling, in rows of their own, and how one takes more. */

import { type Ceiling, ceilingName, mostAt, rateWindows } from '../core/rate.ts';
import type { Reader, Transaction } from './database.ts';

/** How long a process may use what it has taken before it has to say so again. */
export const liveMs = 10_000;

/** Mails that have left within one slice of a window count together, until the last of them may be forgotten. */
const slicesEach = 50;

export type Slice = { slice: number; endsAt: number };

/** Where a mail that has left at `at` is counted. */
export function sliceOf({ ms }: Ceiling, at: number): Slice {
  const sliceMs = ms / slicesEach;
  const slice = Math.floor(at / sliceMs) + 1;
  return { slice, endsAt: Math.ceil(slice * sliceMs) + ms };
}

/** What a process says of one key. `live`: taken, and not known to have left; `left`: what has, since it said so last. */
export type Taking = {
  key: string;
  ceilings: readonly Ceiling[];
  live: number;
  left: readonly { window: Ceiling['window']; slice: number; endsAt: number; mails: number }[];
  /** How many more it would like. */
  wants: number;
};

/** `usedUp`: the longest ceiling of which nothing is left though more is wanted; `nextAt`: when something of it is free again, as far as is known. */
export type Granted = { more: number; usedUp: { ms: number; nextAt: number | null } | null };

/**
 * Writes down what has left, and takes more as far as every ceiling allows. A row of the key is held meanwhile, so that two never
 * count on the same place. Where others may want some, too, half of what is left is taken at most.
 */
export async function takeSome(
  tx: Transaction,
  worker: string,
  taking: Taking,
  { now, isShared }: { now: number; isShared: boolean },
): Promise<Granted> {
  const { key, ceilings, live, left, wants } = taking;
  if (wants > 0) await hold(tx, key, now);
  for (const one of left) await addToSlice(tx, ceilingName(key, one.window), worker, one);
  const seen = [];
  for (const ceiling of wants > 0 ? ceilings : []) {
    const { mails, endsAt } = await usedByOthers(tx, ceilingName(key, ceiling.window), worker, now);
    seen.push({ ms: ceiling.ms, nextAt: endsAt, free: Math.max(0, mostAt(ceiling, now) - mails - live) });
  }
  const more = seen.reduce((least, { free }) => Math.min(least, isShared ? Math.ceil(free / 2) : free), wants);
  const usedUp = seen.findLast(({ free }) => free <= more && more < wants) ?? null;
  for (const { window, ms } of ceilings) await writeLive(tx, ceilingName(key, window), worker, live + more, now + ms);
  return { more, usedUp };
}

async function hold(tx: Transaction, key: string, now: number): Promise<void> {
  await tx.run(
    'insert into rates (name, taken_at) values (?, ?) on conflict (name) do update set taken_at = excluded.taken_at',
    key,
    now,
  );
  for (const { name } of rateWindows) {
    await tx.run('delete from rate_uses where ceiling = ? and ends_at <= ?', ceilingName(key, name), now);
  }
}

async function addToSlice(
  tx: Transaction,
  ceiling: string,
  worker: string,
  { slice, endsAt, mails }: Slice & { mails: number },
): Promise<void> {
  await tx.run(
    `insert into rate_uses (ceiling, worker, slice, mails, ends_at) values (?, ?, ?, ?, ?)
     on conflict (ceiling, worker, slice) do update set mails = rate_uses.mails + excluded.mails`,
    ceiling,
    worker,
    slice,
    mails,
    endsAt,
  );
}

/** All but what this process may be using: that it knows best itself. */
async function usedByOthers(
  tx: Transaction,
  ceiling: string,
  worker: string,
  now: number,
): Promise<{ mails: number; endsAt: number | null }> {
  const [row] = await tx.all<{ mails: number; ends_at: number | null }>(
    `select cast(coalesce(sum(mails), 0) as bigint) as mails, min(ends_at) as ends_at from rate_uses
     where ceiling = ? and ends_at > ? and not (worker = ? and slice = 0)`,
    ceiling,
    now,
    worker,
  );
  return { mails: row?.mails ?? 0, endsAt: row?.ends_at ?? null };
}

async function writeLive(
  tx: Transaction,
  ceiling: string,
  worker: string,
  mails: number,
  until: number,
): Promise<void> {
  if (mails === 0) {
    await tx.run('delete from rate_uses where ceiling = ? and worker = ? and slice = 0', ceiling, worker);
    return;
  }
  await tx.run(
    `insert into rate_uses (ceiling, worker, slice, mails, ends_at) values (?, ?, 0, ?, ?)
     on conflict (ceiling, worker, slice) do update set mails = excluded.mails, ends_at = excluded.ends_at`,
    ceiling,
    worker,
    mails,
    until + liveMs,
  );
}

/** What counts of these ceilings at this moment; what nothing was taken of is not named. */
export async function readUses(
  reader: Reader,
  ceilings: readonly string[],
  now: number,
): Promise<ReadonlyMap<string, number>> {
  if (ceilings.length === 0) return new Map();
  const rows = await reader.all<{ ceiling: string; mails: number }>(
    `select ceiling, cast(sum(mails) as bigint) as mails from rate_uses
     where ends_at > ? and ceiling in (${ceilings.map(() => '?').join(', ')}) group by ceiling`,
    now,
    ...ceilings,
  );
  return new Map(rows.map(({ ceiling, mails }) => [ceiling, mails]));
}
