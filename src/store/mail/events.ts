/** Facts about emails, appended in the transaction that makes them true. */

import type { ContactSeen, DomainSeen } from '../../core/change.ts';
import {
  type ContactFact,
  type DomainFact,
  type EventType,
  type FactType,
  isContactFact,
  isDomainFact,
  isEmailFact,
  isSuppressionFact,
  type ReceivedFact,
  type SuppressionFact,
} from '../../core/event.ts';
import type { PassedOver } from '../../core/passed-over.ts';
import { type Said, saidInOldRow } from '../../core/reply.ts';
import { isMailboxGone, type WithheldReason } from '../../core/suppression.ts';
import type { Reader, Transaction } from '../database.ts';
import { type Suppression, suppress } from '../suppressions.ts';
import { writeFact } from './facts.ts';

/** What is worth knowing beside the type; `recipients` are the ones it is about. */
export type EventDetail = {
  recipients?: string[];
  /** The relay's words, or our reason where it said nothing. */
  reply?: string;
  /** What the reply was, where it was a relay's or the way to it failed. */
  said?: Said | null;
  /** What each recipient was answered, where the relay answered several one by one. */
  replies?: string[];
  each?: (Said | null)[];
  attempt?: number;
  /** The relay it came to, and those it passed over on the way. */
  relay?: string;
  passed_over?: readonly PassedOver[];
  /** What the upstream that took it calls it. */
  upstream_id?: string;
  in_doubt?: boolean;
  /** Who decided, where it was not the relay. */
  by?: 'operator' | 'policy' | 'notice';
  /** What its recipients counted as before a notice said otherwise. */
  was?: 'sent' | 'delivered';
  scheduled_at?: number;
  /** Why its recipients are suppressed. */
  origin?: WithheldReason;
};

/** What is left of a relay's words about a person who was forgotten. */
export const wordless = '(erased)';

export type Event = {
  /** Grows with time. */
  id: number;
  type: EventType;
  at: number;
  detail: EventDetail;
};

/** The one place where a fact becomes known: it is written, webhooks are to be told, and bounces are learned from. */
export async function appendEvent(
  tx: Transaction,
  account: string,
  emailId: string,
  type: EventType,
  at: number,
  detail: EventDetail,
): Promise<void> {
  await writeFact(tx, { account, about: emailId, type, at, detail });
  if (type === 'bounced') await suppressGone(tx, account, emailId, at, detail);
}

/** One answer to several recipients (a 5yz to the dot) does not say whose mailbox is gone: nobody is suppressed by it. */
async function suppressGone(
  tx: Transaction,
  account: string,
  emailId: string,
  at: number,
  { recipients = [], reply = '', said = null, replies = [reply], each = [said] }: EventDetail,
): Promise<void> {
  for (const [index, one] of each.length === recipients.length ? each.entries() : []) {
    if (one === null || one.simulated || !isMailboxGone(one)) continue;
    const [address = '', words = ''] = [recipients[index], replies[index]];
    await suppress(tx, { account, address, origin: 'bounce', sourceId: emailId, reply: words, createdAt: at });
  }
}

type EventRow = { id: number; type: EventType; at: number; detail: string };

/** What a person is told happened: captured mail is not delivered to anybody. */
export type ShownState = EventType | 'captured';

export function shownState(type: EventType, { said }: EventDetail): ShownState {
  return type === 'delivered' && said?.captured ? 'captured' : type;
}

/** The same in SQL, of a row of `events`: within a text of JSON the quotes would be escaped. */
export const shownStateSql = `case when type = 'delivered' and detail like '%"captured":true%' then 'captured' else type end`;

/** All events of an email, oldest first. */
export async function listEvents(reader: Reader, account: string, emailId: string): Promise<Event[]> {
  const rows = await reader.all<EventRow>(
    'select id, type, at, detail from events where account = ? and email_id = ? order by id',
    account,
    emailId,
  );
  return rows.map(toEvent);
}

/** That an address came to the suppression list, or left it. */
export type SuppressionEvent = Pick<Event, 'id' | 'at'> & { type: SuppressionFact; suppression: Suppression };

export type ReceivedEvent = Pick<Event, 'id' | 'at'> & { type: ReceivedFact };

/** `lists`: the numbers of the segments it came to. */
export type ContactEvent = Pick<Event, 'id' | 'at'> & { type: ContactFact; contact: ContactSeen; lists: number[] };

export type DomainEvent = Pick<Event, 'id' | 'at'> & { type: DomainFact; domain: DomainSeen };

type FactRow = Omit<EventRow, 'type'> & { type: FactType };

export async function findFact(
  reader: Reader,
  account: string,
  id: number,
): Promise<Event | SuppressionEvent | ReceivedEvent | ContactEvent | DomainEvent | null> {
  const [row] = await reader.all<FactRow>(
    'select id, type, at, detail from events where id = ? and account = ?',
    id,
    account,
  );
  if (!row) return null;
  const { type, at } = row;
  if (isSuppressionFact(type)) return { id, type, at, suppression: JSON.parse(row.detail).suppression };
  if (isContactFact(type)) return { id, type, at, lists: [], ...JSON.parse(row.detail) };
  if (isDomainFact(type)) return { id, type, at, domain: JSON.parse(row.detail).domain };
  return isEmailFact(type) ? { id, type, at, detail: readDetail(row.detail) } : { id, type, at };
}

/** Where a fact stands, and the email or suppression it is about. */
export type FactRef = { event: number; emailId: string };

/** Facts of an account after one of them, oldest first, whatever they are about. */
export async function listFactsAfter(
  reader: Reader,
  account: string,
  after: number,
  limit: number,
): Promise<FactRef[]> {
  const rows = await reader.all<{ id: number; email_id: string }>(
    'select id, email_id from events where id > ? and account = ? order by id limit ?',
    after,
    account,
    limit,
  );
  return rows.map(({ id, email_id }) => ({ event: id, emailId: email_id }));
}

/** 0 where nothing has happened yet. */
export async function lastEventId(reader: Reader): Promise<number> {
  const [row] = await reader.all<{ id: number | null }>('select max(id) as id from events');
  return row?.id ?? 0;
}

function toEvent(row: EventRow): Event {
  return { ...row, detail: readDetail(row.detail) };
}

/** Rows that are older than `said` have the words alone. */
export function readDetail(text: string): EventDetail {
  const detail: EventDetail = JSON.parse(text);
  if (detail.reply === undefined || detail.said !== undefined) return detail;
  return { ...detail, said: saidInOldRow(detail.reply), each: detail.replies?.map(saidInOldRow) };
}
