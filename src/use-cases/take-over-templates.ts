/** Templates and domains of another service, taken over: what was taken before is known again, and left as it is. */

import { randomBytes } from 'node:crypto';
import type { DnsRecord } from '../core/domain.ts';
import { recordsOf } from '../core/domain.ts';
import type { Secrets } from '../core/secrets.ts';
import { createIdSource } from '../core/token.ts';
import type { Database } from '../store/database.ts';
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

export function createMadeThings(database: Database, { account, secrets, senders }: MadeOptions): MadeThings {
  const clock = { now: () => database.wall() };
  const nextId = createIdSource(randomBytes);
  const versioned = createVersionedTemplates({ database, clock, nextId });
  const templates = createTemplates(database, clock);
  const operators = { list: async () => [] };
  const telling = { senders: () => senders, onChanged: () => {} };
  const domains = createDomains({ database, clock, secrets, nextId, operators, ...telling });

  return {
    async putVersioned(alias, content, isPublished) {
      const known = (await listVersioned(database, account, everything)).templates;
      const isThere = known.some((one) => (alias === null ? one.draft.name === content.name : one.alias === alias));
      if (isThere) return false;
      const id = await versioned.make(account, { alias, content });
      if (isPublished) await versioned.publish(account, id);
      return true;
    },

    async putTemplate(number, template) {
      const page = { isActive: null, limit: 10_000, offset: 0, order: 'asc' as const };
      const isSame = (one: { name: string; subject: string }) =>
        one.name === template.name && one.subject === template.subject;
      const known = (await listTemplates(database, account, page)).find(isSame);
      if (known) return { number: known.id, isNew: false };
      const isFree = (await findTemplate(database, account, number)) === null;
      if (!isFree) return { number: await templates.make(account, template), isNew: true };
      await database.write((tx) => insertTemplateAs(tx, account, number, template, clock.now()));
      return { number, isNew: true };
    },

    async putDomain(name, region) {
      if (await findDomain(database, account, { name })) return null;
      const made = await domains.make(account, name, region);
      return recordsOf(made.name, made.keys, senders);
    },
  };
}
