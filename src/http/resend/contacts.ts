/** /contacts, by id or by address, and what they belong to and want to hear of. */

import type { Contact } from '../../core/contact.ts';
import { AppError } from '../../core/error.ts';
import { findContact, listContacts, nameOfContact } from '../../store/contacts/contacts.ts';
import { findSegment, listSegmentsOf } from '../../store/contacts/segments.ts';
import { listChoices } from '../../store/contacts/topics.ts';
import type { Reader } from '../../store/database.ts';
import type { Contacts } from '../../use-cases/contacts.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { refusalTexts } from './errors.ts';
import { parseListPage, readFields, reply } from './json-body.ts';
import { parseChoices, parseContactChange, parseNewContact } from './parse-contact.ts';
import { sliceOf } from './parse-query.ts';
import { renderTime } from './render.ts';

export type ContactParts = { database: Reader; contacts: Contacts };

/** An address that is known already is changed, and answers as a new one does. */
export async function createContact({ contacts }: ContactParts, call: Call): Promise<Reply> {
  const { contact } = await contacts.put(call.caller.account, parseNewContact(await readFields(call)));
  return reply(201, { object: 'contact', id: contact.id });
}

export async function showContacts({ database }: ContactParts, call: Call): Promise<Reply> {
  const { segment_id: segment } = call.query();
  const page = parseListPage(call, 'if named');
  const { contacts, hasMore } = await listContacts(database, call.caller.account, segment || null, page);
  const data = contacts.map((one) => ({
    ...{ id: one.id, created_at: renderTime(one.createdAt), email: one.address },
    ...{ unsubscribed: one.unsubscribedAt !== null, first_name: one.firstName, last_name: one.lastName },
  }));
  return reply(200, { object: 'list', has_more: hasMore, data });
}

export async function showContact({ database }: ContactParts, call: Call): Promise<Reply> {
  const one = await getContact(database, call);
  return reply(200, {
    object: 'contact',
    ...{ id: one.id, email: one.address, first_name: one.firstName, last_name: one.lastName },
    ...{ created_at: renderTime(one.createdAt), unsubscribed: one.unsubscribedAt !== null },
    properties: Object.fromEntries(
      Object.entries(one.properties).map(([name, value]) => [name, { type: typeof value, value }]),
    ),
  });
}

export async function changeContact({ contacts }: ContactParts, call: Call): Promise<Reply> {
  const change = parseContactChange(await readFields(call));
  const changed = await contacts.change(call.caller.account, nameOfContact(call.param('id')), change);
  if (!changed) throw contactNotFound();
  return reply(200, { object: 'contact', id: changed.id });
}

export async function removeContact({ contacts }: ContactParts, call: Call): Promise<Reply> {
  const removed = await contacts.remove(call.caller.account, nameOfContact(call.param('id')));
  if (!removed) throw contactNotFound();
  return reply(200, { object: 'contact', contact: removed.id, deleted: true });
}

export async function showContactSegments({ database }: ContactParts, call: Call): Promise<Reply> {
  const { id } = await getContact(database, call);
  const page = parseListPage(call, 'always');
  const { segments, hasMore } = await listSegmentsOf(database, call.caller.account, id, page);
  const data = segments.map((one) => ({ id: one.id, name: one.name, created_at: renderTime(one.createdAt) }));
  return reply(200, { object: 'list', has_more: hasMore, data });
}

export async function addContactToSegment(parts: ContactParts, call: Call): Promise<Reply> {
  const { contact, segment } = await moveOne(parts, call, 'in');
  return reply(200, { object: 'contact_segment', id: segment, contact_id: contact, segment_id: segment });
}

export async function removeContactFromSegment(parts: ContactParts, call: Call): Promise<Reply> {
  const { contact, segment } = await moveOne(parts, call, 'out');
  const ids = { id: segment, contact_id: contact, segment_id: segment };
  return reply(200, { object: 'contact_segment', ...ids, deleted: true });
}

async function moveOne({ database, contacts }: ContactParts, call: Call, way: 'in' | 'out') {
  const { account } = call.caller;
  const { id: contact } = await getContact(database, call);
  const found = await findSegment(database, account, { id: call.param('segment') });
  if (!found || !(await contacts.move(account, found, [{ id: contact }], way))) throw segmentNotFound();
  return { contact, segment: found.id };
}

export async function showContactTopics({ database }: ContactParts, call: Call): Promise<Reply> {
  const { id } = await getContact(database, call);
  const all = await listChoices(database, call.caller.account, id);
  const page = parseListPage(call, 'always');
  const { items, hasMore } = sliceOf(all, { ...page, limit: page.limit ?? all.length });
  const data = items.map(({ id, name, description, subscription }) => ({ id, name, description, subscription }));
  return reply(200, { object: 'list', has_more: hasMore, data });
}

export async function changeContactTopics({ contacts }: ContactParts, call: Call): Promise<Reply> {
  const choices = parseChoices(parseJson(await call.body()) ?? []);
  const changed = await contacts.change(call.caller.account, nameOfContact(call.param('id')), { choices });
  if (!changed) throw contactNotFound();
  const topics = choices.map(({ topic, subscription }) => ({ id: topic, subscription }));
  return reply(200, { object: 'contact_topics', id: changed.id, contact_id: changed.id, topics });
}

async function getContact(database: Reader, call: Call): Promise<Contact> {
  const found = await findContact(database, call.caller.account, nameOfContact(call.param('id')));
  if (!found) throw contactNotFound();
  return found;
}

export function contactNotFound(): AppError {
  return new AppError('not_found', refusalTexts.contactNotFound);
}

/** In the words of the real API, which called it so once. */
export function segmentNotFound(): AppError {
  return new AppError('not_found', refusalTexts.segmentNotFound);
}
