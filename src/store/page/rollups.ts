/** Figures by the hour: added up from emails and events that are committed, each exactly once. */

import type { FactType } from '../../core/event.ts';
import { uuidv7Floor } from '../../core/token.ts';
import type { Reader, Transaction } from '../database.ts';
import type { EventDetail } from '../mail/events.ts';

/**
 * Recipients, but for replays and conflicts, which are requests. `sent` counts those delivered since, too, and `delivered` those
 * that were only captured.
 */
export type Figures = {
  accepted: number;
  sent: number;
  delivered: number;
  captured: number;
  bounced: number;
  suppressed: number;
  failed: number;
  canceled: number;
  replays: number;
  conflicts: number;
};

export type Hour = Figures & { hour: number };

export const hourMs = 60 * 60_000;

export const noFigures: Figures = {
  accepted: 0,
  sent: 0,
  delivered: 0,
  captured: 0,
  bounced: 0,
  suppressed: 0,
  failed: 0,
  canceled: 0,
  replays: 0,
  conflicts: 0,
};

const names = Object.keys(noFigures) as (keyof Figures)[];

/** Adds to an hour of an account; what is not named stays as it is. */
export async function addFigures(tx: Transaction, account: string, hour: number, more: Partial<Figures>) {
  await tx.run(
    `insert into rollups (account, hour, ${names.join(', ')}) values (?, ?, ${names.map(() => '?').join(', ')})
     on conflict (account, hour) do update set
       ${names.map((name) => `${name} = rollups.${name} + excluded.${name}`).join(', ')}`,
    account,
    hour,
    ...names.map((name) => more[name] ?? 0),
  );
}

export async function listHours(reader: Reader, account: string, from: number): Promise<Hour[]> {
  return reader.all<Hour>(
    `select hour, ${names.join(', ')} from rollups where account = ? and hour >= ? order by hour`,
    account,
    from,
  );
}

export async function findTotals(reader: Reader, account: string): Promise<Figures> {
  const sums = names.map((name) => `coalesce(sum(${name}), 0) as ${name}`).join(', ');
  const [row] = await reader.all<Record<keyof Figures, number | string>>(
    `select ${sums} from rollups where account = ?`,
    account,
  );
  // PostgreSQL adds bigints up to a numeric, which comes as text.
  return Object.fromEntries(names.map((name) => [name, Number(row?.[name] ?? 0)])) as Figures;
}

/** Where a chore has come to; '' at the beginning. Null: another process is at it. */
export async function holdCursor(tx: Transaction, name: string): Promise<string | null> {
  await tx.run("insert into cursors (name, position) values (?, '') on conflict (name) do nothing", name);
  const [row] = await tx.all<{ position: string }>(
    `select position from cursors where name = ? limit 1 ${tx.skipLocked}`,
    name,
  );
  return row?.position ?? null;
}

export async function findCursor(reader: Reader, name: string): Promise<string> {
  const [row] = await reader.all<{ position: string }>('select position from cursors where name = ?', name);
  return row?.position ?? '';
}

export async function moveCursor(tx: Transaction, name: string, position: string): Promise<void> {
  await tx.run('update cursors set position = ? where name = ?', position, name);
}

/** Everything the chores of one step need to know about time. */
export type Step = {
  /** Newer ones wait: another process may still be about to commit something older. Epoch milliseconds. */
  until: number;
  limit: number;
};

/** Later than any id can say: an engine with one writer has nothing to wait for. */
export const idTimeMax = 2 ** 48 - 1;

/** Counts recipients of emails accepted since the last step; tells whether there may be more. */
export async function rollAccepted(tx: Transaction, account: string, step: Step): Promise<boolean> {
  const name = `accepted ${account}`;
  const position = await holdCursor(tx, name);
  if (position === null) return false;
  const [next] = await tx.all<{ created_at: number }>(
    'select created_at from emails where account = ? and id > ? and id < ? order by id limit 1',
    account,
    position,
    uuidv7Floor(step.until),
  );
  if (!next) return false;
  const hour = Math.floor(next.created_at / hourMs);
  const ids = await tx.all<{ id: string }>(
    'select id from emails where account = ? and id > ? and id < ? order by id limit ?',
    account,
    position,
    uuidv7Floor(Math.min(step.until, (hour + 1) * hourMs)),
    step.limit,
  );
  // An id may be a little ahead of its email's time: what begins an hour early is counted one by one.
  const last = ids.at(-1)?.id ?? (await firstAfter(tx, account, position));
  // However a delivery was split since, its parts hold the same recipients.
  const [row] = await tx.all<{ recipients: number | string | null }>(
    'select sum(recipient_count) as recipients from deliveries where account = ? and email_id > ? and email_id <= ?',
    account,
    position,
    last,
  );
  await addFigures(tx, account, hour, { accepted: Number(row?.recipients ?? 0) });
  await moveCursor(tx, name, last);
  return true;
}

async function firstAfter(tx: Transaction, account: string, position: string): Promise<string> {
  const [row] = await tx.all<{ id: string }>(
    'select id from emails where account = ? and id > ? order by id limit 1',
    account,
    position,
  );
  return row?.id ?? position;
}

export type EventRow = { id: number; account: string; email_id: string; type: FactType; at: number; detail: string };

const counted: ReadonlySet<string> = new Set(['sent', 'delivered', 'bounced', 'suppressed', 'failed', 'canceled']);

/** Counts what became of recipients since the last step, whatever account they are of; tells whether there may be more. */
export async function rollEvents(tx: Transaction, step: Step): Promise<boolean> {
  const position = await holdCursor(tx, 'events');
  if (position === null) return false;
  const rows = await eventsAfter(tx, position, step);
  const sums = new Map<string, { account: string; hour: number; more: Partial<Figures> }>();
  for (const row of rows) {
    if (!counted.has(row.type)) continue;
    const hour = Math.floor(row.at / hourMs);
    const sum = sums.get(`${hour} ${row.account}`) ?? { account: row.account, hour, more: {} };
    const type = row.type as keyof Figures;
    const { recipients = [], said, was }: EventDetail = JSON.parse(row.detail);
    sum.more[type] = (sum.more[type] ?? 0) + recipients.length;
    // A late bounce: nobody counts twice. `sent` has those who were delivered, too.
    if (type === 'bounced' && was) sum.more.sent = (sum.more.sent ?? 0) - recipients.length;
    if (type === 'bounced' && was === 'delivered') sum.more.delivered = (sum.more.delivered ?? 0) - recipients.length;
    if (type === 'delivered' && said?.captured) sum.more.captured = (sum.more.captured ?? 0) + recipients.length;
    sums.set(`${hour} ${row.account}`, sum);
  }
  for (const { account, hour, more } of sums.values()) await addFigures(tx, account, hour, more);
  const last = rows.at(-1);
  if (last) await moveCursor(tx, 'events', String(last.id));
  return rows.length === step.limit;
}

/** In the order of their ids, up to the first that is too new. */
export async function eventsAfter(tx: Transaction, position: string, step: Step): Promise<EventRow[]> {
  const rows = await tx.all<EventRow>(
    'select id, account, email_id, type, at, detail from events where id > ? order by id limit ?',
    Number(position),
    step.limit,
  );
  const tooNew = rows.findIndex((row) => row.at >= step.until);
  return tooNew < 0 ? rows : rows.slice(0, tooNew);
}

/** Accounts with emails a chore has not come to, in a stable order. */
export async function accountsBehind(reader: Reader, chore: 'accepted' | 'reported' | 'terms'): Promise<string[]> {
  const rows = await reader.all<{ id: string }>(
    `select id from accounts where exists (select 1 from emails where emails.account = accounts.id
       and emails.id > coalesce((select position from cursors where name = ? || accounts.id), ''))
     order by id`,
    `${chore} `,
  );
  return rows.map((row) => row.id);
}

/** Whether everything committed so far is in the figures of this account. */
export async function isCounted(reader: Reader, account: string): Promise<boolean> {
  const [email] = await reader.all(
    'select id from emails where account = ? and id > ? order by id limit 1',
    account,
    await findCursor(reader, `accepted ${account}`),
  );
  const [event] = await reader.all(
    'select id from events where id > ? order by id limit 1',
    Number(await findCursor(reader, 'events')),
  );
  return !email && !event;
}
