/** Templates of Resend's API: made, changed as drafts, published, duplicated and deleted. */

import { randomBytes } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/error.ts';
import type { TemplateVariable } from '../core/template-variable.ts';
import { createKeyId } from '../core/token.ts';
import { lockAccount } from '../store/accounts.ts';
import type { Database, Transaction } from '../store/database.ts';
import {
  deleteVersioned,
  findVersioned,
  insertVersioned,
  publishDraft,
  type VersionedContent,
  type VersionedTemplate,
  writeDraft,
} from '../store/versioned-templates.ts';

export type NewVersioned = { alias: string | null; content: VersionedContent };

/** Changes the named members only. */
export type VersionedChange = Partial<VersionedContent> & { alias?: string | null };

/** `name` is an id or an alias; null: there is no such template. */
export type VersionedTemplates = {
  /** @throws AppError `already_exists` where the alias is another's, as `change` does. */
  make(account: string, made: NewVersioned): Promise<string>;
  change(account: string, name: string, change: VersionedChange): Promise<string | null>;
  publish(account: string, name: string): Promise<string | null>;
  /** A draft of its own, without an alias. */
  duplicate(account: string, name: string): Promise<string | null>;
  remove(account: string, name: string): Promise<string | null>;
};

export type VersionedOptions = { database: Database; clock: Pick<Clock, 'now'>; nextId: (now: number) => string };

export function createVersionedTemplates({ database, clock, nextId }: VersionedOptions): VersionedTemplates {
  /** Of two that change the same template at once, the second changes what the first has left. */
  function onOne(
    account: string,
    name: string,
    work: (tx: Transaction, found: VersionedTemplate) => Promise<string>,
  ): Promise<string | null> {
    return database.write(async (tx) => {
      await lockAccount(tx, account);
      const found = await findVersioned(tx, account, name);
      return found && work(tx, found);
    });
  }

  async function insert(tx: Transaction, account: string, alias: string | null, draft: VersionedContent) {
    const now = clock.now();
    const id = nextId(now);
    const made = { account, id, alias, createdAt: now, draft, draftVersion: createKeyId(randomBytes) };
    if (!(await insertVersioned(tx, made))) throw taken(alias);
    return id;
  }

  return {
    make: (account, { alias, content }) => database.write((tx) => insert(tx, account, alias, content)),

    change: (account, name, { alias: wanted, ...change }) =>
      onOne(account, name, async (tx, found) => {
        const alias = wanted === undefined ? found.alias : wanted;
        const other = alias !== null && alias !== found.alias ? await findVersioned(tx, account, alias) : null;
        if (other?.alias === alias && other.id !== found.id) throw taken(alias);
        const draft = { ...found.draft, ...change };
        if (change.variables) draft.variables = change.variables.map((one) => named(found, one));
        await writeDraft(tx, found, { alias, draft, draftVersion: createKeyId(randomBytes), now: clock.now() });
        return found.id;
      }),

    publish: (account, name) =>
      onOne(account, name, async (tx, { id }) => {
        await publishDraft(tx, account, id, clock.now());
        return id;
      }),

    duplicate: (account, name) =>
      onOne(account, name, (tx, { draft }) => insert(tx, account, null, { ...draft, name: `${draft.name} (Copy)` })),

    remove: (account, name) =>
      onOne(account, name, async (tx, { id }) => {
        await deleteVersioned(tx, account, id);
        return id;
      }),
  };
}

/** A variable of the same name is the same one. */
function named({ draft }: VersionedTemplate, variable: TemplateVariable): TemplateVariable {
  const before = draft.variables.find(({ key }) => key === variable.key);
  return before ? { ...variable, id: before.id, createdAt: before.createdAt } : variable;
}

function taken(alias: string | null): AppError {
  return new AppError('already_exists', `A template with the alias \`${alias}\` exists already.`);
}
