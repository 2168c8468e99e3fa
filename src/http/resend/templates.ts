/** /templates: a draft is written and changed, and what was published is sent. */

import { AppError } from '../../core/error.ts';
import type { TemplateVariable } from '../../core/template-variable.ts';
import type { Reader } from '../../store/database.ts';
import { findVersioned, listVersioned, type VersionedTemplate } from '../../store/versioned-templates.ts';
import type { VersionedTemplates } from '../../use-cases/versioned-templates.ts';
import type { Call, Reply } from '../call.ts';
import { refusalTexts } from './errors.ts';
import { parseListPage, readFields, reply } from './json-body.ts';
import { parseNewTemplate, parseTemplateChange } from './parse-template.ts';
import { renderTime } from './render.ts';

export type TemplateParts = { database: Reader; now: () => number; versionedTemplates: VersionedTemplates };

export async function createTemplate({ versionedTemplates, now }: TemplateParts, call: Call): Promise<Reply> {
  const made = parseNewTemplate(await readFields(call), now());
  return reply(201, refOf(await versionedTemplates.make(call.caller.account, made)));
}

export async function showTemplates({ database }: TemplateParts, call: Call): Promise<Reply> {
  const page = parseListPage(call, 'always');
  const { templates, hasMore } = await listVersioned(database, call.caller.account, page);
  const data = templates.map((one) => ({
    id: one.id,
    name: one.draft.name,
    status: statusOf(one),
    published_at: publishedAt(one),
    created_at: renderTime(one.createdAt),
    updated_at: renderTime(one.updatedAt),
    alias: one.alias,
  }));
  return reply(200, { object: 'list', data, has_more: hasMore });
}

export async function showTemplate({ database }: TemplateParts, call: Call): Promise<Reply> {
  const found = await findVersioned(database, call.caller.account, call.param('id'));
  if (!found) throw notFound();
  const { draft } = found;
  return reply(200, {
    object: 'template',
    id: found.id,
    current_version_id: found.draftVersion,
    name: draft.name,
    alias: found.alias,
    from: draft.from,
    subject: draft.subject,
    reply_to: draft.replyTo.length === 0 ? null : draft.replyTo,
    html: draft.html,
    text: draft.text,
    variables: draft.variables.map(membersOf),
    created_at: renderTime(found.createdAt),
    updated_at: renderTime(found.updatedAt),
    status: statusOf(found),
    published_at: publishedAt(found),
    has_unpublished_versions: found.draftVersion !== found.publishedVersion,
  });
}

export async function changeTemplate({ versionedTemplates, now }: TemplateParts, call: Call): Promise<Reply> {
  const change = parseTemplateChange(await readFields(call), now());
  return done(await versionedTemplates.change(call.caller.account, call.param('id'), change));
}

export async function publishTemplate({ versionedTemplates }: TemplateParts, call: Call): Promise<Reply> {
  return done(await versionedTemplates.publish(call.caller.account, call.param('id')));
}

export async function duplicateTemplate({ versionedTemplates }: TemplateParts, call: Call): Promise<Reply> {
  return done(await versionedTemplates.duplicate(call.caller.account, call.param('id')));
}

export async function removeTemplate({ versionedTemplates }: TemplateParts, call: Call): Promise<Reply> {
  const id = await versionedTemplates.remove(call.caller.account, call.param('id'));
  if (id === null) throw notFound();
  return reply(200, { object: 'template', id, deleted: true });
}

function done(id: string | null): Reply {
  if (id === null) throw notFound();
  return reply(200, refOf(id));
}

function refOf(id: string) {
  return { id, object: 'template' };
}

function statusOf({ published }: VersionedTemplate): 'draft' | 'published' {
  return published === null ? 'draft' : 'published';
}

function publishedAt(one: VersionedTemplate): string | null {
  return one.publishedAt === null ? null : renderTime(one.publishedAt);
}

function membersOf(one: TemplateVariable) {
  return {
    ...{ id: one.id, key: one.key, type: one.type, fallback_value: one.fallback },
    ...{ created_at: renderTime(one.createdAt), updated_at: renderTime(one.updatedAt) },
  };
}

function notFound(): AppError {
  return new AppError('not_found', refusalTexts.templateNotFound);
}
