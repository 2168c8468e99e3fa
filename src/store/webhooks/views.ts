/** What webhooks were to be told, and how each attempt went, for those who look. */

import type { FactType } from '../../core/event.ts';
import { afterAllIds } from '../../core/token.ts';
import type { Reader } from '../database.ts';
import {
  claimColumns,
  type DeliveryRow,
  toDelivery,
  type WebhookAttempt,
  type WebhookDelivery,
  type WebhookDeliveryState,
} from './deliveries.ts';
import type { Webhook } from './webhooks.ts';

/** What was to be told, for those who look. */
export type WebhookDeliveryView = WebhookDelivery & {
  type: FactType;
  state: WebhookDeliveryState;
  /** A worker has it right now. */
  isUnderWay: boolean;
  runAt: number;
  createdAt: number;
};

type ViewRow = DeliveryRow & {
  type: FactType;
  state: WebhookDeliveryState;
  worker: string | null;
  run_at: number;
  created_at: number;
};

const viewColumns = `${claimColumns}, type, state, worker, run_at, created_at`;

function toView(row: ViewRow): WebhookDeliveryView {
  return {
    ...toDelivery(row),
    type: row.type,
    state: row.state,
    isUnderWay: row.worker !== null,
    runAt: row.run_at,
    createdAt: row.created_at,
  };
}

export type IdPage = { limit: number; after: string | null; before: string | null };

/** Newest first, the cursor itself left out. */
export async function listWebhookDeliveries(
  reader: Reader,
  webhook: Webhook,
  page: IdPage,
): Promise<{ deliveries: WebhookDeliveryView[]; hasMore: boolean }> {
  const cursor =
    page.after !== null ? ['and id < ?', page.after] : page.before !== null ? ['and id > ?', page.before] : null;
  const rows = await reader.all<ViewRow>(
    `select ${viewColumns} from webhook_deliveries where webhook = ? ${cursor?.[0] ?? ''}
     order by id ${page.before === null ? 'desc' : 'asc'}, position limit ?`,
    webhook.number,
    ...(cursor ? [cursor[1] ?? null] : []),
    page.limit + 1,
  );
  const deliveries = rows.slice(0, page.limit).map(toView);
  if (page.before !== null) deliveries.reverse();
  return { deliveries, hasMore: rows.length > page.limit };
}

/** Rows one look at a state walks: without an index for it, more would be a long read. */
const walkedMax = 5_000;

/** Those in one state, newest first, of the newest `walkedMax` before the cursor. `next`: where to look on; null at the end. */
export async function listWebhookDeliveriesIn(
  reader: Reader,
  webhook: Webhook,
  state: WebhookDeliveryState,
  { limit, after }: Pick<IdPage, 'limit' | 'after'>,
): Promise<{ deliveries: WebhookDeliveryView[]; next: string | null }> {
  const before = after ?? afterAllIds;
  const rows = await reader.all<ViewRow>(
    `select ${viewColumns} from (select * from webhook_deliveries where webhook = ? and id < ? order by id desc limit ?) walked
     where state = ? order by id desc, position limit ?`,
    webhook.number,
    before,
    walkedMax,
    state,
    limit,
  );
  const deliveries = rows.map(toView);
  if (deliveries.length === limit) return { deliveries, next: deliveries.at(-1)?.id ?? null };
  const [last] = await reader.all<{ id: string }>(
    'select id from webhook_deliveries where webhook = ? and id < ? order by id desc limit 1 offset ?',
    webhook.number,
    before,
    walkedMax - 1,
  );
  return { deliveries, next: last?.id ?? null };
}

/** Whom events are about, and the subject of their email: by the event's number. */
export type AboutWhom = { recipients: string[]; subject: string | null };

export async function findAboutWhom(
  reader: Reader,
  account: string,
  events: readonly number[],
): Promise<ReadonlyMap<number, AboutWhom>> {
  if (events.length === 0) return new Map();
  const rows = await reader.all<{ id: number; detail: string; summary: string | null }>(
    `select e.id as id, e.detail as detail, m.summary as summary from events e
     left join emails m on m.account = e.account and m.id = e.email_id
     where e.account = ? and e.id in (${events.map(() => '?').join(', ')})`,
    account,
    ...events,
  );
  return new Map(rows.map(({ id, detail, summary }) => [id, aboutWhom(JSON.parse(detail), summary)]));
}

type Detail = { recipients?: string[]; suppression?: { address: string } };

function aboutWhom({ recipients, suppression }: Detail, summary: string | null): AboutWhom {
  const { to = [], subject }: { to?: string[]; subject?: string } = summary === null ? {} : JSON.parse(summary);
  return { recipients: recipients ?? (suppression ? [suppression.address] : to), subject: subject ?? null };
}

export async function findWebhookDelivery(
  reader: Reader,
  webhook: Webhook,
  id: string,
): Promise<WebhookDeliveryView | null> {
  const [row] = await reader.all<ViewRow>(
    `select ${viewColumns} from webhook_deliveries where webhook = ? and id = ? order by position limit 1`,
    webhook.number,
    id,
  );
  return row ? toView(row) : null;
}

/** Oldest first; there are as many as the retry schedule and replays made. */
export async function listWebhookAttempts(
  reader: Reader,
  delivery: WebhookDelivery,
): Promise<(WebhookAttempt & { id: string })[]> {
  const rows = await reader.all<{
    id: string;
    at: number;
    took_ms: number;
    status: number | null;
    failure: string | null;
    response: string;
  }>(
    `select id, at, took_ms, status, failure, response from webhook_attempts
     where webhook = ? and delivery = ? and position = ? order by attempt`,
    delivery.webhook,
    delivery.id,
    delivery.position,
  );
  return rows.map(({ took_ms, ...row }) => ({ ...row, tookMs: took_ms }));
}
