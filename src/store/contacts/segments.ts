/** Segments, which Brevo calls lists, the folders those lie in, and who belongs to them. */

import type { Segment } from '../../core/contact.ts';
import { isUuid } from '../../core/token.ts';
import type { Reader, SqlValue, Transaction } from '../database.ts';
import { type ListPage, readPage } from '../list-page.ts';
import { takeNumber } from './contacts.ts';

type SegmentRow = { account: string; id: string; number: number; name: string; folder: number; created_at: number };

export async function insertSegment(tx: Transaction, made: Omit<Segment, 'number'>): Promise<Segment> {
  const number = await takeNumber(tx, made.account, 'last_segment_number');
  await tx.run(
    'insert into segments (account, id, number, name, folder, created_at) values (?, ?, ?, ?, ?, ?)',
    made.account,
    made.id,
    number,
    made.name,
    made.folder,
    made.createdAt,
  );
  return { ...made, number };
}

export type SegmentName = { id: string } | { number: number };

export async function findSegment(reader: Reader, account: string, name: SegmentName): Promise<Segment | null> {
  const [column, value] = columnOf(name);
  const [row] = await reader.all<SegmentRow>(
    `select * from segments where account = ? and ${column} = ?`,
    account,
    value,
  );
  return row ? toSegment(row) : null;
}

function columnOf(name: SegmentName): [column: string, value: SqlValue] {
  return 'id' in name ? ['id', isUuid(name.id) ? name.id.toLowerCase() : name.id] : ['number', name.number];
}

export async function listSegments(
  reader: Reader,
  account: string,
  page: ListPage,
): Promise<{ segments: Segment[]; hasMore: boolean }> {
  const query = { sql: 'select * from segments where account = ?', params: [account] };
  const { rows, hasMore } = await readPage<SegmentRow>(reader, query, page);
  return { segments: rows.map(toSegment), hasMore };
}

/** Those a contact belongs to. */
export async function listSegmentsOf(
  reader: Reader,
  account: string,
  contact: string,
  page: ListPage,
): Promise<{ segments: Segment[]; hasMore: boolean }> {
  const sql = `select s.* from segment_contacts m join segments s on s.account = m.account and s.id = m.segment
    where m.account = ? and m.contact = ?`;
  const { rows, hasMore } = await readPage<SegmentRow>(reader, { sql, params: [account, contact], id: 's.id' }, page);
  return { segments: rows.map(toSegment), hasMore };
}

/** In the order of the ids. */
export async function listSegmentNumbers(reader: Reader, account: string, ids: readonly string[]): Promise<number[]> {
  const numbers: number[] = [];
  for (const id of ids) numbers.push((await findSegment(reader, account, { id }))?.number ?? 0);
  return numbers;
}

export async function changeSegment(
  tx: Transaction,
  { account, id }: Pick<Segment, 'account' | 'id'>,
  { name, folder }: Partial<Pick<Segment, 'name' | 'folder'>>,
): Promise<boolean> {
  const changed = await tx.run(
    'update segments set name = coalesce(?, name), folder = coalesce(?, folder) where account = ? and id = ?',
    name ?? null,
    folder ?? null,
    account,
    id,
  );
  return changed === 1;
}

/** Its contacts stay. */
export async function deleteSegment(tx: Transaction, account: string, id: string): Promise<boolean> {
  await tx.run('delete from segment_contacts where account = ? and segment = ?', account, id);
  return (await tx.run('delete from segments where account = ? and id = ?', account, id)) === 1;
}

type Membership = { account: string; segment: string; contact: string };

/** False: it belonged to it before. */
export async function addToSegment(tx: Transaction, { account, segment, contact }: Membership): Promise<boolean> {
  const added = await tx.run(
    'insert into segment_contacts (account, segment, contact) values (?, ?, ?) on conflict do nothing',
    account,
    segment,
    contact,
  );
  return added === 1;
}

/** False: it did not belong to it. */
export async function removeFromSegment(tx: Transaction, { account, segment, contact }: Membership): Promise<boolean> {
  const removed = await tx.run(
    'delete from segment_contacts where account = ? and segment = ? and contact = ?',
    account,
    segment,
    contact,
  );
  return removed === 1;
}

export type SegmentCounts = { subscribed: number; unsubscribed: number };

/** By segment; those nobody belongs to are not in it. */
export async function countSegments(reader: Reader, account: string): Promise<ReadonlyMap<string, SegmentCounts>> {
  const rows = await reader.all<{ segment: string; everybody: number; subscribed: number }>(
    `select m.segment as segment, count(*) as everybody, sum(case when c.unsubscribed_at is null then 1 else 0 end) as subscribed
     from segment_contacts m join contacts c on c.account = m.account and c.id = m.contact
     where m.account = ? group by m.segment`,
    account,
  );
  const counts = rows.map(({ segment, everybody, subscribed }): [string, SegmentCounts] => {
    return [segment, { subscribed: Number(subscribed), unsubscribed: everybody - Number(subscribed) }];
  });
  return new Map(counts);
}

export type Folder = { number: number; name: string };

/** It is there from the start, and stays. */
export const firstFolder: Folder = { number: 1, name: 'Your first folder' };

export async function insertFolder(tx: Transaction, account: string, name: string): Promise<number> {
  const number = await takeNumber(tx, account, 'last_folder_number');
  await putFolder(tx, account, { number, name });
  return number;
}

export async function putFolder(tx: Transaction, account: string, { number, name }: Folder): Promise<void> {
  await tx.run(
    `insert into folders (account, number, name) values (?, ?, ?)
     on conflict (account, number) do update set name = excluded.name`,
    account,
    number,
    name,
  );
}

export async function listFolders(reader: Reader, account: string): Promise<Folder[]> {
  const rows = await reader.all<Folder>('select number, name from folders where account = ? order by number', account);
  return rows[0]?.number === firstFolder.number ? rows : [firstFolder, ...rows];
}

/** With the lists in it, as Brevo does; whoever belonged to them stays. */
export async function deleteFolder(tx: Transaction, account: string, number: number): Promise<void> {
  const lists = await tx.all<{ id: string }>(
    'select id from segments where account = ? and folder = ?',
    account,
    number,
  );
  for (const { id } of lists) await deleteSegment(tx, account, id);
  await tx.run('delete from folders where account = ? and number = ?', account, number);
}

function toSegment(row: SegmentRow): Segment {
  const { created_at: createdAt, ...rest } = row;
  return { ...rest, createdAt };
}
