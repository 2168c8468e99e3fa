/** /contact-properties: what an account wants to know of its contacts. */

import type { ContactProperty } from '../../core/contact.ts';
import { AppError } from '../../core/error.ts';
import { findProperty, listProperties } from '../../store/contacts/properties.ts';
import type { Reader } from '../../store/database.ts';
import type { Properties } from '../../use-cases/segments.ts';
import type { Call, Reply } from '../call.ts';
import { isAbsent } from '../fields.ts';
import { refusalTexts } from './errors.ts';
import { parseListPage, readFields, reply } from './json-body.ts';
import { isPropertyName } from './parse-contact.ts';
import { invalidField, missingField } from './parse-fields.ts';
import { renderTime } from './render.ts';

export type PropertyParts = { database: Reader; properties: Properties };

export async function createProperty({ properties }: PropertyParts, call: Call): Promise<Reply> {
  const { key, type, fallback_value: fallback } = await readFields(call);
  if (isAbsent(key)) throw missingField('key');
  if (isAbsent(type)) throw missingField('type');
  if (typeof key !== 'string' || !isPropertyName(key)) {
    throw invalidField('key', 'It has 1 to 50 ASCII letters, digits and underscores.');
  }
  if (type !== 'string' && type !== 'number') throw invalidField('type', 'It must be `string` or `number`.');
  const made = { name: key, fallback: parseFallback(fallback, type) };
  const id = await properties.make(call.caller.account, { ...made, type });
  if (id === null) throw new AppError('already_exists', `A contact property \`${key}\` exists already.`);
  return reply(201, { object: 'contact_property', id });
}

export async function showProperties({ database }: PropertyParts, call: Call): Promise<Reply> {
  const page = parseListPage(call, 'if named');
  const { properties, hasMore } = await listProperties(database, call.caller.account, page);
  return reply(200, { object: 'list', has_more: hasMore, data: properties.map(membersOf) });
}

export async function showProperty(parts: PropertyParts, call: Call): Promise<Reply> {
  return reply(200, { object: 'contact_property', ...membersOf(await getProperty(parts, call)) });
}

export async function changeProperty(parts: PropertyParts, call: Call): Promise<Reply> {
  const { id, type } = await getProperty(parts, call);
  const { fallback_value: fallback } = await readFields(call);
  await parts.properties.setFallback(call.caller.account, id, parseFallback(fallback, type));
  return reply(200, { object: 'contact_property', id });
}

export async function removeProperty(parts: PropertyParts, call: Call): Promise<Reply> {
  const { id } = await getProperty(parts, call);
  await parts.properties.remove(call.caller.account, id);
  return reply(200, { object: 'contact_property', deleted: true, id });
}

function parseFallback(value: unknown, type: ContactProperty['type']): ContactProperty['fallback'] {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number' && type === 'number' && Number.isFinite(value)) return value;
  if (typeof value === 'string' && type === 'string' && value.length <= 500) return value;
  throw invalidField('fallback_value', `It must be a ${type}.`);
}

async function getProperty({ database }: PropertyParts, call: Call): Promise<ContactProperty> {
  const found = await findProperty(database, call.caller.account, call.param('id'));
  if (!found) throw new AppError('not_found', refusalTexts.propertyNotFound);
  return found;
}

function membersOf(one: ContactProperty) {
  return {
    ...{ id: one.id, key: one.name, type: one.type, fallback_value: one.fallback },
    created_at: renderTime(one.createdAt),
  };
}
