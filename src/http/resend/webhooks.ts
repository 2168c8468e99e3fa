/** /webhooks: who is told of this account's events, and under which secret. */

import { AppError } from '../../core/error.ts';
import type { Egress } from '../../egress/egress.ts';
import type { Reader } from '../../store/database.ts';
import { findWebhook, listWebhooks, type Webhook } from '../../store/webhooks/webhooks.ts';
import type { Replay } from '../../use-cases/replay.ts';
import { type Subscribe, webhooksMax } from '../../use-cases/subscribe.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { type Fields, isAbsent, isFields } from '../fields.ts';
import { facadeName } from './endpoints.ts';
import { refusalTexts } from './errors.ts';
import { invalidField, missingField } from './parse-fields.ts';
import { parseEmailId, parsePagination, sliceOf } from './parse-query.ts';
import { renderTime } from './render.ts';
import { parseWebhookEvents } from './webhook-names.ts';

export type WebhookParts = {
  database: Reader;
  egress: Egress;
  now: () => number;
  subscribe: Subscribe;
  replay: Replay;
};

export async function createWebhook({ egress, subscribe }: WebhookParts, call: Call): Promise<Reply> {
  const fields = await readFields(call);
  const url = parseEndpoint(egress, fields.endpoint);
  const events = parseWebhookEvents(fields.events);
  const made = await subscribe.make(call.caller.account, { facade: facadeName, url, events });
  if (!made) throw new AppError('invalid_field', `An account can have at most ${webhooksMax} webhooks.`);
  return reply(201, { object: 'webhook', id: made.id, signing_secret: made.secret });
}

export async function showWebhooks({ database }: WebhookParts, call: Call): Promise<Reply> {
  const query = call.query();
  const all = (await listWebhooks(database, call.caller.account, facadeName)).reverse();
  // As the real API's older lists: without a limit all of them, and there are few.
  const page = { ...parsePagination(query), ...(query.limit ? {} : { limit: webhooksMax }) };
  const { items, hasMore } = sliceOf(all, page);
  return reply(200, { object: 'list', has_more: hasMore, data: items.map(membersOf) });
}

export async function showWebhook(parts: WebhookParts, call: Call): Promise<Reply> {
  const webhook = await getWebhook(parts, call);
  return reply(200, { object: 'webhook', ...membersOf(webhook), signing_secret: webhook.secret });
}

export async function changeWebhook(parts: WebhookParts, call: Call): Promise<Reply> {
  const webhook = await getWebhook(parts, call);
  const fields = await readFields(call);
  const change = {
    ...(isAbsent(fields.endpoint) ? {} : { url: parseEndpoint(parts.egress, fields.endpoint) }),
    ...(isAbsent(fields.events) ? {} : { events: parseWebhookEvents(fields.events) }),
    ...(isAbsent(fields.status) ? {} : { enabled: parseStatus(fields.status) }),
  };
  if (!(await parts.subscribe.change(webhook, change))) throw notFound();
  return reply(200, { object: 'webhook', id: webhook.id });
}

export async function removeWebhook(parts: WebhookParts, call: Call): Promise<Reply> {
  const webhook = await getWebhook(parts, call);
  if (!(await parts.subscribe.remove(webhook))) throw notFound();
  return reply(200, { object: 'webhook', id: webhook.id, deleted: true });
}

export async function rotateWebhook(parts: WebhookParts, call: Call): Promise<Reply> {
  const webhook = await getWebhook(parts, call);
  const secret = await parts.subscribe.rotate(webhook);
  if (secret === null) throw notFound();
  return reply(200, { object: 'webhook', id: webhook.id, signing_secret: secret });
}

/** @throws AppError `not_found`, also for another account's. */
export async function getWebhook({ database }: Pick<WebhookParts, 'database'>, call: Call): Promise<Webhook> {
  const id = parseEmailId(call.param('id'));
  const webhook = await findWebhook(database, call.caller.account, facadeName, { id });
  if (!webhook) throw notFound();
  return webhook;
}

function notFound(): AppError {
  return new AppError('not_found', refusalTexts.webhookNotFound);
}

export async function readFields(call: Call): Promise<Fields> {
  const body = parseJson(await call.body()) ?? {};
  if (!isFields(body)) throw new AppError('invalid_field', 'The request body must be a JSON object.');
  return body;
}

/** What an address can tell is told at once; where its name leads is looked at each time it is used. */
function parseEndpoint(egress: Egress, value: unknown): string {
  if (isAbsent(value)) throw missingField('endpoint');
  if (typeof value !== 'string') throw invalidField('endpoint', 'It must be a URL.');
  const refusal = egress.refusalOf(value);
  if (refusal) throw invalidField('endpoint', refusal.message);
  return value;
}

function parseStatus(value: unknown): boolean {
  if (value !== 'enabled' && value !== 'disabled') throw invalidField('status', 'It must be `enabled` or `disabled`.');
  return value === 'enabled';
}

function membersOf(webhook: Webhook) {
  return {
    id: webhook.id,
    created_at: renderTime(webhook.createdAt),
    status: webhook.enabled ? 'enabled' : 'disabled',
    endpoint: webhook.url,
    events: webhook.events,
  };
}

function reply(status: number, body: unknown): Reply {
  return { status, body: JSON.stringify(body) };
}
