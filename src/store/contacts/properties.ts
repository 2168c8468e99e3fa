/** What an account wants to know of its contacts: names, types and fallbacks of properties. */

import type { ContactProperty } from '../../core/contact.ts';
import { isUuid } from '../../core/token.ts';
import type { Reader, Transaction } from '../database.ts';
import { type ListPage, readPage } from '../list-page.ts';

type PropertyRow = {
  account: string;
  id: string;
  name: string;
  type: ContactProperty['type'];
  fallback: string;
  created_at: number;
};

/** False: there is one of that name. */
export async function insertProperty(tx: Transaction, made: ContactProperty): Promise<boolean> {
  const inserted = await tx.run(
    `insert into contact_properties (account, id, name, type, fallback, created_at) values (?, ?, ?, ?, ?, ?)
     on conflict do nothing`,
    made.account,
    made.id,
    made.name,
    made.type,
    JSON.stringify(made.fallback),
    made.createdAt,
  );
  return inserted === 1;
}

export async function findProperty(reader: Reader, account: string, id: string): Promise<ContactProperty | null> {
  const name = isUuid(id) ? id.toLowerCase() : id;
  const rows = await reader.all<PropertyRow>(
    'select * from contact_properties where account = ? and id = ?',
    account,
    name,
  );
  return rows[0] ? toProperty(rows[0]) : null;
}

export async function listProperties(
  reader: Reader,
  account: string,
  page: ListPage,
): Promise<{ properties: ContactProperty[]; hasMore: boolean }> {
  const query = { sql: 'select * from contact_properties where account = ?', params: [account] };
  const { rows, hasMore } = await readPage<PropertyRow>(reader, query, page);
  return { properties: rows.map(toProperty), hasMore };
}

export async function setFallback(
  tx: Transaction,
  { account, id }: Pick<ContactProperty, 'account' | 'id'>,
  fallback: ContactProperty['fallback'],
): Promise<void> {
  await tx.run(
    'update contact_properties set fallback = ? where account = ? and id = ?',
    JSON.stringify(fallback),
    account,
    id,
  );
}

/** False: there is none. What contacts have of it stays with them. */
export async function deleteProperty(tx: Transaction, account: string, id: string): Promise<boolean> {
  return (await tx.run('delete from contact_properties where account = ? and id = ?', account, id)) === 1;
}

function toProperty(row: PropertyRow): ContactProperty {
  const { created_at: createdAt, fallback, ...rest } = row;
  return { ...rest, fallback: JSON.parse(fallback) as ContactProperty['fallback'], createdAt };
}
