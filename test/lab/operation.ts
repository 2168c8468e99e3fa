/** What clients of the lab ask for: operations under a key each, in the words of either facade, and their answers. */

import { randomUUID } from 'node:crypto';
import type { Random } from '../support/random.ts';
import type { Reply } from './client.ts';

export type Operation = {
  facade: 'resend' | 'brevo';
  key: string;
  path: string;
  text: string;
  /** The emails it asks for, in order. */
  asked: Asked[];
  /** When they are to leave, by the lab's clock; null: at once. */
  scheduledAt: number | null;
  /** What Brevo's clients may call them all off by. */
  batchId: string | null;
  /** By `performance.now()`. */
  begunAt: number;
  answeredAt: number | null;
  /** The server that gave the first answer. */
  answeredBy: string | null;
  /** Emails it was answered, in order. */
  ids: string[] | null;
  /** The first answer: what every later one has to be. */
  answer: string | null;
};

export type Asked = { to: string[]; subject: string };

/** Shares of all operations. */
export type Mixture = {
  brevo: number;
  scheduled: number;
  /** A time to be scheduled for, by the lab's clock. */
  later: () => number;
};

const sender = { name: 'Acme', email: 'onboarding@resend.dev' };
const htmlOf = (words: number) => `<p>${'it works '.repeat(words)}</p>`;
const usual = htmlOf(20);

export function compose(number: number, random: Random, mixture?: Mixture): Operation {
  const asked = Array.from({ length: random() < 0.1 ? 3 : 1 }, (_, part) => ask(`${number}.${part}`, random));
  const scheduledAt = mixture && random() < mixture.scheduled ? mixture.later() : null;
  const facade = mixture && random() < mixture.brevo ? 'brevo' : 'resend';
  const batchId = facade === 'brevo' && scheduledAt !== null ? randomUUID() : null;
  const wanted = { facade, key: `load/${number}`, asked, scheduledAt, batchId } as const;
  const unanswered = { begunAt: performance.now(), answeredAt: null, answeredBy: null, ids: null, answer: null };
  return { ...wanted, ...unanswered, ...(facade === 'resend' ? writeResend(wanted) : writeBrevo(wanted)) };
}

/** One mail of so many words to one recipient, in Resend's. */
export function composeOne(number: number, words: number, scheduledAt: number | null): Operation {
  const asked = [{ to: [addressOf(number)], subject: `mail ${number}.0` }];
  const wanted = { facade: 'resend', key: `load/${number}`, asked, scheduledAt, batchId: null } as const;
  const unanswered = { begunAt: performance.now(), answeredAt: null, answeredBy: null, ids: null, answer: null };
  return { ...wanted, ...unanswered, ...writeResend(wanted, htmlOf(words)) };
}

/** Of the first recipient of one of the emails of an operation, also of one that is yet to be begun. */
export function addressOf(number: number, part = 0): string {
  return `user${number}.${part}.0@example.com`;
}

/** Every address and subject belongs to one email, so that whoever sees one knows which. One mail in four has some more recipients. */
function ask(name: string, random: Random): Asked {
  const recipients = random() < 0.25 ? 3 : 1;
  const to = Array.from({ length: recipients }, (_, index) => `user${name}.${index}@example.com`);
  return { to, subject: `mail ${name}` };
}

type Wanted = Pick<Operation, 'key' | 'asked' | 'scheduledAt' | 'batchId'>;
type Written = Pick<Operation, 'path' | 'text'>;

function writeResend({ asked, scheduledAt }: Wanted, html = usual): Written {
  const scheduled = scheduledAt === null ? {} : { scheduled_at: new Date(scheduledAt).toISOString() };
  const from = `${sender.name} <${sender.email}>`;
  const mails = asked.map((one) => ({ from, ...one, html, ...scheduled }));
  if (mails.length === 1) return { path: '/emails', text: JSON.stringify(mails[0]) };
  return { path: '/emails/batch', text: JSON.stringify(mails) };
}

function writeBrevo({ key, asked, scheduledAt, batchId }: Wanted): Written {
  const versions = asked.map(({ to, subject }) => ({ to: to.map((email) => ({ email })), subject }));
  const body = {
    sender,
    htmlContent: usual,
    headers: { idempotencyKey: key },
    ...(scheduledAt === null ? {} : { scheduledAt: new Date(scheduledAt).toISOString(), batchId }),
    ...(versions.length === 1 ? versions[0] : { subject: 'versions', messageVersions: versions }),
  };
  return { path: '/v3/smtp/email', text: JSON.stringify(body) };
}

/** The ids of the emails that were accepted; null: none were. Brevo refuses a repeat, and names them. */
export function readAnswer({ facade }: Operation, { status, text }: Reply): string[] | null {
  if (facade === 'resend') return status === 200 ? idsOf(JSON.parse(text)) : null;
  const isRepeat = status === 400 && text.includes('has already been processed');
  return status === 201 || status === 202 || isRepeat ? idsOf(JSON.parse(text)) : null;
}

type Answer = { id?: string; data?: { id: string }[]; messageId?: string; messageIds?: string[] };

/** Brevo names emails by their Message-ID, which begins with our id. */
function idsOf({ id = '', data, messageId, messageIds }: Answer): string[] {
  if (data) return data.map((one) => one.id);
  if (messageIds) return messageIds.map(emailOf);
  return [messageId === undefined ? id : emailOf(messageId)];
}

export function emailOf(messageId: string): string {
  return messageId.replace(/^<|@.*$/g, '');
}
