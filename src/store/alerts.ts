/** Troubles as they begin and end, told once each: whichever process sees one first, and whichever is there to tell it. */

import type { Alert, Trouble, TroubleName } from '../core/alert.ts';
import type { Reader, Transaction } from './database.ts';

export type Way = 'email' | 'webhook';

type Row = {
  name: TroubleName;
  figure: number;
  change: number;
  began_at: number;
  ended_at: number | null;
};

const columns = 'name, figure, change, began_at, ended_at';

/** Goes on, or begins. */
export async function noteTrouble(tx: Transaction, trouble: Trouble, now: number): Promise<void> {
  const { name, figure, isOnlyKept = false } = trouble;
  const goesOn = await tx.run('update alerts set seen_at = ? where name = ? and ended_at is null', now, name);
  if (goesOn > 0 || isOnlyKept) return;
  await tx.run(
    `insert into alerts (name, figure, change, began_at, seen_at) values (?, ?, 1, ?, ?)
     on conflict (name) do update set figure = excluded.figure, change = alerts.change + 1, began_at = excluded.began_at,
       seen_at = excluded.seen_at, ended_at = null`,
    name,
    figure,
    now,
    now,
  );
}

/** Those that no process has seen since. */
export async function endTroubles(tx: Transaction, seenBefore: number, now: number): Promise<void> {
  await tx.run(
    'update alerts set ended_at = ?, change = change + 1 where ended_at is null and seen_at < ?',
    now,
    seenBefore,
  );
}

export async function listTroubles(reader: Reader): Promise<TroubleName[]> {
  const rows = await reader.all<{ name: TroubleName }>('select name from alerts where ended_at is null order by name');
  return rows.map(({ name }) => name);
}

/** What goes on right now, the oldest first. */
export async function listOpenAlerts(reader: Reader): Promise<Alert[]> {
  const rows = await reader.all<Row>(`select ${columns} from alerts where ended_at is null order by began_at, name`);
  return rows.map(toAlert);
}

/** Beginnings and ends that were not told this way. */
export async function listUntold(reader: Reader, way: Way): Promise<Alert[]> {
  const rows = await reader.all<Row>(`select ${columns} from alerts where change > told_${way} order by began_at`);
  return rows.map(toAlert);
}

export async function markTold(tx: Transaction, way: Way, { name, change }: Alert): Promise<void> {
  await tx.run(`update alerts set told_${way} = ? where name = ? and told_${way} < ?`, change, name, change);
}

/** False: another process is at it. */
export async function claimWebhook(
  tx: Transaction,
  { name, change }: Alert,
  { now, until }: { now: number; until: number },
): Promise<boolean> {
  const claimed = await tx.run(
    'update alerts set webhook_at = ? where name = ? and change = ? and told_webhook < change and webhook_at <= ?',
    until,
    name,
    change,
    now,
  );
  return claimed === 1;
}

function toAlert({ name, figure, change, began_at, ended_at }: Row): Alert {
  return { name, figure, change, beganAt: began_at, endedAt: ended_at };
}
