/** What reports count, by the day: how one email or event adds to it. */

import { writeTag } from '../../core/email.ts';
import { shownRecipients } from '../../core/envelope.ts';
import { type EventType, subjectsOf } from '../../core/event.ts';
import type { Summary } from '../mail/emails.ts';
import type { EventDetail } from '../mail/events.ts';

/** Recipients. */
export type ReportCounts = {
  requests: number;
  delivered: number;
  hard_bounces: number;
  soft_bounces: number;
  complaints: number;
  blocked: number;
};

export type Counter = keyof ReportCounts;

export const counters: readonly Counter[] = [
  'requests',
  'delivered',
  'hard_bounces',
  'soft_bounces',
  'complaints',
  'blocked',
];

/** Which emails: all, those with a tag, those of a template. */
export type About = { tag?: string; template?: number };

export const dayMs = 86_400_000;

export function aboutText({ tag, template }: About): string {
  if (template !== undefined) return `template ${template}`;
  return tag === undefined ? '' : `tag ${tag}`;
}

/** How far the chore has come is noted under these names: emails of an account, and events of all. */
export const emailsCursor = (account: string) => `reported ${account}`;
export const eventsCursor = 'events of reports';

/** What an email is found by beside what the page's search knows. */
export function templateTerm(template: number): string {
  return `template:${template}`;
}

/** Of one account. */
export class Tally {
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

export function noCounts(): ReportCounts {
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

export const countedTypes: readonly EventType[] = ['delivered', 'bounced', 'complained', 'suppressed'];

/** An email as it is read to be counted. */
export type EmailRow = { id: string; created_at: number; summary: string };
