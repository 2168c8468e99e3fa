/** Templates: what an account keeps to fill in and send; numbered for each account from 1. */

import assert from 'node:assert/strict';
import type { DatabaseReader, Reader, SqlValue, Transaction } from './database.ts';

/** What its author wrote; parsed when it was kept, so that it can be rendered. */
export type TemplateContent = {
  name: string;
  /** `id` where it was named by number; the name and address are those it had then. */
  sender: { id?: number; name: string; email: string };
  subject: string;
  html: string;
  /** Null: replies go to the sender. */
  replyTo: string | null;
  /** How recipients are named; empty for as they are. */
  toField: string;
  tag: string;
  attachmentUrl: string | null;
};

export type StoredTemplate = TemplateContent & {
  account: string;
  id: number;
  isActive: boolean;
  /** Whether a test of it was ever sent. */
  testSent: boolean;
  createdAt: number;
  modifiedAt: number;
};

type TemplateRow = {
  account: string;
  id: number;
  is_active: number;
  test_sent: number;
  created_at: number;
  modified_at: number;
  content: string;
};

const columns = 'account, id, is_active, test_sent, created_at, modified_at, content';

export type NewTemplate = TemplateContent & { isActive: boolean };

/** Changes the named members only. */
export type TemplateChange = Partial<NewTemplate>;

/** The number of the new template; one that was deleted is not given again. */
export async function insertTemplate(
  tx: Transaction,
  account: string,
  template: NewTemplate,
  now: number,
): Promise<number> {
  // The row is ours until the commit: two that create at once get two numbers.
  await tx.run('update accounts set last_template_id = last_template_id + 1 where id = ?', account);
  const [row] = await tx.all<{ id: number }>('select last_template_id as id from accounts where id = ?', account);
  assert(row, 'templates belong to an account that exists');
  await insertAs(tx, account, row.id, template, now);
  return row.id;
}

/** Under a number that is free: what is made later comes after it. */
export async function insertTemplateAs(
  tx: Transaction,
  account: string,
  id: number,
  template: NewTemplate,
  now: number,
): Promise<void> {
  await tx.run('update accounts set last_template_id = ? where id = ? and last_template_id < ?', id, account, id);
  await insertAs(tx, account, id, template, now);
}

export async function findTemplate(reader: Reader, account: string, id: number): Promise<StoredTemplate | null> {
  const [row] = await reader.all<TemplateRow>(
    `select ${columns} from templates where account = ? and id = ?`,
    account,
    id,
  );
  return row ? toTemplate(row) : null;
}

export type TemplatePage = { isActive: boolean | null; limit: number; offset: number; order: 'asc' | 'desc' };

/** How many there are in all pages, and how many characters those of this page have. */
export async function measureTemplates(
  database: DatabaseReader,
  account: string,
  page: TemplatePage,
): Promise<{ count: number; characters: number }> {
  const [where, params] = whereOf(account, page);
  const [total] = await database.report<{ count: number }>(
    `select count(*) as count from templates where ${where}`,
    ...params,
  );
  // Away from the serving thread: to measure them is to read them.
  const rows = await database.report<{ characters: number }>(
    `select length(content) as characters from templates where ${where} order by id ${page.order} limit ? offset ?`,
    ...params,
    page.limit,
    page.offset,
  );
  return { count: total?.count ?? 0, characters: rows.reduce((sum, row) => sum + row.characters, 0) };
}

/** In the order they were created. */
export async function listTemplates(reader: Reader, account: string, page: TemplatePage): Promise<StoredTemplate[]> {
  const [where, params] = whereOf(account, page);
  const rows = await reader.all<TemplateRow>(
    `select ${columns} from templates where ${where} order by id ${page.order} limit ? offset ?`,
    ...params,
    page.limit,
    page.offset,
  );
  return rows.map(toTemplate);
}

function whereOf(account: string, { isActive }: TemplatePage): [where: string, params: SqlValue[]] {
  return isActive === null
    ? ['account = ?', [account]]
    : ['account = ? and is_active = ?', [account, Number(isActive)]];
}

/** False: there is no such template. */
export async function updateTemplate(
  tx: Transaction,
  account: string,
  id: number,
  change: TemplateChange,
  now: number,
): Promise<boolean> {
  // Written before it is read, so that of two changes at once none undoes the other.
  const found = await tx.run('update templates set modified_at = ? where account = ? and id = ?', now, account, id);
  const before = found === 1 ? await findTemplate(tx, account, id) : null;
  if (!before) return false;
  const { isActive = before.isActive, ...content } = change;
  const changed = await tx.run(
    'update templates set is_active = ?, content = ? where account = ? and id = ?',
    Number(isActive),
    JSON.stringify({ ...contentOf(before), ...content }),
    account,
    id,
  );
  return changed === 1;
}

/** An active template is not deleted: something may be sending it. */
export async function deleteTemplate(
  tx: Transaction,
  account: string,
  id: number,
): Promise<'deleted' | 'active' | 'missing'> {
  const deleted = await tx.run('delete from templates where account = ? and id = ? and is_active = 0', account, id);
  if (deleted === 1) return 'deleted';
  return (await findTemplate(tx, account, id)) ? 'active' : 'missing';
}

/** False: there is no such template. */
export async function markTestSent(tx: Transaction, account: string, id: number): Promise<boolean> {
  return (await tx.run('update templates set test_sent = 1 where account = ? and id = ?', account, id)) === 1;
}

/** Number 1 of an account that never had a template: something to send before one has written anything. */
export async function ensureSampleTemplate(tx: Transaction, account: string, now: number): Promise<void> {
  const isFirst = await tx.run(
    'update accounts set last_template_id = 1 where id = ? and last_template_id = 0',
    account,
  );
  if (isFirst === 1) await insertAs(tx, account, 1, sample, now);
}

/** For accounts older than templates. */
export async function ensureSampleTemplates(tx: Transaction, now: number): Promise<void> {
  const rows = await tx.all<{ id: string }>('select id from accounts where last_template_id = 0');
  for (const { id } of rows) await ensureSampleTemplate(tx, id, now);
}

const sample: NewTemplate = {
  name: 'Sample',
  sender: { name: 'Sendonce', email: 'sample@example.com' },
  subject: 'Hello{% if contact.NAME %} {{ contact.NAME }}{% endif %}',
  html: [
    '<!DOCTYPE html>',
    '<html><body>',
    '<h1>{{ params.headline|default:"It works" }}</h1>',
    '<p>{{ params.greeting|default:"Hello" }}{% if contact.NAME %} {{ contact.NAME }}{% endif %},</p>',
    '<p>this is the sample template. Change it, or write your own.</p>',
    '</body></html>',
  ].join('\n'),
  replyTo: null,
  toField: '',
  tag: '',
  attachmentUrl: null,
  isActive: true,
};

async function insertAs(
  tx: Transaction,
  account: string,
  id: number,
  template: NewTemplate,
  now: number,
): Promise<void> {
  const { isActive, ...content } = template;
  await tx.run(
    'insert into templates (account, id, is_active, created_at, modified_at, content) values (?, ?, ?, ?, ?, ?)',
    account,
    id,
    Number(isActive),
    now,
    now,
    JSON.stringify(content),
  );
}

function contentOf(template: StoredTemplate): TemplateContent {
  const { name, sender, subject, html, replyTo, toField, tag, attachmentUrl } = template;
  return { name, sender, subject, html, replyTo, toField, tag, attachmentUrl };
}

function toTemplate(row: TemplateRow): StoredTemplate {
  const content = JSON.parse(row.content) as TemplateContent;
  return {
    ...content,
    account: row.account,
    id: row.id,
    isActive: row.is_active === 1,
    testSent: row.test_sent === 1,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
  };
}
