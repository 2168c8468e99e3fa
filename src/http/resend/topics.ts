/** /topics: what people may want to hear of or not. */

import type { Topic } from '../../core/contact.ts';
import { AppError } from '../../core/error.ts';
import { findTopic, listTopics } from '../../store/contacts/topics.ts';
import type { Reader } from '../../store/database.ts';
import type { Topics } from '../../use-cases/segments.ts';
import type { Call, Reply } from '../call.ts';
import { type Fields, isAbsent } from '../fields.ts';
import { refusalTexts } from './errors.ts';
import { parseLine, parseListPage, parseName, readFields, reply } from './json-body.ts';
import { parseSubscription } from './parse-contact.ts';
import { invalidField, missingField } from './parse-fields.ts';
import { renderTime } from './render.ts';

export type TopicParts = { database: Reader; topics: Topics };

export async function createTopic({ topics }: TopicParts, call: Call): Promise<Reply> {
  const fields = await readFields(call);
  const name = parseName(fields);
  if (isAbsent(fields.default_subscription)) throw missingField('default_subscription');
  const defaultSubscription = parseSubscription('default_subscription', fields.default_subscription);
  const { description = null, isPublic = true } = parseChange(fields);
  const id = await topics.make(call.caller.account, { name, description, defaultSubscription, isPublic });
  return reply(201, { object: 'topic', id });
}

export async function showTopics({ database }: TopicParts, call: Call): Promise<Reply> {
  const { topics, hasMore } = await listTopics(database, call.caller.account, parseListPage(call, 'if named'));
  return reply(200, { object: 'list', has_more: hasMore, data: topics.map(membersOf) });
}

export async function showTopic({ database }: TopicParts, call: Call): Promise<Reply> {
  const found = await findTopic(database, call.caller.account, call.param('id'));
  if (!found) throw notFound();
  return reply(200, { object: 'topic', ...membersOf(found) });
}

export async function changeTopic({ topics }: TopicParts, call: Call): Promise<Reply> {
  const id = await topics.change(call.caller.account, call.param('id'), parseChange(await readFields(call)));
  if (id === null) throw notFound();
  return reply(200, { object: 'topic', id });
}

export async function removeTopic({ topics }: TopicParts, call: Call): Promise<Reply> {
  const id = await topics.remove(call.caller.account, call.param('id'));
  if (id === null) throw notFound();
  return reply(200, { object: 'topic', id, deleted: true });
}

function parseChange(fields: Fields): Partial<Pick<Topic, 'name' | 'description' | 'isPublic'>> {
  const change: Partial<Topic> = {};
  if (!isAbsent(fields.name)) change.name = parseLine('name', fields.name);
  if (fields.description !== undefined) {
    change.description = isAbsent(fields.description) ? null : parseLine('description', fields.description);
  }
  if (!isAbsent(fields.visibility)) {
    if (fields.visibility !== 'public' && fields.visibility !== 'private') {
      throw invalidField('visibility', 'It must be `public` or `private`.');
    }
    change.isPublic = fields.visibility === 'public';
  }
  return change;
}

function membersOf(one: Topic) {
  return {
    ...{ id: one.id, name: one.name, description: one.description, default_subscription: one.defaultSubscription },
    ...{ visibility: one.isPublic ? 'public' : 'private', created_at: renderTime(one.createdAt) },
  };
}

function notFound(): AppError {
  return new AppError('not_found', refusalTexts.topicNotFound);
}
