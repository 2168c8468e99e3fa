/** Templates and domains of another service, taken over: what was taken before is known again, and left as it is. */

import { randomBytes } from 'node:crypto';
import type { DnsRecord } from '../core/domain.ts';
import { recordsOf } from '../core/domain.ts';
import type { Secrets } from '../core/secrets.ts';
import { createIdSource } from '../core/token.ts';
import type { Database, Reader } from '../store/database.ts';
import { findDomain } from '../store/domains.ts';
import { findTemplate, insertTemplateAs, listTemplates, type NewTemplate } from '../store/templates.ts';
import { listVersioned, type VersionedContent } from '../store/versioned-templates.ts';
import { createDomains } from './domains.ts';
import { createTemplates } from './templates.ts';
import { createVersionedTemplates } from './versioned-templates.ts';

export type MadeThings = {
  /** By alias or, without one, by name. False: it was there before. */
  putVersioned(alias: string | null, content: VersionedContent, isPublished: boolean): Promise<boolean>;
  /** Under its own number where that is free. The number it has here. */
  putTemplate(number: number, template: NewTemplate): Promise<{ number: number; isNew: boolean }>;
  /** The records to publish; null: it was there before, or is another account's. */
  putDomain(name: string, region: string): Promise<DnsRecord[] | null>;
};

export type MadeOptions = { account: string; secrets: Pick<Secrets, 'seal'>; senders: readonly string[] };

const everything = { limit: null, after: null, before: null };
const pageSize = 500;

export function createMadeThings(database: Database, { account, secrets, senders }: MadeOptions): MadeThings {
  const clock = { now: () => database.wall() };
  const nextId = createIdSource(randomBytes);
  const versioned = createVersionedTemplates({ database, clock, nextId });
  const templates = createTemplates(database, clock);
  const operators = { list: async () => [] };
  const telling = { senders: () => senders, onChanged: () => {} };
  const domains = createDomains({ database, clock, secrets, nextId, operators, ...telling });
  // What is here is read once, and not again for each that comes.
  const readVersioned = once(() => namesOfVersioned(database, account));
  const readNumbers = once(() => numbersOfTemplates(database, account));

  async function insert(number: number, template: NewTemplate): Promise<number> {
    if (await findTemplate(database, account, number)) return templates.make(account, template);
    await database.write((tx) => insertTemplateAs(tx, account, number, template, clock.now()));
    return number;
  }

  return {
    async putVersioned(alias, content, isPublished) {
      const known = await readVersioned();
      if (alias === null ? known.names.has(content.name) : known.aliases.has(alias)) return false;
      const id = await versioned.make(account, { alias, content });
      if (isPublished) await versioned.publish(account, id);
      known.names.add(content.name);
      if (alias !== null) known.aliases.add(alias);
      return true;
    },

    async putTemplate(number, template) {
      const known = await readNumbers();
      const before = known.get(titleOf(template));
      if (before !== undefined) return { number: before, isNew: false };
      const made = await insert(number, template);
      known.set(titleOf(template), made);
      return { number: made, isNew: true };
    },

    async putDomain(name, region) {
      if (await findDomain(database, account, { name })) return null;
      const made = await domains.make(account, name, region);
      return recordsOf(made.name, made.keys, senders);
    },
  };
}

function once<T>(read: () => Promise<T>): () => Promise<T> {
  let found: Promise<T> | null = null;
  return () => {
    found ??= read();
    return found;
  };
}

async function namesOfVersioned(reader: Reader, account: string) {
  const { templates } = await listVersioned(reader, account, everything);
  return {
    names: new Set(templates.map(({ draft }) => draft.name)),
    aliases: new Set(templates.map(({ alias }) => alias)),
  };
}

type Titled = Pick<NewTemplate, 'name' | 'subject'>;

/** Of two alike the one that was made first. */
async function numbersOfTemplates(reader: Reader, account: string): Promise<Map<string, number>> {
  const numbers = new Map<string, number>();
  for (let offset = 0; ; offset += pageSize) {
    const page = { isActive: null, limit: pageSize, offset, order: 'asc' as const };
    const templates = await listTemplates(reader, account, page);
    for (const one of templates) if (!numbers.has(titleOf(one))) numbers.set(titleOf(one), one.id);
    if (templates.length < pageSize) return numbers;
  }
}

function titleOf({ name, subject }: Titled): string {
  return JSON.stringify([name, subject]);
}
