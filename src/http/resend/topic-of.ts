/** What `topic_id` in a send means before the mail is accepted: there is such a topic, and its reader can leave it. */

import type { Message } from '../../core/email.ts';
import { findTopic } from '../../store/contacts/topics.ts';
import type { Awaitable, Reader } from '../../store/database.ts';
import { onlyRecipient, type PreferenceLinks, unsubscribeHeaders } from '../links/preference-links.ts';
import { invalidField } from './parse-fields.ts';

export type TopicOfParts = { database: Reader; preferenceLinks: PreferenceLinks };

/** @throws AppError where there is no such topic: a mistyped one would let mail through to people who left the right one. */
export function withTopic<T extends Listed>(parts: TopicOfParts, account: string, message: T): Awaitable<T> {
  return message.topicId === null ? message : withLink(parts, account, message, message.topicId);
}

type Listed = Pick<Message, 'topicId' | 'headers' | 'to' | 'cc' | 'bcc'>;

async function withLink<T extends Listed>(
  { database, preferenceLinks }: TopicOfParts,
  account: string,
  message: T,
  topicId: string,
): Promise<T> {
  const topic = await findTopic(database, account, topicId);
  if (!topic) throw invalidField('topic_id', 'There is no such topic.');
  const address = onlyRecipient(message);
  const isOwn = message.headers.some(([name]) => name.toLowerCase() === 'list-unsubscribe');
  if (isOwn || address === null) return message;
  const link = preferenceLinks.create({ account, address, topic: topic.id });
  return { ...message, headers: [...message.headers, ...unsubscribeHeaders(link)] };
}
