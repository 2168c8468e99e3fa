/** A report over days: reads what the chore has counted, and walks only what it has not come to yet. */

import type { EventType } from '../../core/event.ts';
import { uuidv7Floor } from '../../core/token.ts';
import type { DatabaseReader, SqlValue } from '../database.ts';
import { readDetail } from '../mail/events.ts';
import type { Counted } from './report-counts.ts';
import {
  type About,
  aboutText,
  type Counter,
  countedTypes,
  counters,
  dayMs,
  type EmailRow,
  emailsCursor,
  eventsCursor,
  noCounts,
  type ReportCounts,
  Tally,
} from './report-tally.ts';

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
