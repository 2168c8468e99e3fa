/**
 * What reports count, by the day: added up by a chore from emails and events that are committed, each exactly once, as the page's
 * figures are. A report reads the counts, and walks only what the chore has not come to yet.
 */

import { writeTag } from '../../core/email.ts';
import { shownRecipients } from '../../core/envelope.ts';
import { type EventType, subjectsOf } from '../../core/event.ts';
import { uuidv7Floor } from '../../core/token.ts';
import type { DatabaseReader, SqlValue, Transaction } from '../database.ts';
import type { EmailSummary, Summary } from '../mail/emails.ts';
import { type EventDetail, readDetail } from '../mail/events.ts';
import { eventsAfter, holdCursor, moveCursor, type Step } from './rollups.ts';
import { addTerm } from './search-index.ts';

/** Recipients. */
export type ReportCounts = {
  requests: number;
  delivered: number;
  hard_bounces: number;
  soft_bounces: number;
  complaints: number;
  blocked: number;
};

type Counter = keyof ReportCounts;

const counters: readonly Counter[] = ['requests', 'delivered', 'hard_bounces', 'soft_bounces', 'complaints', 'blocked'];

/** Which emails: all, those with a tag, those of a template. */
export type About = { tag?: string; template?: number };

export const dayMs = 86_400_000;

function aboutText({ tag, template }: About): string {
  if (template !== undefined) return `template ${template}`;
  return tag === undefined ? '' : `tag ${tag}`;
}

/** How far the chore has come is noted under these names: emails of an account, and events of all. */
export const emailsCursor = (account: string) => `reported ${account}`;
const eventsCursor = 'events of reports';

/** What an email is found by beside what the page's search knows. */
export function templateTerm(template: number): string {
  return `template:${template}`;
}

/** Of one account. */
class Tally {
  readonly #days = new Map<string, { about: string; day: number; counts: ReportCounts }>();

  add(email: Pick<Summary, 'tags' | 'templateId'>, at: number, counter: Counter, recipients: number): void {
    if (recipients === 0) return;
    const { templateId: template } = email;
    const tags = new Set(email.tags.map(writeTag));
    const abouts = ['', ...[...tags].map((tag) => aboutText({ tag }))];
    if (template !== undefined) abouts.push(aboutText({ template }));
    for (const about of abouts) this.#dayOf(about, Math.floor(at / dayMs)).counts[counter] += recipients;
  }

  #dayOf(about: string, day: number) {
    const key = `${day} ${about}`;
    const known = this.#days.get(key);
    if (known) return known;
    const made = { about, day, counts: noCounts() };
    this.#days.set(key, made);
    return made;
  }

  /** An email counts by whom it is for, once each. */
  addEmail(email: Summary, createdAt: number): void {
    this.add(email, createdAt, 'requests', shownRecipients(email).length);
  }

  addEvent(email: Summary, { type, at, detail }: { type: EventType; at: number; detail: EventDetail }): void {
    const shown = new Set(shownRecipients(email).map(({ address }) => address));
    for (const [index, address] of (detail.recipients ?? []).entries()) {
      const counter = shown.has(address) ? counterOf(type, detail, index) : null;
      if (counter !== null) this.add(email, at, counter, 1);
    }
  }

  get days() {
    return [...this.#days.values()];
  }
}

function noCounts(): ReportCounts {
  return { requests: 0, delivered: 0, hard_bounces: 0, soft_bounces: 0, complaints: 0, blocked: 0 };
}

/** Null: no report counts it. */
function counterOf(type: EventType, detail: EventDetail, index: number): Counter | null {
  const [, subject] = subjectsOf(type, detail.each?.[index] ?? detail.said ?? null);
  switch (subject) {
    case 'delivered':
      return 'delivered';
    case 'hard_bounce':
      return 'hard_bounces';
    case 'soft_bounce':
      return 'soft_bounces';
    case 'complained':
      return 'complaints';
    case 'suppressed':
      return 'blocked';
    default:
      return null;
  }
}

const countedTypes: readonly EventType[] = ['delivered', 'bounced', 'complained', 'suppressed'];

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

type EmailRow = { id: string; created_at: number; summary: string };

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

/** Days since the epoch, `until` excluded. */
export type Days = { from: number; until: number };

const chunkRows = 500;

/** The days on which something was counted. */
export async function readReport(
  database: DatabaseReader,
  account: string,
  about: About,
  days: Days,
): Promise<Map<number, ReportCounts>> {
  const { counted, report } = await readCounted(database, account, about, days);
  const tally = new Tally();
  await tallyEmails(database, account, counted, days, tally);
  await tallyEvents(database, account, counted, days, tally);
  for (const day of tally.days.filter((one) => one.about === aboutText(about))) {
    const known = report.get(day.day) ?? noCounts();
    for (const name of counters) known[name] += day.counts[name];
    report.set(day.day, known);
  }
  return new Map([...report].filter(([, counts]) => counters.some((name) => counts[name] > 0)));
}

type CountedRow = { emails: string; events: string; day: number | null } & Record<Counter, number | null>;

/** In one statement, so that what the chore counts meanwhile is counted neither twice nor not at all. */
async function readCounted(database: DatabaseReader, account: string, about: About, { from, until }: Days) {
  const position = "coalesce((select position from cursors where name = ?), '')";
  const rows = await database.report<CountedRow>(
    `select c.emails, c.events, r.day, ${counters.map((name) => `r.${name}`).join(', ')}
     from (select ${position} as emails, ${position} as events) c
     left join report_counts r on r.account = ? and r.about = ? and r.day >= ? and r.day < ?`,
    emailsCursor(account),
    eventsCursor,
    account,
    aboutText(about),
    from,
    until,
  );
  const report = new Map<number, ReportCounts>();
  for (const { emails: _, events: __, day, ...counts } of rows) {
    if (day !== null) report.set(day, counts as ReportCounts);
  }
  return { counted: { emails: rows[0]?.emails ?? '', events: Number(rows[0]?.events ?? 0) }, report };
}

async function tallyEmails(database: DatabaseReader, account: string, counted: Counted, days: Days, tally: Tally) {
  let after = [counted.emails, uuidv7Floor(days.from * dayMs)].sort()[1] ?? '';
  for (;;) {
    const rows = await database.report<EmailRow>(
      'select id, created_at, summary from emails where account = ? and id > ? and id < ? order by id limit ?',
      account,
      after,
      uuidv7Floor(days.until * dayMs),
      chunkRows,
    );
    for (const { created_at, summary } of rows) {
      if (isWithin(days, created_at)) tally.addEmail(JSON.parse(summary), created_at);
    }
    const last = rows.at(-1);
    if (!last || rows.length < chunkRows) return;
    after = last.id;
  }
}

/** By `account || ''`: no engine is to walk the account's events in another order than that of their ids. */
async function tallyEvents(database: DatabaseReader, account: string, counted: Counted, days: Days, tally: Tally) {
  let after = counted.events;
  for (;;) {
    const rows = await database.report<{ id: number; type: EventType; at: number; detail: string; summary: string }>(
      `select e.id, e.type, e.at, e.detail, emails.summary from events e
         join emails on emails.account = e.account and emails.id = e.email_id
       where e.id > ? and e.account || '' = ? and e.at >= ? and e.at < ? and e.type in (${countedTypes.map(() => '?').join(', ')})
       order by e.id limit ?`,
      ...([after, account, days.from * dayMs, days.until * dayMs, ...countedTypes, chunkRows] satisfies SqlValue[]),
    );
    for (const { type, at, detail, summary } of rows) {
      tally.addEvent(JSON.parse(summary), { type, at, detail: readDetail(detail) });
    }
    const last = rows.at(-1);
    if (!last || rows.length < chunkRows) return;
    after = last.id;
  }
}

function isWithin({ from, until }: Days, at: number): boolean {
  const day = Math.floor(at / dayMs);
  return day >= from && day < until;
}
