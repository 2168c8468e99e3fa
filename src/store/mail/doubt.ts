/** What is in doubt: who is, and the edge that an operator's answer takes. */

import type { DeliveryState } from '../../core/delivery-state.ts';
import { ownWords } from '../../core/reply.ts';
import type { Reader, Transaction } from '../database.ts';
import { type DeliveryRef, never } from './deliveries.ts';
import { listEvents } from './events.ts';
import { move } from './move.ts';
import { type OpenDelivery, type OpenListRow, openListColumns, toOpenDelivery } from './open.ts';
import { isOpenAs } from './open-index.ts';

export const doubtAnswers = ['sent', 'send-again', 'abandon'] as const;
export type DoubtAnswer = (typeof doubtAnswers)[number];

/** As the partial index has it, word for word. */
const isInDoubt = isOpenAs('in_doubt');

/** For an operator who knows the email's id and not its account. */
export async function findInDoubt(reader: Reader, emailId: string, part: number): Promise<DeliveryRef | null> {
  const [row] = await reader.all<{ account: string }>(
    `select account from deliveries where ${isInDoubt} and email_id = ? and part = ?`,
    emailId,
    part,
  );
  return row ? { account: row.account, emailId, part } : null;
}

/** Null: there is no such delivery. */
export async function findState(
  reader: Reader,
  { account, emailId, part }: DeliveryRef,
): Promise<DeliveryState | null> {
  const [row] = await reader.all<{ state: DeliveryState }>(
    'select state from deliveries where account = ? and email_id = ? and part = ?',
    account,
    emailId,
    part,
  );
  return row?.state ?? null;
}

/** How a delivery stands once it was answered: an answer is taken back under the attempt it left behind. */
export type AnsweredDoubt = { state: DeliveryState; attempt: number };

/**
 * An operator's answer to a delivery in doubt. What is sent again leaves `waitMs` later. Null: it was not in doubt (any more), and
 * nothing changed.
 */
export async function answerDoubt(
  tx: Transaction,
  ref: DeliveryRef,
  answer: DoubtAnswer,
  { now, waitMs = 0 }: { now: number; waitMs?: number },
): Promise<AnsweredDoubt | null> {
  const moved = await takeAnswer(tx, ref, answer, { now, leavesAt: now + waitMs });
  const [one] = moved ?? [];
  return one ? { state: one.state, attempt: one.attempt } : null;
}

const tooLate = () => null;

async function takeAnswer(
  tx: Transaction,
  ref: DeliveryRef,
  answer: DoubtAnswer,
  { now, leavesAt }: { now: number; leavesAt: number },
) {
  switch (answer) {
    case 'sent':
      return move(tx, 'answer_sent', ref, { run_at: now, reply: saidSent, now }, tooLate);
    case 'abandon':
      return move(tx, 'answer_abandon', ref, { run_at: now, reply: saidGivenUp, now }, tooLate);
    case 'send-again': {
      // What was held before its time still waits for it.
      const at = Math.max(leavesAt, (await findScheduledAt(tx, ref)) ?? leavesAt);
      const again = { run_at: at, held_until: at, reply: saidAgain, content_hash: null, now };
      return move(tx, 'answer_send_again', ref, again, tooLate);
    }
    default:
      return answer satisfies never;
  }
}

/** Takes "send it again" back, while nobody has claimed it since. Null: it is too late, and nothing changed. */
export async function takeAnswerBack(
  tx: Transaction,
  ref: DeliveryRef,
  { attempt, now }: { attempt: number; now: number },
): Promise<AnsweredDoubt | null> {
  const reply = ownWords(`${saidTakenBack}${await findWordsBefore(tx, ref)}`);
  const terms = { run_at: never, reply, held_again: now, fence: attempt, now };
  const [one] = (await move(tx, 'answer_taken_back', ref, terms, tooLate)) ?? [];
  return one ? { state: one.state, attempt: one.attempt } : null;
}

/** The evidence there was: the answer has taken its place in the row. */
async function findWordsBefore(reader: Reader, ref: DeliveryRef): Promise<string> {
  const { recipients } = (await findWaiting(reader, ref)) ?? {};
  const events = await listEvents(reader, ref.account, ref.emailId);
  const doubt = events.findLast(
    ({ detail }) => detail.in_doubt && !detail.by && detail.recipients?.join() === recipients?.join(),
  );
  return doubt?.detail.reply ? ` Before: ${doubt.detail.reply}` : '';
}

export type WaitingDelivery = { attempt: number; runAt: number; recipients: string[] };

/** Null: it is not in the queue. */
export async function findWaiting(
  reader: Reader,
  { account, emailId, part }: DeliveryRef,
): Promise<WaitingDelivery | null> {
  const [row] = await reader.all<{ attempt: number; run_at: number; recipients: string }>(
    `select attempt, run_at, recipients from deliveries
     where account = ? and email_id = ? and part = ? and state || '' = 'queued'`,
    account,
    emailId,
    part,
  );
  return row ? { attempt: row.attempt, runAt: row.run_at, recipients: JSON.parse(row.recipients) } : null;
}

const saidTakenBack = 'An operator took “send it again” back before it left.';
const saidSent = ownWords('An operator said it was sent.');
const saidAgain = ownWords('An operator had it sent again.');
const saidGivenUp = ownWords('An operator gave it up.');

async function findScheduledAt(reader: Reader, { account, emailId }: DeliveryRef): Promise<number | null> {
  const [email] = await reader.all<{ scheduled_at: number | null }>(
    'select scheduled_at from emails where account = ? and id = ?',
    account,
    emailId,
  );
  return email?.scheduled_at ?? null;
}

/** Some that are in doubt, of whatever account. */
export async function someInDoubt(reader: Reader, limit: number): Promise<DeliveryRef[]> {
  const rows = await reader.all<{ account: string; email_id: string; part: number }>(
    `select account, email_id, part from deliveries where ${isInDoubt} limit ?`,
    limit,
  );
  return rows.map(({ account, email_id: emailId, part }) => ({ account, emailId, part }));
}

export type HeldDelivery = Pick<
  OpenDelivery,
  'emailId' | 'part' | 'recipients' | 'runAt' | 'gatedAt' | 'reply' | 'messageId' | 'subject' | 'relay' | 'repeatUntil'
>;

/**
 * An account's deliveries in doubt, in the order of their emails; `after` is the last one that was seen.
 * By `account || ''`, so that no engine goes through all the account's deliveries in that order instead.
 */
export async function listHeld(
  reader: Reader,
  account: string,
  after: Pick<DeliveryRef, 'emailId' | 'part'> | null,
  limit: number,
): Promise<HeldDelivery[]> {
  const rows = await reader.all<OpenListRow>(
    `select ${openListColumns} from deliveries d join emails e on e.account = d.account and e.id = d.email_id
     where ${isOpenAs('in_doubt', 'd.')} and d.account || '' = ?
       and (d.email_id, d.part) > (?, ?)
     order by d.email_id, d.part limit ?`,
    account,
    after?.emailId ?? '',
    after?.part ?? 0,
    limit,
  );
  return rows.map(toOpenDelivery);
}

/** Of one email, or of one of its deliveries. */
export async function listHeldOf(
  reader: Reader,
  account: string,
  { emailId, part = null }: { emailId: string; part?: number | null },
): Promise<HeldDelivery[]> {
  const rows = await reader.all<OpenListRow>(
    `select ${openListColumns} from deliveries d join emails e on e.account = d.account and e.id = d.email_id
     where d.account = ? and d.email_id = ? and d.state = 'in_doubt' order by d.part`,
    account,
    emailId,
  );
  return rows.filter((row) => part === null || row.part === part).map(toOpenDelivery);
}
