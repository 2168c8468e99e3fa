/** /broadcasts: one mail to everybody in a segment. One broadcast is one key: it is sent once, however often it is asked to be. */

import type { Broadcast, BroadcastContent } from '../../core/broadcast.ts';
import { AppError } from '../../core/error.ts';
import { isUuid } from '../../core/token.ts';
import type { Renderer } from '../../render/renderer.ts';
import { findBroadcast, listBroadcasts } from '../../store/broadcasts.ts';
import { findSegment } from '../../store/contacts/segments.ts';
import { findTopic } from '../../store/contacts/topics.ts';
import type { Reader } from '../../store/database.ts';
import type { Accepting } from '../../use-cases/accept.ts';
import type { Broadcasts } from '../../use-cases/broadcasts.ts';
import type { Call, Reply } from '../call.ts';
import { type Fields, isAbsent } from '../fields.ts';
import { refusalTexts } from './errors.ts';
import { parseLine, parseListPage, readFields, reply } from './json-body.ts';
import { resendLimits } from './limits.ts';
import { parseAddress, parseAddresses } from './parse-address.ts';
import { invalidField, missingField, parseSubject, parseText } from './parse-fields.ts';
import { parseSchedule, readDatesInWords } from './parse-schedule.ts';
import { renderTime } from './render.ts';

export type BroadcastParts = {
  database: Reader;
  broadcasts: Broadcasts;
  accepting: Accepting;
  renderer: Pick<Renderer, 'open'>;
  now: () => number;
};

export async function createBroadcast(parts: BroadcastParts, call: Call): Promise<Reply> {
  const fields = await readFields(call);
  const segment = fields.segment_id ?? fields.audience_id;
  if (isAbsent(segment)) throw missingField('segment_id');
  for (const name of ['from', 'subject'] as const) if (isAbsent(fields[name])) throw missingField(name);
  const content = { ...blank, ...(await parseContent(parts, call, fields)) };
  const at = fields.send === true ? await readTime(parts, call, fields) : null;
  if (fields.send === true) await requireReady(parts, call, content);
  const id = await parts.broadcasts.make(call.caller.account, content);
  if (fields.send === true) await parts.broadcasts.start(call.caller.account, id, at);
  return reply(201, { id, object: 'broadcast' });
}

const blank: BroadcastContent = {
  ...{ name: '', segment: null, topic: null, from: null, subject: null, replyTo: [] },
  ...{ previewText: null, html: null, text: null },
};

export async function showBroadcasts({ database }: BroadcastParts, call: Call): Promise<Reply> {
  const { broadcasts, hasMore } = await listBroadcasts(database, call.caller.account, parseListPage(call, 'if named'));
  return reply(200, { object: 'list', has_more: hasMore, data: broadcasts.map(summaryOf) });
}

export async function showBroadcast(parts: BroadcastParts, call: Call): Promise<Reply> {
  const found = await getBroadcast(parts, call);
  const { id, name, audience_id, segment_id, ...rest } = summaryOf(found);
  const { from, subject, replyTo, previewText, html, text } = found.content;
  return reply(200, {
    ...{ object: 'broadcast', id, name, audience_id, segment_id, from, subject },
    ...{ reply_to: replyTo.length === 0 ? null : replyTo, preview_text: previewText },
    ...{ ...rest, html, text, ...(found.trouble === null ? {} : { trouble: found.trouble }) },
  });
}

export async function changeBroadcast(parts: BroadcastParts, call: Call): Promise<Reply> {
  const change = await parseContent(parts, call, await readFields(call));
  const id = idIn(call);
  const outcome = await parts.broadcasts.change(call.caller.account, id, change);
  if (outcome === 'missing') throw notFound();
  if (outcome === 'started') throw new AppError('not_now', 'Only draft broadcasts can be updated');
  return reply(200, { id, object: 'broadcast' });
}

/** Asked for again, it is answered as before, and nothing more is sent. */
export async function sendBroadcast(parts: BroadcastParts, call: Call): Promise<Reply> {
  const found = await getBroadcast(parts, call);
  const fields = await readFields(call);
  if (found.status === 'canceled') throw new AppError('not_now', 'This broadcast was canceled while it was going out');
  if (found.status === 'draft') {
    await requireReady(parts, call, found.content);
    await parts.broadcasts.start(call.caller.account, found.id, await readTime(parts, call, fields));
  }
  return reply(200, { id: found.id });
}

export async function cancelBroadcast(parts: BroadcastParts, call: Call): Promise<Reply> {
  const { id } = await getBroadcast(parts, call);
  if (!(await parts.broadcasts.cancel(call.caller.account, id))) {
    throw new AppError('not_now', 'Only queued or scheduled broadcasts can be canceled');
  }
  return reply(200, { id, object: 'broadcast' });
}

export async function duplicateBroadcast(parts: BroadcastParts, call: Call): Promise<Reply> {
  const { content } = await getBroadcast(parts, call);
  const id = await parts.broadcasts.make(call.caller.account, { ...content, name: `${content.name} (Copy)` });
  return reply(200, { id, object: 'broadcast' });
}

export async function removeBroadcast(parts: BroadcastParts, call: Call): Promise<Reply> {
  const { id } = await getBroadcast(parts, call);
  if (!(await parts.broadcasts.remove(call.caller.account, id))) {
    throw new AppError('not_now', 'A broadcast that is going out cannot be deleted: cancel it first');
  }
  return reply(200, { object: 'broadcast', id, deleted: true });
}

/** The members that are there. */
async function parseContent(
  { database }: BroadcastParts,
  call: Call,
  fields: Fields,
): Promise<Partial<BroadcastContent>> {
  const { account } = call.caller;
  const content: Partial<BroadcastContent> = {};
  if (!isAbsent(fields.name)) content.name = parseLine('name', fields.name);
  const segment = isAbsent(fields.segment_id) ? fields.audience_id : fields.segment_id;
  if (!isAbsent(segment)) {
    const found = typeof segment === 'string' ? await findSegment(database, account, { id: segment }) : null;
    if (!found) throw invalidField('segment_id', 'There is no such segment.');
    content.segment = found.id;
  }
  if (fields.topic_id === null) content.topic = null;
  else if (!isAbsent(fields.topic_id)) {
    const found = typeof fields.topic_id === 'string' ? await findTopic(database, account, fields.topic_id) : null;
    if (!found) throw invalidField('topic_id', 'There is no such topic.');
    content.topic = found.id;
  }
  if (!isAbsent(fields.from)) content.from = parseAddress('from', fields.from, resendLimits);
  if (!isAbsent(fields.subject)) content.subject = parseSubject(fields.subject, resendLimits);
  if (fields.reply_to !== undefined) content.replyTo = parseAddresses('reply_to', fields.reply_to, resendLimits);
  if (!isAbsent(fields.preview_text)) content.previewText = parseLine('preview_text', fields.preview_text);
  for (const name of ['html', 'text'] as const)
    if (fields[name] !== undefined) content[name] = parseBody(name, fields[name]);
  return content;
}

function parseBody(field: 'html' | 'text', value: unknown): string | null {
  const text = parseText(field, value);
  if (text !== null && text.length > resendLimits.broadcastCharsMax) {
    throw invalidField(field, `It must have at most ${resendLimits.broadcastCharsMax} characters.`);
  }
  return text;
}

async function readTime({ renderer, now: clock }: BroadcastParts, call: Call, fields: Fields): Promise<number | null> {
  const now = clock();
  const readWords = await readDatesInWords(renderer.open(call.caller.account), fields, now);
  return parseSchedule(fields.scheduled_at, now, readWords, resendLimits).scheduledAt;
}

/** What would stop it half-way is said before it begins. */
async function requireReady({ accepting }: BroadcastParts, call: Call, content: BroadcastContent): Promise<void> {
  if (content.segment === null) throw missingField('segment_id');
  if (content.from === null) throw missingField('from');
  if (content.subject === null) throw missingField('subject');
  if (!content.html && !content.text) throw new AppError('invalid_field', 'Missing `html` or `text` field.');
  const { account, domain: keyDomain } = call.caller;
  await accepting.requireSender({ account, keyDomain }, { from: content.from, headers: [] });
}

async function getBroadcast({ database }: BroadcastParts, call: Call): Promise<Broadcast> {
  const found = await findBroadcast(database, call.caller.account, idIn(call));
  if (!found) throw notFound();
  return found;
}

function idIn(call: Call): string {
  const id = call.param('id');
  return isUuid(id) ? id.toLowerCase() : id;
}

/** SDKs know three states: what waits for its time is queued, and what was called off is over. */
const shownStatus = { draft: 'draft', scheduled: 'queued', queued: 'queued', sent: 'sent', canceled: 'sent' } as const;

function summaryOf({ id, content, status, createdAt, scheduledAt, sentAt }: Broadcast) {
  return {
    id,
    name: content.name,
    audience_id: content.segment,
    segment_id: content.segment,
    status: shownStatus[status],
    created_at: renderTime(createdAt),
    scheduled_at: scheduledAt === null ? null : renderTime(scheduledAt),
    sent_at: sentAt === null ? null : renderTime(sentAt),
    topic_id: content.topic,
    ...(status === 'canceled' ? { canceled: true } : {}),
  };
}

function notFound(): AppError {
  return new AppError('not_found', refusalTexts.broadcastNotFound);
}
