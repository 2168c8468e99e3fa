/** Templates of Resend's API: a draft that its author changes, and the version that was published and is sent. */

import type { TemplateVariable } from '../core/template-variable.ts';
import type { Reader, Transaction } from './database.ts';
import { type ListPage, readPage } from './list-page.ts';

/** What its author wrote. */
export type VersionedContent = {
  name: string;
  from: string | null;
  subject: string | null;
  replyTo: string[];
  html: string;
  text: string | null;
  variables: TemplateVariable[];
};

export type VersionedTemplate = {
  account: string;
  id: string;
  alias: string | null;
  createdAt: number;
  updatedAt: number;
  publishedAt: number | null;
  draft: VersionedContent;
  draftVersion: string;
  /** Null: not yet. */
  published: VersionedContent | null;
  publishedVersion: string | null;
};

type Row = {
  account: string;
  id: string;
  alias: string | null;
  created_at: number;
  updated_at: number;
  published_at: number | null;
  draft: string;
  draft_version: string;
  published: string | null;
  published_version: string | null;
};

/** False: the account has another template of that alias. */
export async function insertVersioned(
  tx: Transaction,
  made: Pick<VersionedTemplate, 'account' | 'id' | 'alias' | 'createdAt' | 'draft' | 'draftVersion'>,
): Promise<boolean> {
  const inserted = await tx.run(
    `insert into versioned_templates (account, id, alias, created_at, updated_at, draft, draft_version)
     values (?, ?, ?, ?, ?, ?, ?) on conflict do nothing`,
    made.account,
    made.id,
    made.alias,
    made.createdAt,
    made.createdAt,
    JSON.stringify(made.draft),
    made.draftVersion,
  );
  return inserted === 1;
}

/** By its id or its alias. */
export async function findVersioned(reader: Reader, account: string, name: string): Promise<VersionedTemplate | null> {
  const rows = await reader.all<Row>(
    'select * from versioned_templates where account = ? and (id = ? or alias = ?)',
    account,
    name,
    name,
  );
  const row = rows.find(({ id }) => id === name) ?? rows[0];
  return row ? toVersioned(row) : null;
}

export async function listVersioned(
  reader: Reader,
  account: string,
  page: ListPage,
): Promise<{ templates: VersionedTemplate[]; hasMore: boolean }> {
  const query = { sql: 'select * from versioned_templates where account = ?', params: [account] };
  const { rows, hasMore } = await readPage<Row>(reader, query, page);
  return { templates: rows.map(toVersioned), hasMore };
}

/** To be called by who holds the account: what was read before is what is changed. */
export async function writeDraft(
  tx: Transaction,
  { account, id }: Pick<VersionedTemplate, 'account' | 'id'>,
  { alias, draft, draftVersion, now }: Pick<VersionedTemplate, 'alias' | 'draft' | 'draftVersion'> & { now: number },
): Promise<void> {
  await tx.run(
    'update versioned_templates set alias = ?, draft = ?, draft_version = ?, updated_at = ? where account = ? and id = ?',
    alias,
    JSON.stringify(draft),
    draftVersion,
    now,
    account,
    id,
  );
}

export async function publishDraft(tx: Transaction, account: string, id: string, now: number): Promise<void> {
  await tx.run(
    `update versioned_templates set published = draft, published_version = draft_version, published_at = ?
     where account = ? and id = ?`,
    now,
    account,
    id,
  );
}

export async function deleteVersioned(tx: Transaction, account: string, id: string): Promise<void> {
  await tx.run('delete from versioned_templates where account = ? and id = ?', account, id);
}

function toVersioned(row: Row): VersionedTemplate {
  return {
    account: row.account,
    id: row.id,
    alias: row.alias,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    publishedAt: row.published_at,
    draft: JSON.parse(row.draft) as VersionedContent,
    draftVersion: row.draft_version,
    published: row.published === null ? null : (JSON.parse(row.published) as VersionedContent),
    publishedVersion: row.published_version,
  };
}
