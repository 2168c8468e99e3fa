/** What a webhook was told, how each attempt went, and telling it again. */

import { AppError } from '../../core/error.ts';
import { uuidv7Floor } from '../../core/token.ts';
import {
  findWebhookDelivery,
  listWebhookAttempts,
  listWebhookDeliveries,
  type WebhookDeliveryView,
} from '../../store/webhooks/views.ts';
import type { Webhook } from '../../store/webhooks/webhooks.ts';
import type { NotReplayed } from '../../use-cases/replay.ts';
import { findTold } from '../../webhook/told.ts';
import type { Call, Reply } from '../call.ts';
import { type Fields, isAbsent } from '../fields.ts';
import { refusalTexts } from './errors.ts';
import { resendLimits } from './limits.ts';
import { invalidField } from './parse-fields.ts';
import { parseEmailId, parsePagination, sliceOf } from './parse-query.ts';
import { renderTime } from './render.ts';
import { resendNameOf, resendPayload } from './webhook-payload.ts';
import { getWebhook, readFields, type WebhookParts } from './webhooks.ts';

export async function showWebhookEvents(parts: WebhookParts, call: Call): Promise<Reply> {
  const webhook = await getWebhook(parts, call);
  const page = parsePagination(call.query());
  const { deliveries, hasMore } = await listWebhookDeliveries(parts.database, webhook, page);
  return ok({ object: 'list', has_more: hasMore, data: deliveries.map(membersOf) });
}

export async function showWebhookEvent(parts: WebhookParts, call: Call): Promise<Reply> {
  const webhook = await getWebhook(parts, call);
  const delivery = await getDelivery(parts, call, webhook);
  const told = await findTold(parts.database, webhook.account, delivery);
  return ok({
    object: 'webhook_event',
    ...membersOf(delivery),
    next_attempt_at: delivery.state === 'pending' ? renderTime(delivery.runAt) : null,
    payload: told && resendPayload(told),
  });
}

export async function showWebhookAttempts(parts: WebhookParts, call: Call): Promise<Reply> {
  const delivery = await getDelivery(parts, call, await getWebhook(parts, call));
  const all = (await listWebhookAttempts(parts.database, delivery)).reverse();
  const { items, hasMore } = sliceOf(all, parsePagination(call.query()));
  const data = items.map((attempt) => ({
    id: attempt.id,
    // The SDK has a number here; where no answer came there is none.
    http_status_code: attempt.status ?? 0,
    response: attempt.response,
    sent_at: renderTime(attempt.at),
    failure: attempt.failure,
    took_ms: attempt.tookMs,
  }));
  return ok({ object: 'list', has_more: hasMore, data });
}

export async function replayWebhookEvent(parts: WebhookParts, call: Call): Promise<Reply> {
  const webhook = await getWebhook(parts, call);
  const delivery = await getDelivery(parts, call, webhook);
  const done = await parts.replay.one(webhook, delivery);
  if (done !== 'replayed') throw notReplayed(done, refusalTexts.webhookEventNotFound);
  return ok({ object: 'webhook_event', id: delivery.id });
}

/** Our own: what was to be told in a range of time, a page at a time, oldest first. */
export async function replayWebhook(parts: WebhookParts, call: Call): Promise<Reply> {
  const webhook = await getWebhook(parts, call);
  if (!webhook.enabled) throw notReplayed('disabled', '');
  const fields = await readFields(call);
  const range = {
    from: uuidv7Floor(parseMoment('since', fields.since) ?? 0),
    to: uuidv7Floor((parseMoment('until', fields.until) ?? parts.now()) + 1),
    after: isAbsent(fields.after) ? null : parseCursor(fields.after),
    onlyFailed: parseOnlyFailed(fields),
    limit: resendLimits.replayMax,
  };
  const done = await parts.replay.range(webhook, range);
  if (typeof done === 'string') throw notReplayed(done, refusalTexts.webhookNotFound);
  const { replayed, lastId } = done;
  return ok({ object: 'webhook_replay', id: webhook.id, replayed, has_more: lastId !== null, after: lastId });
}

function notReplayed(why: NotReplayed, gone: string): AppError {
  if (why === 'gone') return new AppError('not_found', gone);
  return new AppError('invalid_field', 'The webhook is disabled: enable it first, then have its events replayed.');
}

async function getDelivery(parts: WebhookParts, call: Call, webhook: Webhook): Promise<WebhookDeliveryView> {
  const id = parseEmailId(call.param('event'));
  const delivery = await findWebhookDelivery(parts.database, webhook, id);
  if (!delivery) throw new AppError('not_found', refusalTexts.webhookEventNotFound);
  return delivery;
}

function parseMoment(field: 'since' | 'until', value: unknown): number | null {
  if (isAbsent(value)) return null;
  const at = typeof value === 'string' && value.length <= 40 ? Date.parse(value) : Number.NaN;
  if (!(at >= 0)) throw invalidField(field, 'It must be a moment in ISO 8601, as `2026-08-05T11:52:01Z`.');
  return at;
}

function parseCursor(value: unknown): string {
  if (typeof value !== 'string') throw invalidField('after', 'It must be the id a page ended with.');
  return parseEmailId(value);
}

function parseOnlyFailed({ status }: Fields): boolean {
  if (isAbsent(status)) return false;
  if (status !== 'failed') throw invalidField('status', 'It must be `failed`, or left out for all.');
  return true;
}

function membersOf(delivery: WebhookDeliveryView) {
  return {
    id: delivery.id,
    type: resendNameOf(delivery.type),
    created_at: renderTime(delivery.createdAt),
    status: statusOf(delivery),
  };
}

/** The four words of the SDK. */
function statusOf({ state, isUnderWay }: WebhookDeliveryView): 'success' | 'pending' | 'failed' | 'attempting' {
  if (state === 'delivered') return 'success';
  if (state === 'failed') return 'failed';
  return isUnderWay ? 'attempting' : 'pending';
}

function ok(body: unknown): Reply {
  return { status: 200, body: JSON.stringify(body) };
}
