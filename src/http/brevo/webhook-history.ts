/** POST /v3/webhooks/export: what webhooks were told, as a table behind a link that is posted to a URL of the client's. */

import { AppError } from '../../core/error.ts';
import { idTime, uuidv7Floor } from '../../core/token.ts';
import type { Egress } from '../../egress/egress.ts';
import { log } from '../../log.ts';
import type { DatabaseReader, Reader } from '../../store/database.ts';
import { listWebhookDeliveries, type WebhookDeliveryView } from '../../store/webhooks/views.ts';
import { listWebhooks, type Webhook } from '../../store/webhooks/webhooks.ts';
import { attemptWebhook } from '../../webhook/attempt.ts';
import { ownHeaders } from '../../webhook/request.ts';
import { findTold } from '../../webhook/told.ts';
import type { Call, HttpContext, Reply } from '../call.ts';
import { type Fields, isAbsent } from '../fields.ts';
import { type AttachmentLinks, downloadPath } from '../links/attachment-links.ts';
import { downloadHeaders } from '../links/download.ts';
import { facadeName } from './endpoints.ts';
import { brevoLimits } from './limits.ts';
import { parseSpan } from './parse-dates.ts';
import { invalid, missing } from './refusal.ts';
import { brevoPayload, contactPayload } from './webhook-payload.ts';
import { eventNames, parseUrl, readFields, typeOf, type WebhookType } from './webhooks.ts';

export type HistoryParts = { database: DatabaseReader; egress: Egress; links: AttachmentLinks; now: () => number };

/** What is asked for; it stands in the link, signed. */
type Wanted = {
  type: WebhookType;
  /** As payloads name it; null: all. */
  event: string | null;
  webhook: number | null;
  email: string | null;
  messageId: string | null;
  from: number;
  /** Null: up to the newest, also where the clock has gone back since. */
  until: number | null;
  order: 'asc' | 'desc';
};

export const historyPath = '/v3/webhooks/export/history.csv';

/** Where in a link an email stands. */
const subject = 'webhooks';

export async function exportHistory({ egress, links, now }: HistoryParts, call: Call): Promise<Reply> {
  const fields = await readFields(call);
  for (const name of ['event', 'notifyURL', 'type']) if (isAbsent(fields[name])) throw missing(name);
  const url = parseUrl(egress, fields.notifyURL, 'notifyURL');
  const at = now();
  const wanted = parseWanted(fields, at);
  const ref = { account: call.caller.account, email: subject, attachment: JSON.stringify(wanted) };
  const link = new URL(links.create(ref).downloadUrl);
  link.pathname = link.pathname.slice(0, -downloadPath.length) + historyPath;
  const body = JSON.stringify({ process_id: at, url: link.href });
  // Not waited for: the client has asked to be told elsewhere, and asks again where it was not.
  void attemptWebhook(egress, { url, headers: ownHeaders, body }, { now }).then(({ failure }) => {
    if (failure !== null) log.exportUntold(call.caller.account, failure);
  });
  return { status: 202, body: JSON.stringify({ processId: at }) };
}

/** For whoever has the link; it works without an API key, for a while. */
export async function downloadHistory(
  { database, links }: Pick<HistoryParts, 'database' | 'links'>,
  context: HttpContext,
): Promise<Response> {
  const ref = links.open(context.req.query());
  if (ref?.email !== subject) throw new AppError('not_found', 'This link has expired: export the history again.');
  // A long walk, away from the thread that serves requests.
  const reader: Reader = { all: (sql, ...params) => database.report(sql, ...params) };
  const rows = await historyOf(reader, ref.account, JSON.parse(ref.attachment));
  const csv = [columns, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
  return new Response(csv, { headers: downloadHeaders('text/csv', 'webhooks.csv') });
}

const columns = ['date', 'webhook_id', 'event', 'email', 'message-id', 'subject', 'tags', 'reason', 'status'];

async function historyOf(reader: Reader, account: string, wanted: Wanted): Promise<string[][]> {
  const rows: string[][] = [];
  for (const webhook of await listWebhooks(reader, account, facadeName)) {
    const isAsked = typeOf(webhook) === wanted.type && (wanted.webhook ?? webhook.number) === webhook.number;
    if (isAsked) await addRows(reader, webhook, wanted, rows);
  }
  // Newest first as they come; of one second they stay in their order.
  rows.reverse().sort(([one = ''], [other = '']) => one.localeCompare(other));
  return wanted.order === 'desc' ? rows.reverse() : rows;
}

async function addRows(reader: Reader, webhook: Webhook, wanted: Wanted, rows: string[][]): Promise<void> {
  let after = wanted.until === null ? null : uuidv7Floor(wanted.until);
  for (;;) {
    const page = { limit: 500, after, before: null };
    const { deliveries, hasMore } = await listWebhookDeliveries(reader, webhook, page);
    for (const delivery of deliveries) {
      if (rows.length >= brevoLimits.historyRowsMax || idTime(delivery.id) < wanted.from) return;
      const row = await rowOf(reader, webhook, delivery, wanted);
      if (row) rows.push(row);
    }
    if (!hasMore) return;
    after = deliveries.at(-1)?.id ?? null;
  }
}

/** Null: it is not asked for. */
async function rowOf(reader: Reader, webhook: Webhook, delivery: WebhookDeliveryView, wanted: Wanted) {
  const told = await findTold(reader, webhook.account, delivery);
  if (!told || (told.email === null && !('contact' in told.event))) return null;
  const said =
    told.email !== null
      ? brevoPayload(told, webhook.number, delivery.position)
      : 'contact' in told.event && contactPayload(told.event, webhook.number);
  if (!said) return null;
  const text = (name: string) => String(said[name] ?? '');
  if (wanted.event !== null && text('event') !== wanted.event) return null;
  if (wanted.email !== null && text('email').toLowerCase() !== wanted.email) return null;
  if (wanted.messageId !== null && text('message-id') !== wanted.messageId) return null;
  const about = ['event', 'email', 'message-id', 'subject', 'tag', 'reason'].map(text);
  return [text('date'), String(webhook.number), ...about, delivery.state];
}

/** RFC 4180; what a spreadsheet would take for a formula is text. */
function cell(text: string): string {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

function parseWanted(fields: Fields, now: number): Wanted {
  const { type, event, webhookId, email, messageId, sort } = fields;
  if (type !== 'transactional' && type !== 'marketing') throw invalid('type', 'it must be transactional or marketing');
  const name = typeof event === 'string' ? eventNames.get(event) : undefined;
  if (name === undefined) throw invalid('event', `it must be one of ${[...eventNames.keys()].join(', ')}`);
  if (!isAbsent(sort) && sort !== 'asc' && sort !== 'desc') throw invalid('sort', 'it must be asc or desc');
  if (!isAbsent(webhookId) && !Number.isSafeInteger(webhookId)) throw invalid('webhookId', 'it must be a number');
  const days = ['days', 'startDate', 'endDate'].map((one) => [one, isAbsent(fields[one]) ? '' : String(fields[one])]);
  const span = parseSpan(Object.fromEntries(days), now, { daysDefault: 30, daysMax: 30 });
  return {
    type,
    event: name,
    webhook: isAbsent(webhookId) ? null : Number(webhookId),
    email: isAbsent(email) ? null : String(email).trim().toLowerCase(),
    messageId: isAbsent(messageId) ? null : String(messageId),
    from: span.from,
    until: isAbsent(fields.endDate) ? null : span.until,
    order: sort === 'asc' ? 'asc' : 'desc',
  };
}
