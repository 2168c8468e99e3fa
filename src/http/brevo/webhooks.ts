/** /v3/webhooks: who is told of this account's events, in Brevo's vocabulary. */

import { AppError } from '../../core/error.ts';
import type { Subject } from '../../core/event.ts';
import type { Egress } from '../../egress/egress.ts';
import type { Reader } from '../../store/database.ts';
import {
  findWebhook,
  listWebhooks,
  type Webhook,
  type WebhookEvents,
  type WebhookOptions,
} from '../../store/webhooks/webhooks.ts';
import { type Subscribe, webhooksMax } from '../../use-cases/subscribe.ts';
import { splitCredentials } from '../../webhook/request.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { breaksLine, type Fields, isAbsent, isFields, isHeaderName } from '../fields.ts';
import { facadeName } from './endpoints.ts';
import { brevoLimits } from './limits.ts';
import { parsePage } from './parse-query.ts';
import { invalid, missing } from './refusal.ts';

export type WebhookParts = { database: Reader; egress: Egress; subscribe: Subscribe };

/** What a transactional webhook may be subscribed to; null where it never happens here. */
const subjects: ReadonlyMap<string, Subject | null> = new Map<string, Subject | null>([
  ['sent', 'sent'],
  ['request', 'sent'],
  ['delivered', 'delivered'],
  ['hardBounce', 'hard_bounce'],
  ['softBounce', 'soft_bounce'],
  ['blocked', 'suppressed'],
  ['spam', 'complained'],
  ['deferred', 'delivery_delayed'],
  ['invalid', null],
  ['click', null],
  ['opened', null],
  ['uniqueOpened', null],
  ['unsubscribed', null],
]);

/** What a marketing webhook may be: there are no campaigns, so that of their mail nothing happens. */
const marketing: ReadonlyMap<string, Subject | null> = new Map<string, Subject | null>([
  ['listAddition', 'contact_listed'],
  ['contactUpdated', 'contact_updated'],
  ['contactDeleted', 'contact_deleted'],
  ['spam', null],
  ['opened', null],
  ['click', null],
  ['hardBounce', null],
  ['softBounce', null],
  ['unsubscribed', null],
  ['delivered', null],
]);

const types = { transactional: subjects, marketing };
export type WebhookType = keyof typeof types;

/** What an export may be asked for, as payloads name it; null: everything. What never happens here is found nowhere. */
export const eventNames: ReadonlyMap<string, string | null> = new Map([
  ['allEvents', null],
  ['hardBounce', 'hard_bounce'],
  ['softBounce', 'soft_bounce'],
  ['spam', 'complaint'],
  ...['delivered', 'request', 'deferred', 'blocked', 'opened', 'click', 'invalid', 'unsubscribed', 'error'].map(same),
  ...['uniqueOpened', 'loadedByProxy', 'invalid_parameter', 'missing_parameter'].map(same),
]);

function same(name: string): [string, string] {
  return [name, name];
}

const done: Reply = { status: 204, body: null };

export async function list({ database }: WebhookParts, call: Call): Promise<Reply> {
  const { sort, type } = call.query();
  const { order } = parsePage({ sort }, { limitDefault: 1, limitMax: 1 });
  const wanted = type ? parseType(type) : null;
  const known = await listWebhooks(database, call.caller.account, facadeName);
  const all = known.filter((one) => wanted === null || typeOf(one) === wanted);
  if (order === 'desc') all.reverse();
  return { status: 200, body: JSON.stringify({ webhooks: all.map(render) }) };
}

export async function create(parts: WebhookParts, call: Call): Promise<Reply> {
  const fields = await readFields(call);
  if (isAbsent(fields.url)) throw missing('url');
  if (isAbsent(fields.events)) throw missing('events');
  const type = parseType(fields.type);
  parseChannel(fields.channel);
  const events = parseEvents(fields.events, type);
  const url = parseUrl(parts.egress, fields.url);
  const wanted = { facade: facadeName, url, events, options: { ...parseOptions(fields), type } };
  const made = await parts.subscribe.make(call.caller.account, wanted);
  if (!made) throw new AppError('invalid_field', `Maximum of ${webhooksMax} webhooks is reached`);
  return { status: 201, body: JSON.stringify({ id: made.number }) };
}

export async function show(parts: WebhookParts, call: Call): Promise<Reply> {
  return { status: 200, body: JSON.stringify(render(await existing(parts, call))) };
}

/** Also wakes one that was disabled because it failed: whoever changes it has mended it. */
export async function update(parts: WebhookParts, call: Call): Promise<Reply> {
  const webhook = await existing(parts, call);
  const fields = await readFields(call);
  const change = {
    ...(isAbsent(fields.url) ? {} : { url: parseUrl(parts.egress, fields.url) }),
    ...(isAbsent(fields.events) ? {} : { events: parseEvents(fields.events, typeOf(webhook)) }),
    options: parseOptions(fields),
    enabled: true,
  };
  if (!(await parts.subscribe.change(webhook, change))) throw notFound();
  return done;
}

export async function remove(parts: WebhookParts, call: Call): Promise<Reply> {
  const webhook = await existing(parts, call);
  if (!(await parts.subscribe.remove(webhook))) throw notFound();
  return done;
}

async function existing({ database }: WebhookParts, call: Call): Promise<Webhook> {
  const text = call.param('id');
  const number = /^\d{1,15}$/.test(text) ? Number(text) : null;
  const webhook = number === null ? null : await findWebhook(database, call.caller.account, facadeName, { number });
  if (webhook) return webhook;
  throw notFound();
}

function notFound(): AppError {
  return new AppError('not_found', 'Webhook ID does not exist');
}

export async function readFields(call: Call): Promise<Fields> {
  const body = parseJson(await call.body());
  if (isFields(body)) return body;
  throw new AppError('invalid_field', 'The request body must be a JSON object.');
}

/** Incoming mail and SMS are none of ours: a webhook for them would wait for ever. */
function parseType(value: unknown): WebhookType {
  if (isAbsent(value)) return 'transactional';
  if (value === 'transactional' || value === 'marketing') return value;
  throw invalid('type', 'there are only transactional and marketing webhooks here');
}

export function typeOf({ options }: Webhook): WebhookType {
  return options.type === 'marketing' ? 'marketing' : 'transactional';
}

function parseChannel(value: unknown): void {
  if (isAbsent(value) || value === 'email') return;
  throw invalid('channel', 'there is only email here');
}

export function parseUrl(egress: Egress, value: unknown, name = 'url'): string {
  if (typeof value !== 'string') throw invalid(name, 'it must be a URL');
  const { url } = splitCredentials(value);
  const refusal = egress.refusalOf(url);
  if (refusal) throw invalid(name, refusal.message);
  return value;
}

function parseEvents(value: unknown, type: WebhookType): WebhookEvents {
  const known = types[type];
  if (!Array.isArray(value) || value.length === 0 || value.length > brevoLimits.webhookEventsMax) {
    throw invalid('events', `it must be an array of 1 to ${brevoLimits.webhookEventsMax} names`);
  }
  const names: string[] = [];
  const wanted: Subject[] = [];
  for (const name of value) {
    const subject = typeof name === 'string' ? known.get(name) : undefined;
    if (subject === undefined) {
      throw invalid('events', `each must be one of ${[...known.keys()].join(', ')}`);
    }
    if (!names.includes(name)) names.push(name);
    if (subject !== null) wanted.push(subject);
  }
  return { names, subjects: wanted, perRecipient: true };
}

function parseOptions(fields: Fields): WebhookOptions {
  return {
    ...(isAbsent(fields.description) ? {} : { description: parseDescription(fields.description) }),
    ...(isAbsent(fields.batched) ? {} : { batched: parseBatched(fields.batched) }),
    ...(isAbsent(fields.auth) ? {} : { auth: parseAuth(fields.auth) }),
    ...(isAbsent(fields.headers) ? {} : { headers: parseHeaders(fields.headers) }),
  };
}

function parseDescription(value: unknown): string {
  if (typeof value === 'string' && value.length <= brevoLimits.descriptionCharsMax) return value;
  throw invalid('description', `it must be a text of at most ${brevoLimits.descriptionCharsMax} characters`);
}

function parseBatched(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw invalid('batched', 'it must be true or false');
}

function parseAuth(value: unknown): { type: string; token: string } {
  if (!isFields(value)) throw invalid('auth', 'it must be an object with type and token');
  const type = isAbsent(value.type) ? 'bearer' : String(value.type).toLowerCase();
  if (type !== 'bearer' && type !== 'basic') throw invalid('auth', 'its type must be bearer or basic');
  if (!isHeaderText(value.token)) throw invalid('auth', 'its token must be a text that may stand in a header');
  return { type, token: value.token };
}

/** What frames the request is ours. */
const ownHeaders = new Set([
  'host',
  'connection',
  'content-length',
  'content-type',
  'transfer-encoding',
  'accept-encoding',
]);

function parseHeaders(value: unknown): { key: string; value: string }[] {
  if (!Array.isArray(value) || value.length > brevoLimits.webhookHeadersMax) {
    throw invalid(
      'headers',
      `it must be an array of at most ${brevoLimits.webhookHeadersMax} objects with key and value`,
    );
  }
  return value.map((header) => {
    if (!isFields(header) || typeof header.key !== 'string' || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(header.key)) {
      throw invalid('headers', 'each must have a key that may be the name of a header');
    }
    if (!isHeaderName(header.key) || ownHeaders.has(header.key.toLowerCase())) {
      throw invalid('headers', `${header.key} cannot be set`);
    }
    if (!isHeaderText(header.value))
      throw invalid('headers', `the value of ${header.key} must be a text without line breaks`);
    return { key: header.key, value: header.value };
  });
}

/** Latin-1 without controls: what Node puts into a header. */
function isHeaderText(value: unknown): value is string {
  const isText = typeof value === 'string' && value !== '' && value.length <= brevoLimits.webhookHeaderCharsMax;
  return isText && !breaksLine(value) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

function render(webhook: Webhook) {
  const { description = '', batched = false, auth, headers } = webhook.options;
  return {
    id: webhook.number,
    url: webhook.url,
    description,
    events: webhook.events,
    type: typeOf(webhook),
    channel: 'email',
    batched,
    ...(auth ? { auth } : {}),
    ...(headers ? { headers } : {}),
    createdAt: new Date(webhook.createdAt).toISOString(),
    modifiedAt: new Date(webhook.modifiedAt).toISOString(),
  };
}
