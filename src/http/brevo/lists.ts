/** /v3/contacts/lists and /v3/contacts/folders: Resend's segments, by number, and the folders they lie in. */

import type { Segment } from '../../core/contact.ts';
import { AppError } from '../../core/error.ts';
import type { ContactName } from '../../store/contacts/contacts.ts';
import {
  countSegments,
  type Folder,
  findSegment,
  listFolders,
  listSegments,
  type SegmentCounts,
} from '../../store/contacts/segments.ts';
import type { Reader } from '../../store/database.ts';
import type { Contacts } from '../../use-cases/contacts.ts';
import type { Segments } from '../../use-cases/segments.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { breaksLine, type Fields, isAbsent, isFields } from '../fields.ts';
import { parsePage } from './parse-query.ts';
import { invalid, missing } from './refusal.ts';

export type ListParts = { database: Reader; segments: Segments; contacts: Contacts };

const pageLimits = { limitDefault: 10, limitMax: 50 };
const nameCharsMax = 200;
/** docs/brevo.md: addresses or ids in one request. */
const movedMax = 150;
const done: Reply = { status: 204, body: null };
const all = { limit: null, after: null, before: null };

export async function list(parts: ListParts, call: Call): Promise<Reply> {
  return json(200, await pageOf(parts, call, () => true, membersOf));
}

export async function listInFolder(parts: ListParts, call: Call): Promise<Reply> {
  const { number } = await getFolder(parts, call);
  const inFolder = ({ folder }: Segment) => folder === number;
  return json(200, await pageOf(parts, call, inFolder, (one, counts) => without(membersOf(one, counts))));
}

export async function create({ database, segments }: ListParts, call: Call): Promise<Reply> {
  const fields = await readFields(call);
  const name = parseName(fields);
  if (isAbsent(fields.folderId)) throw missing('folderId');
  const folder = await parseFolder(database, call, fields.folderId);
  const made = await segments.make(call.caller.account, name, folder);
  return json(201, { id: made.number });
}

export async function show(parts: ListParts, call: Call): Promise<Reply> {
  const one = await getList(parts, call);
  const counts = await countSegments(parts.database, call.caller.account);
  const more = { createdAt: new Date(one.createdAt).toISOString(), dynamicList: false, campaignStats: [] };
  return json(200, { ...membersOf(one, counts.get(one.id)), ...more });
}

export async function update(parts: ListParts, call: Call): Promise<Reply> {
  const { id } = await getList(parts, call);
  const fields = await readFields(call);
  const name = isAbsent(fields.name) ? {} : { name: parseName(fields) };
  const folder = isAbsent(fields.folderId) ? {} : { folder: await parseFolder(parts.database, call, fields.folderId) };
  await parts.segments.change(call.caller.account, id, { ...name, ...folder });
  return done;
}

export async function remove(parts: ListParts, call: Call): Promise<Reply> {
  const { id } = await getList(parts, call);
  await parts.segments.remove(call.caller.account, id);
  return done;
}

export function add(parts: ListParts, call: Call): Promise<Reply> {
  return move(parts, call, 'in');
}

export function takeOut(parts: ListParts, call: Call): Promise<Reply> {
  return move(parts, call, 'out');
}

/** Each by itself: those that are no contacts, or are there already, are told apart. */
async function move(parts: ListParts, call: Call, way: 'in' | 'out'): Promise<Reply> {
  const { id } = await getList(parts, call);
  const { emails, ids } = await readFields(call);
  const given = isAbsent(emails) ? ids : emails;
  if (isAbsent(given)) throw missing('emails');
  if (!Array.isArray(given) || given.length === 0 || given.length > movedMax || !given.every(isName)) {
    throw invalid(isAbsent(emails) ? 'ids' : 'emails', `it must be an array of 1 to ${movedMax} addresses or ids`);
  }
  const names = given.map((one): ContactName => (typeof one === 'number' ? { number: one } : { address: one.trim() }));
  const moved = (await parts.contacts.move(call.caller.account, { id }, names, way)) ?? [];
  const success = given.filter((_, index) => moved[index]);
  if (success.length === 0) {
    throw new AppError(
      'invalid_field',
      way === 'in'
        ? 'Contact already in list and/or does not exist'
        : 'Contacts already removed from list and/or does not exist',
    );
  }
  const failure = given.filter((_, index) => !moved[index]);
  return json(201, { contacts: { success, failure, total: success.length } });
}

function isName(value: unknown): value is string | number {
  return typeof value === 'string' || Number.isSafeInteger(value);
}

export async function listAllFolders(parts: ListParts, call: Call): Promise<Reply> {
  const { limit, offset, order } = parsePage(call.query(), pageLimits);
  const folders = await listFolders(parts.database, call.caller.account);
  const ordered = order === 'desc' ? folders.reverse() : folders;
  const shown = ordered.slice(offset, offset + limit).map(folderMembers);
  return json(200, { count: folders.length, folders: shown });
}

export async function createFolder({ segments }: ListParts, call: Call): Promise<Reply> {
  return json(201, { id: await segments.makeFolder(call.caller.account, parseName(await readFields(call))) });
}

export async function showFolder(parts: ListParts, call: Call): Promise<Reply> {
  return json(200, folderMembers(await getFolder(parts, call)));
}

export async function updateFolder(parts: ListParts, call: Call): Promise<Reply> {
  const { number } = await getFolder(parts, call);
  await parts.segments.renameFolder(call.caller.account, number, parseName(await readFields(call)));
  return done;
}

/** With its lists; the contacts in them stay. */
export async function removeFolder(parts: ListParts, call: Call): Promise<Reply> {
  const { number } = await getFolder(parts, call);
  const outcome = await parts.segments.removeFolder(call.caller.account, number);
  if (outcome === 'first') throw invalid('folderId', 'the first folder stays');
  return done;
}

async function pageOf<T>(
  { database }: ListParts,
  call: Call,
  isMeant: (one: Segment) => boolean,
  members: (one: Segment, counts: SegmentCounts | undefined) => T,
) {
  const { account } = call.caller;
  const { limit, offset, order } = parsePage(call.query(), pageLimits);
  const { segments } = await listSegments(database, account, all);
  const meant = segments.filter(isMeant);
  const counts = await countSegments(database, account);
  const ordered = order === 'asc' ? meant.toReversed() : meant;
  return {
    count: meant.length,
    lists: ordered.slice(offset, offset + limit).map((one) => members(one, counts.get(one.id))),
  };
}

function membersOf(one: Segment, counts: SegmentCounts = { subscribed: 0, unsubscribed: 0 }) {
  return {
    id: one.number,
    name: one.name,
    folderId: one.folder,
    uniqueSubscribers: counts.subscribed + counts.unsubscribed,
    totalSubscribers: counts.subscribed,
    totalBlacklisted: counts.unsubscribed,
  };
}

function without<T extends { folderId: number }>({ folderId: _, ...rest }: T) {
  return rest;
}

function folderMembers({ number, name }: Folder) {
  return { id: number, name, uniqueSubscribers: 0, totalSubscribers: 0, totalBlacklisted: 0 };
}

async function getList({ database }: ListParts, call: Call): Promise<Segment> {
  const text = call.param('id');
  const found = /^\d{1,15}$/.test(text)
    ? await findSegment(database, call.caller.account, { number: Number(text) })
    : null;
  if (!found) throw new AppError('not_found', 'List ID does not exist');
  return found;
}

async function getFolder({ database }: ListParts, call: Call): Promise<Folder> {
  const folders = await listFolders(database, call.caller.account);
  const found = folders.find(({ number }) => String(number) === call.param('id'));
  if (!found) throw new AppError('not_found', 'Folder ID does not exist');
  return found;
}

async function parseFolder(database: Reader, call: Call, value: unknown): Promise<number> {
  const folders = await listFolders(database, call.caller.account);
  const found = folders.find(({ number }) => number === Number(value));
  if (!found) throw invalid('folderId', 'there is no such folder');
  return found.number;
}

function parseName(fields: Fields): string {
  if (isAbsent(fields.name)) throw missing('name');
  if (typeof fields.name !== 'string' || fields.name.length > nameCharsMax || breaksLine(fields.name)) {
    throw invalid('name', `it must be a text of at most ${nameCharsMax} characters`);
  }
  return fields.name;
}

async function readFields(call: Call): Promise<Fields> {
  const body = parseJson(await call.body()) ?? {};
  if (isFields(body)) return body;
  throw new AppError('invalid_field', 'The request body must be a JSON object.');
}

function json(status: number, body: unknown): Reply {
  return { status, body: JSON.stringify(body) };
}
