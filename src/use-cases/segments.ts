/** Segments, folders, topics and contact properties: what an account sorts its contacts by. */

import type { Clock } from '../core/clock.ts';
import type { ContactProperty, Segment, Topic } from '../core/contact.ts';
import { lockAccount } from '../store/accounts.ts';
import { deleteProperty, findProperty, insertProperty, setFallback } from '../store/contacts/properties.ts';
import {
  changeSegment,
  deleteFolder,
  deleteSegment,
  firstFolder,
  insertFolder,
  insertSegment,
  listFolders,
  putFolder,
} from '../store/contacts/segments.ts';
import { deleteTopic, findTopic, insertTopic, writeTopic } from '../store/contacts/topics.ts';
import type { Database, Transaction } from '../store/database.ts';

/** False or null: there is no such thing. */
export type Segments = {
  make(account: string, name: string, folder?: number): Promise<Segment>;
  change(account: string, id: string, change: Partial<Pick<Segment, 'name' | 'folder'>>): Promise<boolean>;
  /** Whoever belonged to it stays a contact. */
  remove(account: string, id: string): Promise<boolean>;
  makeFolder(account: string, name: string): Promise<number>;
  renameFolder(account: string, number: number, name: string): Promise<boolean>;
  /** With its lists. `first`: that one stays. */
  removeFolder(account: string, number: number): Promise<'removed' | 'missing' | 'first'>;
};

export type Topics = {
  make(
    account: string,
    topic: Pick<Topic, 'name' | 'description' | 'defaultSubscription' | 'isPublic'>,
  ): Promise<string>;
  change(
    account: string,
    id: string,
    change: Partial<Pick<Topic, 'name' | 'description' | 'isPublic'>>,
  ): Promise<string | null>;
  remove(account: string, id: string): Promise<string | null>;
};

export type Properties = {
  /** Null: there is one of that name. */
  make(account: string, property: Pick<ContactProperty, 'name' | 'type' | 'fallback'>): Promise<string | null>;
  setFallback(account: string, id: string, fallback: ContactProperty['fallback']): Promise<boolean>;
  remove(account: string, id: string): Promise<boolean>;
};

export type SortingOptions = { database: Database; clock: Pick<Clock, 'now'>; nextId: (now: number) => string };

export function createSegments({ database, clock, nextId }: SortingOptions): Segments {
  const held = <T>(account: string, work: (tx: Transaction) => Promise<T>) =>
    database.write(async (tx) => {
      await lockAccount(tx, account);
      return work(tx);
    });
  const hasFolder = async (tx: Transaction, account: string, number: number) =>
    (await listFolders(tx, account)).some((one) => one.number === number);

  return {
    make: (account, name, folder = firstFolder.number) =>
      held(account, (tx) => {
        const now = clock.now();
        return insertSegment(tx, { account, id: nextId(now), name, folder, createdAt: now });
      }),
    change: (account, id, change) => database.write((tx) => changeSegment(tx, { account, id }, change)),
    remove: (account, id) => database.write((tx) => deleteSegment(tx, account, id)),
    makeFolder: (account, name) => held(account, (tx) => insertFolder(tx, account, name)),
    renameFolder: (account, number, name) =>
      held(account, async (tx) => {
        const isThere = await hasFolder(tx, account, number);
        if (isThere) await putFolder(tx, account, { number, name });
        return isThere;
      }),
    removeFolder: (account, number) =>
      held(account, async (tx) => {
        if (number === firstFolder.number) return 'first';
        if (!(await hasFolder(tx, account, number))) return 'missing';
        await deleteFolder(tx, account, number);
        return 'removed';
      }),
  };
}

export function createTopics({ database, clock, nextId }: SortingOptions): Topics {
  return {
    make: (account, topic) =>
      database.write(async (tx) => {
        const now = clock.now();
        const id = nextId(now);
        await insertTopic(tx, { ...topic, account, id, createdAt: now });
        return id;
      }),
    change: (account, id, change) =>
      database.write(async (tx) => {
        await lockAccount(tx, account);
        const found = await findTopic(tx, account, id);
        if (found) await writeTopic(tx, { ...found, ...change });
        return found?.id ?? null;
      }),
    remove: (account, id) =>
      database.write(async (tx) => {
        const found = await findTopic(tx, account, id);
        if (found) await deleteTopic(tx, account, found.id);
        return found?.id ?? null;
      }),
  };
}

export function createProperties({ database, clock, nextId }: SortingOptions): Properties {
  return {
    make: (account, property) =>
      database.write(async (tx) => {
        const now = clock.now();
        const id = nextId(now);
        return (await insertProperty(tx, { ...property, account, id, createdAt: now })) ? id : null;
      }),
    setFallback: (account, id, fallback) =>
      database.write(async (tx) => {
        const found = await findProperty(tx, account, id);
        if (found) await setFallback(tx, found, fallback);
        return found !== null;
      }),
    remove: (account, id) => database.write((tx) => deleteProperty(tx, account, id)),
  };
}
