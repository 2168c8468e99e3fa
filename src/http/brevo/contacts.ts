/** /v3/contacts: the same people that Resend's API has, by number or by address. */

import type { Contact, PropertyValue } from '../../core/contact.ts';
import { AppError } from '../../core/error.ts';
import { type ContactName, findContact, listContactSpan } from '../../store/contacts/contacts.ts';
import { listProperties } from '../../store/contacts/properties.ts';
import { findSegment, listSegmentsOf } from '../../store/contacts/segments.ts';
import type { Reader } from '../../store/database.ts';
import type { ContactChange, Contacts } from '../../use-cases/contacts.ts';
import type { Properties } from '../../use-cases/segments.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { type Fields, isAbsent, isFields, wellFormed } from '../fields.ts';
import { readIso } from '../iso-date.ts';
import { parseEmail } from './emails.ts';
import { parsePage } from './parse-query.ts';
import { invalid, missing } from './refusal.ts';

export type ContactParts = { database: Reader; contacts: Contacts; properties: Properties };

const pageLimits = { limitDefault: 50, limitMax: 1_000 };
const attributesMax = 200;
const attributeCharsMax = 2_000;
const done: Reply = { status: 204, body: null };
const allOfThem = { limit: null, after: null, before: null };

export async function create({ database, contacts }: ContactParts, call: Call): Promise<Reply> {
  const { account } = call.caller;
  const fields = await readFields(call);
  if (isAbsent(fields.email)) throw missing('email');
  const address = parseAddress('email', fields.email);
  const change = parseChange(fields);
  if (fields.updateEnabled !== true && (await findContact(database, account, { address }))) throw alreadyThere();
  const { contact, isNew } = await contacts.put(account, { ...change, address });
  return isNew ? json(201, { id: contact.number }) : done;
}

export async function list({ database }: ContactParts, call: Call): Promise<Reply> {
  const query = call.query();
  const page = parsePage(query, pageLimits);
  const segment = query.listIds ? await segmentOf(database, call, query.listIds) : null;
  const since = {
    createdSince: parseSince('createdSince', query.createdSince),
    modifiedSince: parseSince('modifiedSince', query.modifiedSince),
  };
  const { contacts, count } = await listContactSpan(database, call.caller.account, { ...page, ...since, segment });
  return json(200, { contacts: await render(database, contacts), count });
}

/** Of one list. */
export async function listOf({ database }: ContactParts, call: Call): Promise<Reply> {
  const query = call.query();
  const segment = await segmentOf(database, call, call.param('id'));
  if (segment === '') throw new AppError('not_found', 'List ID does not exist');
  const span = { createdSince: 0, modifiedSince: parseSince('modifiedSince', query.modifiedSince) };
  const page = { ...parsePage(query, { limitDefault: 50, limitMax: 500 }), ...span, segment };
  const { contacts, count } = await listContactSpan(database, call.caller.account, page);
  return json(200, { contacts: await render(database, contacts), count });
}

/** Nothing of it is counted by campaign here: there are none. */
const statistics = {
  messagesSent: [],
  hardBounces: [],
  softBounces: [],
  complaints: [],
  unsubscriptions: { userUnsubscription: [], adminUnsubscription: [] },
  opened: [],
  clicked: [],
  delivered: [],
};

export async function show({ database }: ContactParts, call: Call): Promise<Reply> {
  const found = await findContact(database, call.caller.account, nameIn(call));
  if (!found) throw notFound();
  const [shown] = await render(database, [found]);
  return json(200, { ...shown, statistics });
}

export async function update({ contacts }: ContactParts, call: Call): Promise<Reply> {
  const { attributes, ...fields } = await readFields(call);
  const { EMAIL: address, ...others } = isFields(attributes) ? attributes : {};
  const change = parseChange({ ...fields, attributes: others });
  const renamed = isAbsent(address) ? {} : { address: parseAddress('EMAIL', address) };
  if (!(await contacts.change(call.caller.account, nameIn(call), { ...change, ...renamed }))) throw notFound();
  return done;
}

export async function remove({ contacts }: ContactParts, call: Call): Promise<Reply> {
  if (!(await contacts.remove(call.caller.account, nameIn(call)))) throw notFound();
  return done;
}

/** The two that every account has, and the properties that somebody has made. */
export async function listAttributes({ database }: ContactParts, call: Call): Promise<Reply> {
  const { properties } = await listProperties(database, call.caller.account, allOfThem);
  const own = properties.reverse().map(({ name, type }) => ({ name, type: type === 'number' ? 'float' : 'text' }));
  const always = ['FIRSTNAME', 'LASTNAME'].map((name) => ({ name, type: 'text' }));
  return json(200, { attributes: [...always, ...own].map((one) => ({ ...one, category: 'normal' })) });
}

export async function createAttribute({ properties }: ContactParts, call: Call): Promise<Reply> {
  const { type } = await readFields(call);
  const name = call.param('name');
  if (call.param('category') !== 'normal') throw invalid('attributeCategory', 'only normal attributes are kept here');
  if (!isAttributeName(name)) throw invalid('attributeName', 'it has 1 to 50 letters, digits and underscores');
  const kept = type === 'float' || type === 'id' ? 'number' : 'string';
  const id = await properties.make(call.caller.account, { name, type: kept, fallback: null });
  if (id === null) throw new AppError('already_exists', 'Attribute name must be unique');
  return json(201, {});
}

function nameIn(call: Call): ContactName {
  const text = call.param('identifier').trim();
  const { identifierType: type } = call.query();
  if (text.includes('@')) return { address: text };
  if (type !== undefined && type !== '' && type !== 'contact_id') throw notFound();
  if (!/^\d{1,15}$/.test(text)) throw invalid('identifier', 'it must be an email address or the id of a contact');
  return { number: Number(text) };
}

function parseChange(fields: Fields): ContactChange {
  const change: ContactChange = parseAttributes(fields.attributes);
  if (!isAbsent(fields.emailBlacklisted)) {
    if (typeof fields.emailBlacklisted !== 'boolean') throw invalid('emailBlacklisted', 'it must be true or false');
    change.unsubscribed = fields.emailBlacklisted;
  }
  if (!isAbsent(fields.listIds)) change.addTo = parseNumbers('listIds', fields.listIds);
  if (!isAbsent(fields.unlinkListIds)) change.removeFrom = parseNumbers('unlinkListIds', fields.unlinkListIds);
  return change;
}

/** FIRSTNAME and LASTNAME are what Resend's API calls first_name and last_name. */
function parseAttributes(value: unknown): ContactChange {
  if (isAbsent(value) || (Array.isArray(value) && value.length === 0)) return {};
  if (!isFields(value) || Object.keys(value).length > attributesMax) {
    throw invalid('attributes', `it must be an object of at most ${attributesMax} attributes`);
  }
  const change: ContactChange = {};
  const properties: [string, PropertyValue | null][] = [];
  for (const [name, written] of Object.entries(value)) {
    const one = parseAttribute(name, written);
    const upper = name.toUpperCase();
    if (upper === 'FIRSTNAME' || upper === 'FNAME') change.firstName = one === null ? null : String(one);
    else if (upper === 'LASTNAME' || upper === 'LNAME') change.lastName = one === null ? null : String(one);
    else properties.push([name, one]);
  }
  if (properties.length > 0) change.properties = Object.fromEntries(properties);
  return change;
}

function parseAttribute(name: string, value: unknown): PropertyValue | null {
  if (!isAttributeName(name)) throw invalid('attributes', 'a name has 1 to 50 letters, digits and underscores');
  if (value === null || value === '') return null;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  const text = typeof value === 'boolean' ? String(value) : Array.isArray(value) ? value.map(String).join(', ') : value;
  if (typeof text === 'string' && text.length <= attributeCharsMax) return wellFormed(text);
  throw invalid(`attributes.${name}`, `it must be a number or a text of at most ${attributeCharsMax} characters`);
}

function isAttributeName(text: string): boolean {
  return /^[A-Za-z0-9_]{1,50}$/.test(text);
}

function parseNumbers(field: string, value: unknown): { number: number }[] {
  const isList = Array.isArray(value) && value.length <= 150;
  if (!isList || !value.every((one) => Number.isSafeInteger(Number(one)))) {
    throw invalid(field, 'it must be an array of at most 150 numbers');
  }
  return value.map((one) => ({ number: Number(one) }));
}

function parseAddress(field: string, value: unknown): string {
  const address = typeof value === 'string' ? parseEmail(field, value.trim()) : null;
  if (address === null) throw invalid(field, 'it must be an email address');
  return address;
}

function parseSince(field: string, text: string | undefined): number {
  if (!text) return 0;
  const moment = readIso(text);
  if (moment === null) throw invalid(field, 'it must be a date such as 2026-08-05T11:52:01.858Z');
  return moment;
}

/** Empty where there is none: nobody is in it. */
async function segmentOf(database: Reader, call: Call, text: string): Promise<string> {
  if (!/^\d{1,15}$/.test(text)) throw invalid('listIds', 'it must be the id of one list');
  return (await findSegment(database, call.caller.account, { number: Number(text) }))?.id ?? '';
}

async function render(database: Reader, contacts: readonly Contact[]) {
  const shown = [];
  for (const one of contacts) {
    const { segments } = await listSegmentsOf(database, one.account, one.id, allOfThem);
    shown.push({
      email: one.address,
      id: one.number,
      emailBlacklisted: one.unsubscribedAt !== null,
      smsBlacklisted: false,
      whatsappBlacklisted: false,
      createdAt: new Date(one.createdAt).toISOString(),
      modifiedAt: new Date(one.updatedAt).toISOString(),
      listIds: segments.map(({ number }) => number).reverse(),
      attributes: attributesOf(one),
    });
  }
  return shown;
}

export function attributesOf({
  firstName,
  lastName,
  properties,
}: Pick<Contact, 'firstName' | 'lastName' | 'properties'>) {
  return {
    ...(firstName === null ? {} : { FIRSTNAME: firstName }),
    ...(lastName === null ? {} : { LASTNAME: lastName }),
    ...properties,
  };
}

async function readFields(call: Call): Promise<Fields> {
  const body = parseJson(await call.body()) ?? {};
  if (isFields(body)) return body;
  throw new AppError('invalid_field', 'The request body must be a JSON object.');
}

/** Careful clients compare the text. */
function alreadyThere(): AppError {
  return new AppError('already_exists', 'Contact already exist');
}

function notFound(): AppError {
  return new AppError('not_found', 'Contact does not exist');
}

function json(status: number, body: unknown): Reply {
  return { status, body: JSON.stringify(body) };
}
