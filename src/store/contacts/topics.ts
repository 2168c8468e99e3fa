/** Topics, what contacts have chosen of them, and who therefore gets no mail. */

import type { Subscription, Topic } from '../../core/contact.ts';
import { erasedKey } from '../../core/erased.ts';
import { suppressionKey } from '../../core/suppression.ts';
import { isUuid } from '../../core/token.ts';
import type { Reader, Transaction } from '../database.ts';
import { type ListPage, readPage } from '../list-page.ts';

type TopicRow = {
  account: string;
  id: string;
  name: string;
  description: string | null;
  default_subscription: Subscription;
  is_public: number;
  created_at: number;
};

export async function insertTopic(tx: Transaction, topic: Topic): Promise<void> {
  await tx.run(
    `insert into topics (account, id, name, description, default_subscription, is_public, created_at)
     values (?, ?, ?, ?, ?, ?, ?)`,
    topic.account,
    topic.id,
    topic.name,
    topic.description,
    topic.defaultSubscription,
    Number(topic.isPublic),
    topic.createdAt,
  );
}

export async function findTopic(reader: Reader, account: string, id: string): Promise<Topic | null> {
  const name = isUuid(id) ? id.toLowerCase() : id;
  const [row] = await reader.all<TopicRow>('select * from topics where account = ? and id = ?', account, name);
  return row ? toTopic(row) : null;
}

export async function listTopics(
  reader: Reader,
  account: string,
  page: ListPage,
): Promise<{ topics: Topic[]; hasMore: boolean }> {
  const query = { sql: 'select * from topics where account = ?', params: [account] };
  const { rows, hasMore } = await readPage<TopicRow>(reader, query, page);
  return { topics: rows.map(toTopic), hasMore };
}

/** Who has chosen has chosen: the default stays. */
export async function writeTopic(tx: Transaction, topic: Topic): Promise<void> {
  await tx.run(
    'update topics set name = ?, description = ?, is_public = ? where account = ? and id = ?',
    topic.name,
    topic.description,
    Number(topic.isPublic),
    topic.account,
    topic.id,
  );
}

export async function deleteTopic(tx: Transaction, account: string, id: string): Promise<void> {
  await tx.run('delete from topic_choices where account = ? and topic = ?', account, id);
  await tx.run('delete from topics where account = ? and id = ?', account, id);
}

export type ChosenTopic = Topic & { subscription: Subscription };

/** All topics of an account, each with what a contact has chosen or what holds without a choice. Null: of nobody yet. */
export async function listChoices(reader: Reader, account: string, contact: string | null): Promise<ChosenTopic[]> {
  const rows = await reader.all<TopicRow & { chosen: Subscription | null }>(
    `select t.*, c.subscription as chosen from topics t
     left join topic_choices c on c.account = t.account and c.topic = t.id and c.contact = ?
     where t.account = ? order by t.id desc`,
    contact ?? '',
    account,
  );
  return rows.map((row) => ({ ...toTopic(row), subscription: row.chosen ?? row.default_subscription }));
}

/** Whether they have left a topic. */
export async function hasLeftAny(reader: Reader, account: string, contact: string): Promise<boolean> {
  const sql = "select topic from topic_choices where account = ? and contact = ? and subscription = 'opt_out' limit 1";
  return (await reader.all(sql, account, contact)).length > 0;
}

type Choice = { account: string; contact: string; topic: string; subscription: Subscription };

export async function putChoice(tx: Transaction, { account, contact, topic, subscription }: Choice): Promise<void> {
  await tx.run(
    `insert into topic_choices (account, contact, topic, subscription) values (?, ?, ?, ?)
     on conflict (account, contact, topic) do update set subscription = excluded.subscription`,
    account,
    contact,
    topic,
    subscription,
  );
}

/**
 * Which of these addresses get no mail of a topic, in the spelling of suppressions: who has left all or this one, and, where the
 * topic is for those alone who asked for it, everybody who has not. Null as the topic: mail that belongs to none, but may be left.
 */
export async function findLeft(
  reader: Reader,
  account: string,
  topicId: string | null,
  addresses: readonly string[],
): Promise<ReadonlySet<string>> {
  const topic = topicId === null ? null : await findTopic(reader, account, topicId);
  const left = new Set<string>();
  // Some tens of recipients at most, each by an index.
  for (const key of new Set(addresses.map(suppressionKey))) {
    const [row] = await reader.all<{ unsubscribed_at: number | null; chosen: Subscription | null }>(
      `select p.unsubscribed_at, c.subscription as chosen from contacts p
       left join topic_choices c on c.account = p.account and c.contact = p.id and c.topic = ?
       where p.account = ? and p.address_key in (?, ?) order by case when p.address_key = ? then 0 else 1 end limit 1`,
      topic?.id ?? '',
      account,
      key,
      erasedKey(account, key),
      key,
    );
    const standing = row?.chosen ?? topic?.defaultSubscription ?? 'opt_in';
    if ((row && row.unsubscribed_at !== null) || standing === 'opt_out') left.add(key);
  }
  return left;
}

function toTopic(row: TopicRow): Topic {
  return {
    account: row.account,
    id: row.id,
    name: row.name,
    description: row.description,
    defaultSubscription: row.default_subscription,
    isPublic: row.is_public === 1,
    createdAt: row.created_at,
  };
}
