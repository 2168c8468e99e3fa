/** What is scheduled: how far it has come, and calling it off; one email by its messageId, or all of a batchId. */

import { AppError } from '../../core/error.ts';
import { isUuid } from '../../core/token.ts';
import type { DatabaseReader } from '../../store/database.ts';
import type { EmailSummary } from '../../store/mail/emails.ts';
import { listBatch } from '../../store/page/email-search.ts';
import type { Amend } from '../../use-cases/amend.ts';
import type { Call, Reply } from '../call.ts';
import { parseSpan } from './parse-dates.ts';
import { parsePage, type Query } from './parse-query.ts';
import { findByMessageId } from './recipients.ts';
import { invalid } from './refusal.ts';

export type ScheduledParts = { database: DatabaseReader; amend: Amend; now: () => number };

/** docs/brevo.md: pages of 100, at most 500, of the last 30 days. */
const pageLimits = { limitDefault: 100, limitMax: 500 };
const spanLimits = { daysDefault: 31, daysMax: 31 };

type Status = 'queued' | 'inProgress' | 'processed' | 'error';

export async function status(parts: ScheduledParts, call: Call): Promise<Reply> {
  const { batch, emails } = await existing(parts.database, call);
  const query = call.query();
  if (!batch) return { status: 200, body: JSON.stringify(render(emails[0])) };
  const page = parsePage(query, pageLimits);
  const { from, until } = parseSpan(query, parts.now(), spanLimits);
  const wanted = parseStatus(query);
  const batches = emails
    .filter(({ createdAt }) => createdAt >= from && createdAt < until)
    .map(render)
    .filter((one) => wanted === null || one.status === wanted);
  if (page.order === 'desc') batches.reverse();
  const shown = batches.slice(page.offset, page.offset + page.limit);
  return { status: 200, body: JSON.stringify({ count: batches.length, batches: shown }) };
}

/** Whatever has not passed its gate is called off; refused only where nothing was left to call off. */
export async function cancel({ database, amend }: ScheduledParts, call: Call): Promise<Reply> {
  const { emails } = await existing(database, call);
  const outcomes = await Promise.all(emails.map((email) => cancelOne(amend, email)));
  const refusals = outcomes.filter((outcome) => outcome !== null);
  const [first] = refusals;
  if (first && refusals.length === emails.length) throw first;
  return { status: 204, body: null };
}

async function cancelOne(amend: Amend, email: EmailSummary): Promise<AppError | null> {
  try {
    await amend.cancel(email.account, email.id);
    return null;
  } catch (error) {
    if (error instanceof AppError && error.code === 'invalid_field') return error;
    throw error;
  }
}

/** Scheduled emails that were not called off: those are gone, as far as Brevo's clients can see. @throws AppError `not_found` */
async function existing(database: DatabaseReader, call: Call): Promise<{ batch: boolean; emails: EmailSummary[] }> {
  const { account } = call.caller;
  const identifier = call.param('identifier');
  const batch = isUuid(identifier);
  const named = batch
    ? await listBatch(database, account, identifier.toLowerCase())
    : [await findByMessageId(database, account, identifier)];
  const emails = named.filter(
    (email) => email !== null && email.scheduledAt !== null && email.lastEvent !== 'canceled',
  );
  if (emails.length > 0) return { batch, emails: emails as EmailSummary[] };
  throw new AppError('not_found', `There is no scheduled email with this ${batch ? 'batchId' : 'messageId'}`);
}

function render(email: EmailSummary | undefined) {
  return {
    scheduledAt: iso(email?.scheduledAt),
    createdAt: iso(email?.createdAt),
    status: email ? statusOf(email) : 'error',
  };
}

function iso(at: number | null | undefined): string {
  return new Date(at ?? 0).toISOString();
}

function statusOf({ lastEvent, inDoubt }: EmailSummary): Status {
  if (inDoubt) return 'inProgress';
  switch (lastEvent) {
    case 'queued':
    case 'scheduled':
      return 'queued';
    case 'delivery_delayed':
      return 'inProgress';
    case 'sent':
    case 'delivered':
    case 'complained':
      return 'processed';
    default:
      return 'error';
  }
}

function parseStatus({ status: text }: Query): Status | null {
  if (!text) return null;
  if (text === 'processed' || text === 'inProgress' || text === 'queued') return text;
  throw invalid('status', 'it must be processed, inProgress or queued');
}
