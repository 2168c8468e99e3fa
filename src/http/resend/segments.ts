/** /segments, and /audiences, as they were called once: the same ones, and the contacts in them. */

import type { Segment } from '../../core/contact.ts';
import { findContact, listContacts, nameOfContact } from '../../store/contacts/contacts.ts';
import { findSegment, listSegments } from '../../store/contacts/segments.ts';
import type { Segments } from '../../use-cases/segments.ts';
import type { Call, Reply } from '../call.ts';
import { type ContactParts, changeContact, contactNotFound, segmentNotFound, showContact } from './contacts.ts';
import { parseListPage, parseName, readFields, reply } from './json-body.ts';
import { parseNewContact } from './parse-contact.ts';
import { renderTime } from './render.ts';

export type SegmentParts = ContactParts & { segments: Segments };

type Kind = 'segment' | 'audience';

export function segmentRoutes(kind: Kind) {
  const object = kind;
  return {
    async create({ segments }: SegmentParts, call: Call): Promise<Reply> {
      const made = await segments.make(call.caller.account, parseName(await readFields(call)));
      return reply(201, { object, id: made.id, name: made.name });
    },

    async list({ database }: SegmentParts, call: Call): Promise<Reply> {
      const { segments, hasMore } = await listSegments(database, call.caller.account, parseListPage(call, 'if named'));
      const data = segments.map((one) => ({ id: one.id, name: one.name, created_at: renderTime(one.createdAt) }));
      return reply(200, { object: 'list', has_more: hasMore, data });
    },

    async show(parts: SegmentParts, call: Call): Promise<Reply> {
      const one = await getSegment(parts, call);
      return reply(200, { object, id: one.id, name: one.name, created_at: renderTime(one.createdAt) });
    },

    async change(parts: SegmentParts, call: Call): Promise<Reply> {
      const { id } = await getSegment(parts, call);
      await parts.segments.change(call.caller.account, id, { name: parseName(await readFields(call)) });
      return reply(200, { object, id });
    },

    /** The real API answers so, too, where there was none. */
    async remove({ segments }: SegmentParts, call: Call): Promise<Reply> {
      const id = call.param('id');
      await segments.remove(call.caller.account, id.toLowerCase());
      return reply(200, { object, id, deleted: true });
    },
  };
}

export async function showSegmentContacts(parts: SegmentParts, call: Call): Promise<Reply> {
  const { id } = await getSegment(parts, call);
  const page = parseListPage(call, 'if named');
  const { contacts, hasMore } = await listContacts(parts.database, call.caller.account, id, page);
  const data = contacts.map((one) => ({
    ...{ id: one.id, email: one.address, first_name: one.firstName, last_name: one.lastName },
    ...{ created_at: renderTime(one.createdAt), unsubscribed: one.unsubscribedAt !== null },
  }));
  return reply(200, { object: 'list', has_more: hasMore, data });
}

export async function createInAudience(parts: SegmentParts, call: Call): Promise<Reply> {
  const { id } = await getSegment(parts, call);
  const wanted = parseNewContact(await readFields(call));
  const addTo = [...(wanted.addTo ?? []), { id }];
  const { contact } = await parts.contacts.put(call.caller.account, { ...wanted, addTo });
  return reply(201, { object: 'contact', id: contact.id });
}

export async function showInAudience(parts: SegmentParts, call: Call): Promise<Reply> {
  return showContact(parts, await inAudience(parts, call));
}

export async function changeInAudience(parts: SegmentParts, call: Call): Promise<Reply> {
  return changeContact(parts, await inAudience(parts, call));
}

/** Taken out of the audience; the contact stays. The real API answers so, too, where there was none. */
export async function removeFromAudience({ contacts }: SegmentParts, call: Call): Promise<Reply> {
  const name = call.param('contact');
  await contacts.move(call.caller.account, { id: call.param('id') }, [nameOfContact(name)], 'out');
  return reply(200, { object: 'contact', contact: name, deleted: true });
}

/** The same call, about the contact. */
async function inAudience(parts: SegmentParts, call: Call): Promise<Call> {
  await getSegment(parts, call);
  const found = await findContact(parts.database, call.caller.account, nameOfContact(call.param('contact')));
  if (!found) throw contactNotFound();
  return call.about({ id: found.id });
}

async function getSegment({ database }: SegmentParts, call: Call): Promise<Segment> {
  const found = await findSegment(database, call.caller.account, { id: call.param('id') });
  if (!found) throw segmentNotFound();
  return found;
}
