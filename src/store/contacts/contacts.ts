/** Contacts: one row a person, found by id, by number or by address. */

import assert from 'node:assert/strict';
import type { Contact, PropertyValue } from '../../core/contact.ts';
import { suppressionKey } from '../../core/suppression.ts';
import { isUuid } from '../../core/token.ts';
import type { Reader, SqlValue, Transaction } from '../database.ts';
import { type ListPage, readPage } from '../list-page.ts';

type ContactRow = {
  account: string;
  id: string;
  number: number;
  address: string;
  first_name: string | null;
  last_name: string | null;
  unsubscribed_at: number | null;
  properties: string;
  created_at: number;
  updated_at: number;
};

export type ContactName = { id: string } | { number: number } | { address: string };

/** Of a path, whose form says which it is. */
export function nameOfContact(text: string): ContactName {
  if (text.includes('@')) return { address: text.trim() };
  return { id: isUuid(text) ? text.toLowerCase() : text };
}

export type NewContact = Pick<Contact, 'account' | 'id' | 'address' | 'firstName' | 'lastName' | 'unsubscribedAt'> & {
  properties: Record<string, PropertyValue>;
  now: number;
};

/** To be called by who holds the account, and knows that the address is nobody's yet. */
export async function insertContact(tx: Transaction, made: NewContact): Promise<Contact> {
  const number = await takeNumber(tx, made.account, 'last_contact_number');
  await tx.run(
    `insert into contacts (account, id, number, address, address_key, first_name, last_name, unsubscribed_at, properties,
       created_at, updated_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    made.account,
    made.id,
    number,
    made.address,
    suppressionKey(made.address),
    made.firstName,
    made.lastName,
    made.unsubscribedAt,
    JSON.stringify(made.properties),
    made.now,
    made.now,
  );
  const { now, ...contact } = made;
  return { ...contact, number, createdAt: now, updatedAt: now };
}

type Counter = 'last_contact_number' | 'last_segment_number' | 'last_folder_number';

/** A number is not given twice: programs hold them in their code. */
export async function takeNumber(tx: Transaction, account: string, counter: Counter): Promise<number> {
  await tx.run(`update accounts set ${counter} = ${counter} + 1 where id = ?`, account);
  const [row] = await tx.all<{ number: number }>(`select ${counter} as number from accounts where id = ?`, account);
  assert(row, 'contacts belong to an account that exists');
  return row.number;
}

export async function findContact(reader: Reader, account: string, name: ContactName): Promise<Contact | null> {
  const [column, value] = columnOf(name);
  const [row] = await reader.all<ContactRow>(
    `select * from contacts where account = ? and ${column} = ?`,
    account,
    value,
  );
  return row ? toContact(row) : null;
}

function columnOf(name: ContactName): [column: string, value: SqlValue] {
  if ('id' in name) return ['id', name.id];
  return 'number' in name ? ['number', name.number] : ['address_key', suppressionKey(name.address)];
}

/** Newest first; null: of no segment in particular. */
export async function listContacts(
  reader: Reader,
  account: string,
  segment: string | null,
  page: ListPage,
): Promise<{ contacts: Contact[]; hasMore: boolean }> {
  const query =
    segment === null
      ? { sql: 'select * from contacts where account = ?', params: [account] }
      : { sql: `select c.* from ${ofSegment}`, params: [account, segment], id: 'c.id' };
  const { rows, hasMore } = await readPage<ContactRow>(reader, query, page);
  return { contacts: rows.map(toContact), hasMore };
}

const ofSegment = `segment_contacts m join contacts c on c.account = m.account and c.id = m.contact
  where m.account = ? and m.segment = ?`;

export type ContactSpan = {
  segment: string | null;
  createdSince: number;
  modifiedSince: number;
  limit: number;
  offset: number;
  order: 'asc' | 'desc';
};

/** By their place, and how many there are in all pages. */
export async function listContactSpan(
  reader: Reader,
  account: string,
  { segment, createdSince, modifiedSince, limit, offset, order }: ContactSpan,
): Promise<{ contacts: Contact[]; count: number }> {
  const from = segment === null ? 'contacts c where c.account = ?' : ofSegment;
  const sql = `${from} and c.created_at >= ? and c.updated_at >= ?`;
  const params = [account, ...(segment === null ? [] : [segment]), createdSince, modifiedSince];
  const [total] = await reader.all<{ count: number }>(`select count(*) as count from ${sql}`, ...params);
  const rows = await reader.all<ContactRow>(
    `select c.* from ${sql} order by c.number ${order} limit ? offset ?`,
    ...params,
    limit,
    offset,
  );
  return { contacts: rows.map(toContact), count: total?.count ?? 0 };
}

/** To be called by who holds the account: what was read before is what is changed. */
export async function writeContact(tx: Transaction, contact: Contact, now: number): Promise<void> {
  await tx.run(
    `update contacts set address = ?, address_key = ?, first_name = ?, last_name = ?, unsubscribed_at = ?, properties = ?,
       updated_at = ? where account = ? and id = ?`,
    contact.address,
    suppressionKey(contact.address),
    contact.firstName,
    contact.lastName,
    contact.unsubscribedAt,
    JSON.stringify(contact.properties),
    now,
    contact.account,
    contact.id,
  );
}

/** With what they have chosen and belong to. */
export async function deleteContact(tx: Transaction, account: string, id: string): Promise<void> {
  await tx.run('delete from segment_contacts where account = ? and contact = ?', account, id);
  await tx.run('delete from topic_choices where account = ? and contact = ?', account, id);
  await tx.run('delete from contacts where account = ? and id = ?', account, id);
}

/** Who has left stays known as somebody who has, under what is left of the address. */
export async function eraseContact(tx: Transaction, contact: Contact, address: string, now: number): Promise<void> {
  const { account, id } = contact;
  await tx.run('delete from segment_contacts where account = ? and contact = ?', account, id);
  const unsubscribedAt = contact.unsubscribedAt ?? now;
  await writeContact(tx, { ...contact, address, firstName: null, lastName: null, unsubscribedAt, properties: {} }, now);
}

export function toContact(row: ContactRow): Contact {
  return {
    account: row.account,
    id: row.id,
    number: row.number,
    address: row.address,
    firstName: row.first_name,
    lastName: row.last_name,
    unsubscribedAt: row.unsubscribed_at,
    properties: JSON.parse(row.properties) as Contact['properties'],
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
