/** Contacts: made, changed, deleted, put into segments and out of them, and what they choose of topics. */

import type { Clock } from '../core/clock.ts';
import type { Contact, PropertyValue, Subscription } from '../core/contact.ts';
import { AppError } from '../core/error.ts';
import { lockAccount } from '../store/accounts.ts';
import {
  type ContactName,
  deleteContact,
  findContact,
  insertContact,
  writeContact,
} from '../store/contacts/contacts.ts';
import { addToSegment, findSegment, removeFromSegment, type SegmentName } from '../store/contacts/segments.ts';
import { findTopic, putChoice } from '../store/contacts/topics.ts';
import type { Database, Transaction } from '../store/database.ts';
import { tellOfChange, tellOfRemoval } from './contact-changes.ts';

export type Choice = { topic: string; subscription: Subscription };

/** Changes the named members only; a property that is null is taken away. */
export type ContactChange = {
  address?: string;
  firstName?: string | null;
  lastName?: string | null;
  unsubscribed?: boolean;
  properties?: Readonly<Record<string, PropertyValue | null>>;
  addTo?: readonly SegmentName[];
  removeFrom?: readonly SegmentName[];
  choices?: readonly Choice[];
};

export type NewContact = ContactChange & { address: string };

export type Contacts = {
  /** Of an address that is known already it changes what is named. @throws AppError `not_found` for a segment or topic there is not. */
  put(account: string, wanted: NewContact): Promise<{ contact: Contact; isNew: boolean }>;
  /** Null: there is no such contact. @throws AppError as `put`; `already_exists` where the new address is another's. */
  change(account: string, name: ContactName, change: ContactChange): Promise<Contact | null>;
  remove(account: string, name: ContactName): Promise<Contact | null>;
  /** By each name, whether the contact was put in, or taken out; null where there is no such segment. */
  move(
    account: string,
    segment: SegmentName,
    names: readonly ContactName[],
    way: 'in' | 'out',
  ): Promise<boolean[] | null>;
  /** Somebody does not want any more of this: of a topic, or of everything where it is null or gone. */
  unsubscribe(account: string, address: string, topic: string | null): Promise<void>;
};

export type ContactOptions = {
  database: Database;
  clock: Pick<Clock, 'now'>;
  nextId: (now: number) => string;
  /** Told after a commit of which webhooks may be to be told. Without it they are not: what is taken over is nothing new. */
  onChanged?: () => void;
};

export function createContacts({ database, clock, nextId, onChanged }: ContactOptions): Contacts {
  /** One at a time for each account: what is read is what is changed. */
  async function held<T>(account: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const done = await database.write(async (tx) => {
      await lockAccount(tx, account);
      return work(tx);
    });
    onChanged?.();
    return done;
  }

  function telling(tx: Transaction, before: Contact | null, work: () => Promise<Contact>): Promise<Contact> {
    return onChanged ? tellOfChange(tx, before, clock.now(), work) : work();
  }

  async function put(tx: Transaction, account: string, wanted: NewContact) {
    const known = await findContact(tx, account, { address: wanted.address });
    const { address: _, ...change } = wanted;
    const now = clock.now();
    const contact = await telling(tx, known, async () => {
      const blank = { account, id: nextId(now), address: wanted.address, properties: {}, now };
      const nobody = { ...blank, firstName: null, lastName: null, unsubscribedAt: null };
      return apply(tx, known ?? (await insertContact(tx, nobody)), change, now);
    });
    return { contact, isNew: known === null };
  }

  return {
    put: (account, wanted) => held(account, (tx) => put(tx, account, wanted)),

    change: (account, name, change) =>
      held(account, async (tx) => {
        const found = await findContact(tx, account, name);
        return found && telling(tx, found, () => apply(tx, found, change, clock.now()));
      }),

    remove: (account, name) =>
      held(account, async (tx) => {
        const found = await findContact(tx, account, name);
        if (found && onChanged) await tellOfRemoval(tx, found, clock.now());
        if (found) await deleteContact(tx, account, found.id);
        return found;
      }),

    move: (account, segment, names, way) =>
      held(account, async (tx) => {
        const found = await findSegment(tx, account, segment);
        if (!found) return null;
        const moved: boolean[] = [];
        for (const name of names) {
          const contact = await findContact(tx, account, name);
          let isMoved = false;
          if (contact) {
            await telling(tx, contact, async () => {
              const membership = { account, segment: found.id, contact: contact.id };
              isMoved = await (way === 'in' ? addToSegment : removeFromSegment)(tx, membership);
              return contact;
            });
          }
          moved.push(isMoved);
        }
        return moved;
      }),

    unsubscribe: (account, address, topic) =>
      held(account, async (tx) => {
        const known = topic === null ? null : await findTopic(tx, account, topic);
        const wanted = known
          ? { choices: [{ topic: known.id, subscription: 'opt_out' as const }] }
          : { unsubscribed: true };
        await put(tx, account, { address, ...wanted });
      }),
  };
}

async function apply(tx: Transaction, contact: Contact, change: ContactChange, now: number): Promise<Contact> {
  const changed = { ...changedOf(contact, change, now), updatedAt: now };
  if (change.address !== undefined) await requireFree(tx, contact, change.address);
  await writeContact(tx, changed, now);
  const { account, id } = contact;
  for (const name of change.addTo ?? []) {
    await addToSegment(tx, { account, segment: await segmentIdOf(tx, account, name), contact: id });
  }
  for (const name of change.removeFrom ?? []) {
    await removeFromSegment(tx, { account, segment: await segmentIdOf(tx, account, name), contact: id });
  }
  for (const { topic, subscription } of change.choices ?? []) {
    const found = await findTopic(tx, account, topic);
    if (!found) throw new AppError('not_found', 'Topic not found');
    await putChoice(tx, { account, contact: id, topic: found.id, subscription });
  }
  return changed;
}

async function requireFree(tx: Transaction, contact: Contact, address: string): Promise<void> {
  const other = await findContact(tx, contact.account, { address });
  if (other && other.id !== contact.id) throw new AppError('already_exists', 'Contact already exist');
}

function changedOf(contact: Contact, change: ContactChange, now: number): Contact {
  const { address = contact.address, firstName = contact.firstName, lastName = contact.lastName } = change;
  const isUnsubscribed = change.unsubscribed ?? contact.unsubscribedAt !== null;
  const properties = Object.entries({ ...contact.properties, ...change.properties });
  return {
    ...contact,
    address,
    firstName,
    lastName,
    unsubscribedAt: isUnsubscribed ? (contact.unsubscribedAt ?? now) : null,
    properties: Object.fromEntries(properties.filter((one): one is [string, PropertyValue] => one[1] !== null)),
  };
}

async function segmentIdOf(tx: Transaction, account: string, name: SegmentName): Promise<string> {
  const found = await findSegment(tx, account, name);
  if (!found) throw new AppError('not_found', 'id' in name ? 'Segment not found' : 'List ID does not exist');
  return found.id;
}
