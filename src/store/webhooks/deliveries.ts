/**
 * What webhooks are to be told: a row for each event and webhook, written with the event itself. Every transition names the
 * attempt it belongs to, so a late worker matches no row.
 */

import { randomBytes } from 'node:crypto';
import { type FactType, type Subject, subjectsOf } from '../../core/event.ts';
import type { Said } from '../../core/reply.ts';
import { createIdSource } from '../../core/token.ts';
import { addToCount, everyAccount } from '../counts.ts';
import type { SqlValue, Transaction } from '../database.ts';
import type { Webhook } from './webhooks.ts';

/** A delivery a worker holds; `attempt` is its fencing token. */
export type WebhookDelivery = {
  webhook: number;
  emailId: string;
  /** Names the event in the store. */
  event: number;
  /** Which of the event's recipients it is about, where each is told of alone. */
  position: number;
  /** Names the event to the receiver: the same on every attempt, whatever crashes. */
  id: string;
  attempt: number;
  /** Attempts that failed. */
  tries: number;
};

const nextId = createIdSource(randomBytes);

// A disabled webhook is told nothing, but may have it replayed.
const toldSql = `select s.webhook, cast(? as text), cast(? as bigint), position, cast(? as text), cast(? as text),
    case when s.enabled = 1 then 'pending' else 'failed' end, cast(? as bigint), cast(? as bigint)
  from webhook_subscriptions s cross join positions
  where s.account = ? and s.subject in (?, ?) and (s.per_recipient = 1 or position = 0) returning state`;

const intoSql =
  'insert into webhook_deliveries (webhook, email_id, event, position, id, type, state, run_at, created_at)';

// Nearly every event has one recipient, and counting to one by recursion took five times as long as all the rest.
const fanOutOneSql = `${intoSql} with positions (position) as (select 0) ${toldSql}`;

const fanOutManySql = `${intoSql} with recursive positions (position) as
  (select 0 union all select position + 1 from positions where position + 1 < cast(? as bigint)) ${toldSql}`;

export type FannedOut = {
  account: string;
  emailId: string;
  /** Names the event in the store. */
  event: number;
  type: FactType;
  at: number;
  /** Decides what kind of bounce it is. */
  said: Said | null;
  recipientCount: number;
};

/** Whether any webhook of an account is told of anything. */
export async function hasSubscriptions(tx: Transaction, account: string): Promise<boolean> {
  const [any] = await tx.all('select 1 as one from webhook_subscriptions where account = ? limit 1', account);
  return any !== undefined;
}

/** Writes down whom the event is to be told, in the transaction that writes the event. */
export async function fanOut(tx: Transaction, told: FannedOut): Promise<void> {
  const subjects: [Subject, Subject] = subjectsOf(told.type, told.said);
  const isMany = told.recipientCount > 1;
  const rows = await tx.all<{ state: WebhookDeliveryState }>(
    isMany ? fanOutManySql : fanOutOneSql,
    ...(isMany ? [told.recipientCount] : []),
    told.emailId,
    told.event,
    nextId(told.at),
    told.type,
    told.at,
    told.at,
    told.account,
    ...subjects,
  );
  countUntold(tx, rows.filter((row) => row.state === 'pending').length);
}

/** What is still to be told, in the transaction that changes it. */
export function countUntold(tx: Transaction, more: number): void {
  addToCount(tx, everyAccount, 'untold', { items: more, recipients: 0 });
}

export type DeliveryRow = {
  webhook: number;
  email_id: string;
  event: number;
  position: number;
  id: string;
  attempt: number;
  tries: number;
};

export const claimColumns = 'webhook, email_id, event, position, id, attempt, tries';
const here = 'webhook = ? and email_id = ? and event = ? and position = ?';

function at(delivery: Pick<WebhookDelivery, 'webhook' | 'emailId' | 'event' | 'position'>): SqlValue[] {
  return [delivery.webhook, delivery.emailId, delivery.event, delivery.position];
}

/**
 * Claims up to `limit` due deliveries of one webhook: a postponement by `leaseMs` under a new attempt. One that was never
 * tried holds back the later ones of its email, so that first attempts are made in the order of the events.
 */
export async function claimWebhookDeliveries(
  tx: Transaction,
  webhook: Webhook,
  worker: string,
  terms: { now: number; leaseMs: number; limit: number },
): Promise<WebhookDelivery[]> {
  const rows = await tx.all<DeliveryRow>(
    `select ${claimColumns} from webhook_deliveries where webhook = ? and state = 'pending' and run_at <= ?
       and not exists (select 1 from webhook_deliveries earlier
         where earlier.webhook = webhook_deliveries.webhook and earlier.email_id = webhook_deliveries.email_id
           and earlier.event < webhook_deliveries.event and earlier.state = 'pending' and earlier.tries = 0)
     order by run_at, event limit ? ${tx.skipLocked}`,
    webhook.number,
    terms.now,
    terms.limit,
  );
  const claimed: WebhookDelivery[] = [];
  for (const row of rows) {
    const changed = await tx.run(
      `update webhook_deliveries set attempt = attempt + 1, worker = ?, run_at = ?
       where ${here} and attempt = ? and state = 'pending'`,
      worker,
      terms.now + terms.leaseMs,
      ...at(toDelivery(row)),
      row.attempt,
    );
    if (changed === 1) claimed.push({ ...toDelivery(row), attempt: row.attempt + 1 });
  }
  return claimed;
}

export function toDelivery(row: DeliveryRow): WebhookDelivery {
  return {
    webhook: row.webhook,
    emailId: row.email_id,
    event: row.event,
    position: row.position,
    id: row.id,
    attempt: row.attempt,
    tries: row.tries,
  };
}

/** Gives back what was not tried, or not tried to its end: due at once, and whoever still tries it is fenced. */
export async function unclaimWebhookDelivery(tx: Transaction, delivery: WebhookDelivery, now: number): Promise<void> {
  await tx.run(
    `update webhook_deliveries set attempt = attempt + 1, worker = null, run_at = ?
     where ${here} and attempt = ? and state = 'pending'`,
    now,
    ...at(delivery),
    delivery.attempt,
  );
}

/** What dead workers had claimed is due at once. Only where there can be no other process: elsewhere the lease ends it. */
export async function recoverWebhookDeliveries(tx: Transaction, now: number): Promise<number> {
  return tx.run(
    `update webhook_deliveries set attempt = attempt + 1, worker = null, run_at = ?
     where state = 'pending' and worker is not null`,
    now,
  );
}

/** One request to an endpoint: what came back, or why nothing did. */
export type WebhookAttempt = {
  at: number;
  tookMs: number;
  /** Null where no answer came. */
  status: number | null;
  /** Why it counts as failed, as egress names it. Null: it went well. */
  failure: string | null;
  /** The beginning of the answer, or a sentence about why there is none. */
  response: string;
};

/** `retryAt` null: it is over. False: the claim was lost, and nothing was written. */
export async function settleWebhookDelivery(
  tx: Transaction,
  delivery: WebhookDelivery,
  attempt: WebhookAttempt,
  retryAt: number | null,
): Promise<boolean> {
  const failed = attempt.failure !== null;
  const state = !failed ? 'delivered' : retryAt === null ? 'failed' : 'pending';
  const changed = await tx.run(
    `update webhook_deliveries set state = ?, worker = null, run_at = ?, tries = tries + ?
     where ${here} and attempt = ? and state = 'pending'`,
    state,
    failed && retryAt !== null ? retryAt : attempt.at,
    failed ? 1 : 0,
    ...at(delivery),
    delivery.attempt,
  );
  if (changed === 0) return false;
  if (state !== 'pending') countUntold(tx, -1);
  await tx.run(
    `insert into webhook_attempts (webhook, delivery, position, attempt, id, at, took_ms, status, failure, response)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    delivery.webhook,
    delivery.id,
    delivery.position,
    delivery.attempt,
    nextId(attempt.at),
    attempt.at,
    attempt.tookMs,
    attempt.status,
    attempt.failure,
    attempt.response,
  );
  return true;
}

export type WebhookDeliveryState = 'pending' | 'delivered' | 'failed';

/** Ids between which (both included) what is over is told again, and at most how many at once. */
export type ReplayRange = { from: string; to: string; after: string | null; onlyFailed: boolean; limit: number };

/**
 * Tells again under the same ids, with the whole retry schedule before it. What is still pending is left to its course.
 * Returns how many, and the id after which there is more, or null.
 */
export async function replayWebhookDeliveries(
  tx: Transaction,
  webhook: Webhook,
  range: ReplayRange,
  now: number,
): Promise<{ replayed: number; lastId: string | null }> {
  const rows = await tx.all<DeliveryRow>(
    `select ${claimColumns} from webhook_deliveries
     where webhook = ? and id >= ? and id <= ? and id > ? and state in (?, 'failed') order by id, position limit ?`,
    webhook.number,
    range.from,
    range.to,
    range.after ?? '',
    range.onlyFailed ? 'failed' : 'delivered',
    range.limit,
  );
  let replayed = 0;
  for (const row of rows) if (await replayWebhookDelivery(tx, toDelivery(row), now)) replayed += 1;
  return { replayed, lastId: rows.length < range.limit ? null : (rows.at(-1)?.id ?? null) };
}

/** One that is pending is due at once. False: it has been forgotten. */
export async function replayWebhookDelivery(tx: Transaction, delivery: WebhookDelivery, now: number): Promise<boolean> {
  // In two steps, of which one finds it: an update does not tell what a row was.
  const isAnew = (await makePending(tx, delivery, now, '<>')) === 1;
  if (isAnew) countUntold(tx, 1);
  return isAnew || (await makePending(tx, delivery, now, '=')) === 1;
}

function makePending(tx: Transaction, delivery: WebhookDelivery, now: number, was: '=' | '<>') {
  return tx.run(
    `update webhook_deliveries set state = 'pending', attempt = attempt + 1, tries = 0, worker = null, run_at = ?
     where ${here} and state ${was} 'pending'`,
    now,
    ...at(delivery),
  );
}
