/** Broadcasts, whose turn it is in them, and who had it. */

import type { Broadcast, BroadcastContent, BroadcastStatus } from '../core/broadcast.ts';
import type { Contact, Subscription } from '../core/contact.ts';
import { toContact } from './contacts/contacts.ts';
import type { DatabaseReader, Reader, Transaction } from './database.ts';
import { type ListPage, readPage } from './list-page.ts';

type Row = {
  account: string;
  id: string;
  content: string;
  status: BroadcastStatus;
  created_at: number;
  scheduled_at: number | null;
  sent_at: number | null;
  cursor: string;
  due_at: number | null;
  trouble: string | null;
};

export async function insertBroadcast(
  tx: Transaction,
  made: Pick<Broadcast, 'account' | 'id' | 'content' | 'createdAt'>,
): Promise<void> {
  await tx.run(
    "insert into broadcasts (account, id, content, status, created_at) values (?, ?, ?, 'draft', ?)",
    made.account,
    made.id,
    JSON.stringify(made.content),
    made.createdAt,
  );
}

export async function findBroadcast(reader: Reader, account: string, id: string): Promise<Broadcast | null> {
  const [row] = await reader.all<Row>('select * from broadcasts where account = ? and id = ?', account, id);
  return row ? toBroadcast(row) : null;
}

export async function listBroadcasts(
  reader: Reader,
  account: string,
  page: ListPage,
): Promise<{ broadcasts: Broadcast[]; hasMore: boolean }> {
  const query = { sql: 'select * from broadcasts where account = ?', params: [account] };
  const { rows, hasMore } = await readPage<Row>(reader, query, page);
  return { broadcasts: rows.map(toBroadcast), hasMore };
}

/** False: it is a draft no more. */
export async function writeContent(
  tx: Transaction,
  { account, id }: Pick<Broadcast, 'account' | 'id'>,
  content: BroadcastContent,
): Promise<boolean> {
  const changed = await tx.run(
    "update broadcasts set content = ? where account = ? and id = ? and status = 'draft'",
    JSON.stringify(content),
    account,
    id,
  );
  return changed === 1;
}

/** From a draft alone: whoever comes second changes nothing. */
export async function startBroadcast(
  tx: Transaction,
  { account, id }: Pick<Broadcast, 'account' | 'id'>,
  scheduledAt: number | null,
  now: number,
): Promise<boolean> {
  const started = await tx.run(
    "update broadcasts set status = ?, scheduled_at = ?, due_at = ? where account = ? and id = ? and status = 'draft'",
    scheduledAt === null ? 'queued' : 'scheduled',
    scheduledAt,
    scheduledAt ?? now,
    account,
    id,
  );
  return started === 1;
}

/** What has become emails leaves; nothing more becomes one. One that has not begun is a draft again. */
export async function cancelBroadcast(tx: Transaction, account: string, id: string): Promise<boolean> {
  const canceled = await tx.run(
    `update broadcasts set status = case when status = 'scheduled' then 'draft' else 'canceled' end, scheduled_at = null,
       due_at = null, trouble = null
     where account = ? and id = ? and status in ('scheduled', 'queued')`,
    account,
    id,
  );
  return canceled === 1;
}

/** False: it is going out. */
export async function deleteBroadcast(tx: Transaction, account: string, id: string): Promise<boolean> {
  const deleted = await tx.run(
    "delete from broadcasts where account = ? and id = ? and status <> 'queued'",
    account,
    id,
  );
  if (deleted === 1) await tx.run('delete from broadcast_recipients where account = ? and broadcast = ?', account, id);
  return deleted === 1;
}

export async function findDueBroadcast(reader: Reader, now: number): Promise<Broadcast | null> {
  const [row] = await reader.all<Row>(
    'select * from broadcasts where due_at is not null and due_at <= ? order by due_at limit 1',
    now,
  );
  return row ? toBroadcast(row) : null;
}

/** A process has it until then. False: another one does, or there is nothing to do any more. */
export async function claimBroadcast(tx: Transaction, due: Broadcast, until: number): Promise<boolean> {
  const claimed = await tx.run(
    `update broadcasts set due_at = ?, status = 'queued' where account = ? and id = ? and due_at = ?
       and status in ('scheduled', 'queued')`,
    until,
    due.account,
    due.id,
    due.dueAt,
  );
  return claimed === 1;
}

/** What a dead process had is due at once. Only where there can be no other process: elsewhere the claim ends by itself. */
export async function recoverBroadcasts(tx: Transaction, now: number): Promise<void> {
  await tx.run("update broadcasts set due_at = ? where status = 'queued' and due_at > ?", now, now);
}

export type Step = { account: string; id: string; cursor: string; claimedUntil: number };

/** In the transaction that accepts the emails of a step. False: it was canceled, or is another process's: they must not be accepted. */
export async function moveCursor(
  tx: Transaction,
  { account, id, cursor, claimedUntil }: Step,
  next: { cursor: string; addresses: readonly string[] },
): Promise<boolean> {
  const moved = await tx.run(
    "update broadcasts set cursor = ?, trouble = null where account = ? and id = ? and cursor = ? and due_at = ? and status = 'queued'",
    next.cursor,
    account,
    id,
    cursor,
    claimedUntil,
  );
  if (moved !== 1) return false;
  for (const address of next.addresses) {
    await tx.run(
      'insert into broadcast_recipients (account, broadcast, address_key) values (?, ?, ?)',
      account,
      id,
      address,
    );
  }
  return true;
}

export async function endBroadcast(
  tx: Transaction,
  { account, id, cursor, claimedUntil }: Step,
  now: number,
): Promise<void> {
  await tx.run(
    `update broadcasts set status = 'sent', sent_at = ?, due_at = null
     where account = ? and id = ? and cursor = ? and due_at = ? and status = 'queued'`,
    now,
    account,
    id,
    cursor,
    claimedUntil,
  );
}

/** It goes on later. */
export async function putOffBroadcast(
  tx: Transaction,
  { account, id, claimedUntil }: Step,
  { until, trouble }: { until: number; trouble: string | null },
): Promise<void> {
  await tx.run(
    "update broadcasts set due_at = ?, trouble = ? where account = ? and id = ? and due_at = ? and status = 'queued'",
    until,
    trouble,
    account,
    id,
    claimedUntil,
  );
}

type ContactRow = Parameters<typeof toContact>[0];
export type Turn = { contact: Contact; wants: boolean };

/** The next contacts of a segment, and whether each is to get it: who has left does not, nor who had it under this address. */
export async function nextTurns(
  reader: Reader,
  { account, id, cursor }: Pick<Broadcast, 'account' | 'id' | 'cursor'>,
  { segment, topic, limit }: { segment: string; topic: { id: string; byDefault: Subscription } | null; limit: number },
): Promise<Turn[]> {
  const rows = await reader.all<ContactRow & { chosen: Subscription | null; had: string | null }>(
    `select c.*, t.subscription as chosen, r.broadcast as had from segment_contacts m
     join contacts c on c.account = m.account and c.id = m.contact
     left join topic_choices t on t.account = c.account and t.contact = c.id and t.topic = ?
     left join broadcast_recipients r on r.account = c.account and r.broadcast = ? and r.address_key = c.address_key
     where m.account = ? and m.segment = ? and m.contact > ? order by m.contact limit ?`,
    topic?.id ?? '',
    id,
    account,
    segment,
    cursor,
    limit,
  );
  return rows.map(({ chosen, had, ...row }) => ({
    contact: toContact(row),
    wants: had === null && row.unsubscribed_at === null && (chosen ?? topic?.byDefault ?? 'opt_in') === 'opt_in',
  }));
}

/** How many became emails, how many contacts had their turn, and how many there are in its segment. */
export type BroadcastProgress = { sent: number; turns: number; contacts: number };

/** Beside the serving thread: it counts a segment. */
export async function measureBroadcast(
  database: DatabaseReader,
  { account, id, cursor, content }: Broadcast,
): Promise<BroadcastProgress> {
  const [row] = await database.report<{ [name in keyof BroadcastProgress]: number | string }>(
    `select (select count(*) from broadcast_recipients where account = ? and broadcast = ?) as sent,
       (select count(*) from segment_contacts where account = ? and segment = ? and contact <= ?) as turns,
       (select count(*) from segment_contacts where account = ? and segment = ?) as contacts`,
    ...[account, id, account, content.segment ?? '', cursor, account, content.segment ?? ''],
  );
  return { sent: Number(row?.sent), turns: Number(row?.turns), contacts: Number(row?.contacts) };
}

function toBroadcast(row: Row): Broadcast {
  return {
    account: row.account,
    id: row.id,
    content: JSON.parse(row.content) as BroadcastContent,
    status: row.status,
    createdAt: row.created_at,
    scheduledAt: row.scheduled_at,
    sentAt: row.sent_at,
    cursor: row.cursor,
    dueAt: row.due_at,
    trouble: row.trouble,
  };
}
