/**
 * What reports count: added up by a chore from emails and events that are committed, each exactly once, as the page's figures are.
 */

import type { EventType } from '../../core/event.ts';
import { uuidv7Floor } from '../../core/token.ts';
import type { Transaction } from '../database.ts';
import type { EmailSummary, Summary } from '../mail/emails.ts';
import { readDetail } from '../mail/events.ts';
import {
  countedTypes,
  counters,
  type EmailRow,
  emailsCursor,
  eventsCursor,
  Tally,
  templateTerm,
} from './report-tally.ts';
import { eventsAfter, holdCursor, moveCursor, type Step } from './rollups.ts';
import { addTerm } from './search-index.ts';

/** `sign` -1 takes away what was added. */
async function write(tx: Transaction, account: string, tally: Tally, sign: 1 | -1): Promise<void> {
  for (const { about, day, counts } of tally.days) {
    await tx.run(
      `insert into report_counts (account, about, day, ${counters.join(', ')})
       values (?, ?, ?, ${counters.map(() => '?').join(', ')}) on conflict (account, about, day) do update set
         ${counters.map((name) => `${name} = report_counts.${name} + excluded.${name}`).join(', ')}`,
      account,
      about,
      day,
      ...counters.map((name) => sign * counts[name]),
    );
  }
}

/** Counts emails accepted since the last step; tells whether there may be more. */
export async function countEmails(tx: Transaction, account: string, step: Step): Promise<boolean> {
  const position = await holdCursor(tx, emailsCursor(account));
  if (position === null) return false;
  const rows = await tx.all<EmailRow>(
    'select id, created_at, summary from emails where account = ? and id > ? and id < ? order by id limit ?',
    account,
    position,
    uuidv7Floor(step.until),
    step.limit,
  );
  const tally = new Tally();
  for (const { id, created_at, summary } of rows) {
    const email: Summary = JSON.parse(summary);
    tally.addEmail(email, created_at);
    if (email.templateId !== undefined) await addTerm(tx, account, templateTerm(email.templateId), id);
  }
  await write(tx, account, tally, 1);
  const last = rows.at(-1);
  if (last) await moveCursor(tx, emailsCursor(account), last.id);
  return rows.length === step.limit;
}

/** Counts events recorded since the last step, of whatever account; tells whether there may be more. */
export async function countEvents(tx: Transaction, step: Step): Promise<boolean> {
  const position = await holdCursor(tx, eventsCursor);
  if (position === null) return false;
  const rows = await eventsAfter(tx, position, step);
  const counted = rows.filter((row) => (countedTypes as readonly string[]).includes(row.type));
  const emails = await Promise.all(
    counted.map((row) =>
      tx.all<{ summary: string }>('select summary from emails where account = ? and id = ?', row.account, row.email_id),
    ),
  );
  const tallies = new Map<string, Tally>();
  for (const [index, { account, type, at, detail }] of counted.entries()) {
    const [email] = emails[index] ?? [];
    if (!email) continue;
    const tally = tallies.get(account) ?? new Tally();
    tally.addEvent(JSON.parse(email.summary), { type: type as EventType, at, detail: readDetail(detail) });
    tallies.set(account, tally);
  }
  for (const [account, tally] of tallies) await write(tx, account, tally, 1);
  const last = rows.at(-1);
  if (last) await moveCursor(tx, eventsCursor, String(last.id));
  return rows.length === step.limit;
}

/** Keeps the chore from counting until this transaction ends; how far it has come. To be asked before an email is held. */
export async function holdReports(tx: Transaction, account: string): Promise<Counted> {
  const emails = await lockCursor(tx, emailsCursor(account));
  return { emails, events: Number(await lockCursor(tx, eventsCursor)) };
}

/** What has been counted: emails up to this id, events up to that. */
export type Counted = { emails: string; events: number };

async function lockCursor(tx: Transaction, name: string): Promise<string> {
  await tx.run("insert into cursors (name, position) values (?, '') on conflict (name) do nothing", name);
  await tx.run('update cursors set position = position where name = ?', name);
  const [row] = await tx.all<{ position: string }>('select position from cursors where name = ?', name);
  return row?.position ?? '';
}

/** An email that is taken out of somebody's log is taken out of the reports: what was counted of it as it was, and is not shown any more. */
export async function recountEmail(
  tx: Transaction,
  [before, after]: [EmailSummary, EmailSummary],
  counted: Counted,
): Promise<void> {
  const { account, id, createdAt } = before;
  const rows = await tx.all<{ type: EventType; at: number; detail: string }>(
    'select type, at, detail from events where account = ? and email_id = ? and id <= ? order by id',
    account,
    id,
    counted.events,
  );
  for (const [email, sign] of [
    [before, -1],
    [after, 1],
  ] as const) {
    const tally = new Tally();
    if (id <= counted.emails) tally.addEmail(email, createdAt);
    for (const { type, at, detail } of rows) {
      if (countedTypes.includes(type)) tally.addEvent(email, { type, at, detail: readDetail(detail) });
    }
    await write(tx, account, tally, sign);
  }
}
