/** /webhooks: who is told of this account's events, and under which secret. */

import { randomBytes } from 'node:crypto';
import { AppError } from '../../core/error.ts';
import { createIdSource } from '../../core/token.ts';
import { createWebhookSecret } from '../../core/webhook-secret.ts';
import type { Egress } from '../../egress/egress.ts';
import type { Database } from '../../store/database.ts';
import {
  deleteWebhook,
  findWebhook,
  insertWebhook,
  listWebhooks,
  rotateSecret,
  updateWebhook,
  type Webhook,
} from '../../store/webhooks/webhooks.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { type Fields, isAbsent, isFields } from '../fields.ts';
import { MESSAGES } from './errors.ts';
import { RESEND_LIMITS } from './limits.ts';
import { invalidField, missingField } from './parse-fields.ts';
import { parseEmailId, parsePagination, sliceOf } from './parse-query.ts';
import { renderTime } from './render.ts';
import { parseWebhookEvents } from './webhook-names.ts';

export type WebhookParts = {
  database: Database;
  egress: Egress;
  now: () => number;
  /** Told when something may be due. */
  wakeWebhooks: () => void;
};

const nextId = createIdSource(randomBytes);

export async function createWebhook(parts: WebhookParts, call: Call): Promise<Reply> {
  const made = await makeWebhook(parts, call.caller.account, await readFields(call));
  return reply(201, { object: 'webhook', id: made.id, signing_secret: made.secret });
}

/** For the id of a webhook that is yet to be made: a form that carries it makes one, however often it is sent. */
export function newWebhookId(parts: Pick<WebhookParts, 'now'>): string {
  return nextId(parts.now());
}

/** Whoever asks for it; once for each `id`. @throws AppError where `endpoint` or `events` are not what they must be, or there are too many. */
export async function makeWebhook(
  parts: WebhookParts,
  account: string,
  fields: Fields,
  id = newWebhookId(parts),
): Promise<Webhook> {
  const url = parseEndpoint(parts.egress, fields.endpoint);
  const { names, subjects } = parseWebhookEvents(fields.events);
  const createdAt = parts.now();
  const wanted = {
    id,
    account,
    facade: 'resend' as const,
    url,
    events: names,
    options: {},
    secret: createWebhookSecret(randomBytes),
    subjects,
    createdAt,
  };
  const made = await parts.database.write((tx) => insertWebhook(tx, wanted, RESEND_LIMITS.webhooksMax));
  if (!made) {
    throw new AppError('invalid_field', `An account can have at most ${RESEND_LIMITS.webhooksMax} webhooks.`);
  }
  return made;
}

export async function showWebhooks({ database }: WebhookParts, call: Call): Promise<Reply> {
  const query = call.query();
  const all = (await listWebhooks(database, call.caller.account, 'resend')).reverse();
  // As the real API's older lists: without a limit all of them, and there are few.
  const page = { ...parsePagination(query), ...(query.limit ? {} : { limit: RESEND_LIMITS.webhooksMax }) };
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
  await parts.database.write((tx) => updateWebhook(tx, webhook, change, parts.now()));
  parts.wakeWebhooks();
  return reply(200, { object: 'webhook', id: webhook.id });
}

export async function removeWebhook(parts: WebhookParts, call: Call): Promise<Reply> {
  const webhook = await getWebhook(parts, call);
  await parts.database.write((tx) => deleteWebhook(tx, webhook, parts.now()));
  return reply(200, { object: 'webhook', id: webhook.id, deleted: true });
}

/** For a while both secrets sign, so that receivers can be changed one after the other. */
export async function rotateWebhook(parts: WebhookParts, call: Call): Promise<Reply> {
  const webhook = await getWebhook(parts, call);
  const secret = createWebhookSecret(randomBytes);
  const now = parts.now();
  const terms = { now, previousUntil: now + RESEND_LIMITS.secretOverlapMs };
  await parts.database.write((tx) => rotateSecret(tx, webhook, secret, terms));
  return reply(200, { object: 'webhook', id: webhook.id, signing_secret: secret });
}

/** @throws AppError `not_found`, also for another account's. */
export async function getWebhook({ database }: Pick<WebhookParts, 'database'>, call: Call): Promise<Webhook> {
  const id = parseEmailId(call.param('id'));
  const webhook = await findWebhook(database, call.caller.account, 'resend', { id });
  if (!webhook) throw new AppError('not_found', MESSAGES.webhookNotFound);
  return webhook;
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
