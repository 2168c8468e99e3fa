/** Emails by filters, a page at a time, and all of a page as CSV. */

import { firstAccount } from '../../core/account.ts';
import { isUuid } from '../../core/token.ts';
import { downloadHeaders } from '../../http/links/download.ts';
import { type EmailSummary, findEmailSummary, listEmails } from '../../store/mail/emails.ts';
import { searchEmails } from '../../store/page/search-index.ts';
import { stateOf } from '../frame/pieces.tsx';
import type { Visit } from '../frame/visit.ts';
import { boundsOf, type Filters, readFilters, searchOf, tellingNothing } from './filters.ts';

export type Listed = {
  emails: EmailSummary[];
  /** Where older ones go on; null at the end. */
  next: string | null;
  note: string | null;
};

type Page = { after: string | null; limit: number };

/** Of another account only that they are there, in which state, and since when. */
export async function findListed(visit: Visit, filters: Filters, page: Page): Promise<Listed> {
  if (accountOf(visit, filters) === visit.session.account) return findOwn(visit, filters, page);
  const { emails, ...rest } = await findOwn(visit, tellingNothing(filters), page);
  return { emails: emails.map(withoutContents), ...rest };
}

function withoutContents(email: EmailSummary): EmailSummary {
  return { ...email, from: '', to: [], cc: [], bcc: [], subject: '', messageId: '', tags: [] };
}

async function findOwn(visit: Visit, filters: Filters, page: Page): Promise<Listed> {
  const search = searchOf(filters);
  if (search?.kind !== 'terms') return { emails: [], next: null, note: null };
  const { first, end } = boundsOf(filters);
  const after = [page.after, end].filter((one) => one !== null).sort()[0] ?? null;
  const account = accountOf(visit, filters);
  if (search.conditions.length === 0) return newestFirst(visit, account, { ...page, after }, first);
  const { database } = visit.parts;
  const wanted = { after, from: first, limit: page.limit };
  const { ids, next, isTooWide } = await searchEmails(database, account, search.conditions, wanted);
  const summaries = await Promise.all(ids.map((id) => findEmailSummary(database, account, id)));
  const note = noteOf(isTooWide, ids.length < page.limit && next !== null);
  return { emails: summaries.filter((one) => one !== null), next, note };
}

/** Whose emails are listed: other accounts' for whoever runs the server only. */
export function accountOf({ session }: Pick<Visit, 'session'>, { account }: Pick<Filters, 'account'>): string {
  return session.account === firstAccount && account !== '' ? account : session.account;
}

async function newestFirst({ parts }: Visit, account: string, page: Page, first: string): Promise<Listed> {
  const { emails, hasMore } = await listEmails(parts.database, account, { ...page, before: null });
  const inside = emails.filter(({ id }) => id >= first);
  const isOver = inside.length < emails.length || !hasMore;
  return { emails: inside, next: isOver ? null : (inside.at(-1)?.id ?? null), note: null };
}

function noteOf(isTooWide: boolean, isCut: boolean): string | null {
  if (isTooWide) return 'Too many matches: some are left out. Type more.';
  return isCut ? 'There may be more: only the newest emails were searched so far.' : null;
}

/** A file of more is asked for page by page. */
const exportedMax = 1_000;

export async function exportCsv(visit: Visit): Promise<Response> {
  const after = isUuid(visit.query.after ?? '') ? (visit.query.after ?? null) : null;
  const { emails } = await findListed(visit, readFilters(visit.query), { after, limit: exportedMax });
  const head = ['id', 'accepted_at', 'status', 'from', 'to', 'cc', 'bcc', 'subject', 'message_id', 'tags'];
  const rows = emails.map((email) => [
    email.id,
    new Date(email.createdAt).toISOString(),
    stateOf(email),
    email.from,
    email.to.join(', '),
    email.cc.join(', '),
    email.bcc.join(', '),
    email.subject,
    email.messageId,
    email.tags.map(({ name, value }) => `${name}=${value}`).join(', '),
  ]);
  const text = [head, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
  const headers = { ...downloadHeaders('text/csv', 'emails.csv'), 'content-type': 'text/csv; charset=utf-8' };
  return new Response(text, { headers });
}

/** RFC 4180; what a spreadsheet would take for a formula is told to be text. */
function cell(text: string): string {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
