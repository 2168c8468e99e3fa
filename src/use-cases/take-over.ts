/** What another service knows of an account is taken over, a page at a time: a page that is taken twice changes nothing. */

import { randomBytes } from 'node:crypto';
import type { SuppressionOrigin } from '../core/suppression.ts';
import { createIdSource } from '../core/token.ts';
import { deleteSetting, findSetting, putSetting } from '../store/accounts.ts';
import { listSegments } from '../store/contacts/segments.ts';
import type { Database } from '../store/database.ts';
import { createContacts, type NewContact } from './contacts.ts';
import { createSegments } from './segments.ts';
import { createSuppress } from './suppress.ts';

export type TakeOver = {
  /** Where an earlier run came to in this; null: it is at its beginning, or was done. */
  findPlace(what: string): Promise<string | null>;
  notePlace(what: string, place: string): Promise<void>;
  /** All was taken: the next run begins anew. */
  end(whats: readonly string[]): Promise<void>;
  suppress(addresses: readonly string[], origin: SuppressionOrigin): Promise<void>;
  blockDomain(domain: string): Promise<void>;
  /** Who has left stays so, here or there. */
  putContact(contact: NewContact): Promise<void>;
  /** The id of the segment of this name, made where there is none. */
  segmentOf(name: string): Promise<string>;
};

export function createTakeOver(
  database: Database,
  { service, account }: { service: string; account: string },
): TakeOver {
  const clock = { now: () => database.wall() };
  const nextId = createIdSource(randomBytes);
  const segments = createSegments({ database, clock, nextId });
  const contacts = createContacts({ database, clock, nextId });
  const suppress = createSuppress(database, clock);
  const known = new Map<string, string>();
  const nameOf = (what: string) => `import ${service} ${account} ${what}`;
  return {
    findPlace: (what) => findSetting(database, nameOf(what)),
    notePlace: (what, place) => database.write((tx) => putSetting(tx, nameOf(what), place)),
    async end(whats) {
      for (const what of whats) await database.write((tx) => deleteSetting(tx, nameOf(what)));
    },
    async suppress(addresses, origin) {
      await suppress.add(account, addresses, origin);
    },
    blockDomain: (domain) => suppress.blockDomain(account, domain),
    async putContact(contact) {
      await contacts.put(account, contact);
    },
    async segmentOf(name) {
      if (!known.has(name)) {
        const all = await listSegments(database, account, { limit: null, after: null, before: null });
        const before = all.segments.find((one) => one.name === name);
        known.set(name, before?.id ?? (await segments.make(account, name)).id);
      }
      return known.get(name) ?? '';
    },
  };
}
