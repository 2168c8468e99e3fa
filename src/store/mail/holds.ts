/** What stands still or has to be moved from outside: recovery after a death, doubt, cancel, reschedule, the queue's listing. */

import type { DeliveryState } from '../../core/event.ts';
import { expiresAt } from '../../core/retry.ts';
import type { Database, Reader, SqlValue, Transaction } from '../database.ts';
import { type DeliveryRef, type InDoubtPolicy, never } from './deliveries.ts';
import { appendEvent } from './events.ts';

/** A living worker waits this long for a verdict (RFC 5321 4.5.3.2.6), so nobody sends again before. */
export const verdictWaitMs = 10 * 60_000;

type OpenRow = {
  account: string;
  email_id: string;
  part: number;
  attempt: number;
  recipients: string;
  in_doubt_policy: InDoubtPolicy | null;
  gated_at: number | null;
  give_up_at: number;
};

const openColumns = 'account, email_id, part, attempt, recipients, in_doubt_policy, gated_at, give_up_at';
const here = 'account = ? and email_id = ? and part = ? and attempt = ?';

function at(row: OpenRow): SqlValue[] {
  return [row.account, row.email_id, row.part, row.attempt];
}

export type Recovered = { requeued: DeliveryRef[]; inDoubt: DeliveryRef[] };

/**
 * Ends what dead workers left: claims go back to the queue, hand-offs are in doubt. Dead is who has had no beat after
 * `deadBefore`, and whoever never had one. At most `limit` a call; call again while it returns any.
 */
export async function recover(
  tx: Transaction,
  terms: { now: number; policy: InDoubtPolicy; limit: number; deadBefore: number },
): Promise<Recovered> {
  const recovered: Recovered = { requeued: [], inDoubt: [] };
  const claims = await deadRows(tx, 'sending', terms);
  for (const row of claims) {
    await tx.run(
      `update deliveries set state = 'queued', attempt = attempt + 1, worker = null, run_at = ?
       where ${here} and state = 'sending'`,
      terms.now,
      ...at(row),
    );
    recovered.requeued.push(refOf(row));
  }
  for (const row of await deadRows(tx, 'handoff', terms)) {
    await putInDoubt(tx, row, terms);
    recovered.inDoubt.push(refOf(row));
  }
  return recovered;
}

/** As the partial index has it: SQLite uses one only where its condition stands in the query word for word. */
const isOpen = "state in ('sending', 'handoff', 'in_doubt')";

function deadRows(tx: Transaction, state: 'sending' | 'handoff', terms: { limit: number; deadBefore: number }) {
  return tx.all<OpenRow>(
    `select ${openColumns} from deliveries where ${isOpen} and state = ?
     and not exists (select 1 from workers where workers.id = deliveries.worker and workers.beat_at > ?)
     limit ? ${tx.skipLocked}`,
    state,
    terms.deadBefore,
    terms.limit,
  );
}

/** Those whose `run_at` has come by `until`, oldest first. */
function openRows(tx: Transaction, state: 'sending' | 'handoff' | 'in_doubt', until: number, limit: number) {
  return tx.all<OpenRow>(
    `select ${openColumns} from deliveries where ${isOpen} and state = ? and run_at <= ?
     order by run_at limit ? ${tx.skipLocked}`,
    state,
    until,
    limit,
  );
}

async function putInDoubt(tx: Transaction, row: OpenRow, terms: { now: number; policy: InDoubtPolicy }) {
  const sendsAgain = (row.in_doubt_policy ?? terms.policy) === 'send-again';
  const reason = 'The process that sent it ended before the relay answered.';
  await tx.run(
    `update deliveries set state = 'in_doubt', attempt = attempt + 1, worker = null, run_at = ?, reply = ?
     where ${here} and state = 'handoff'`,
    sendsAgain ? (row.gated_at ?? terms.now) + verdictWaitMs : never,
    reason,
    ...at(row),
  );
  const detail = { recipients: JSON.parse(row.recipients), reply: reason, attempt: row.attempt, in_doubt: true };
  await appendEvent(tx, row.account, row.email_id, 'delivery_delayed', terms.now, detail);
}

function refOf(row: OpenRow): DeliveryRef {
  return { account: row.account, emailId: row.email_id, part: row.part };
}

/** Queues again what the `send-again` policy has waited out, marked as a possible duplicate. */
export async function sendAgainDue(tx: Transaction, now: number, limit: number): Promise<DeliveryRef[]> {
  const rows = await openRows(tx, 'in_doubt', now, limit);
  for (const row of rows) {
    await tx.run(
      `update deliveries set state = 'queued', attempt = attempt + 1, run_at = ?, give_up_at = ?,
         possible_duplicate = possible_duplicate + 1
       where ${here} and state = 'in_doubt'`,
      now,
      giveUpAfterHold(row, now),
      ...at(row),
    );
    const detail = {
      recipients: JSON.parse(row.recipients),
      reply: 'Sent again by the policy.',
      by: 'policy' as const,
    };
    await appendEvent(tx, row.account, row.email_id, 'queued', now, detail);
  }
  return rows.map(refOf);
}

/** Puts claims whose lease ran out back into the queue: their worker hangs, and its gate is fenced from here on. */
export async function requeueExpiredClaims(tx: Transaction, now: number, limit: number): Promise<DeliveryRef[]> {
  const rows = await openRows(tx, 'sending', now, limit);
  for (const row of rows) {
    await tx.run(
      `update deliveries set state = 'queued', attempt = attempt + 1, worker = null, run_at = ?
       where ${here} and state = 'sending'`,
      now,
      ...at(row),
    );
  }
  return rows.map(refOf);
}

/** Time spent held does not count against the three days; they begin anew for what was held before any gate. */
function giveUpAfterHold(row: OpenRow, now: number): number {
  return row.gated_at === null ? expiresAt(now, null) : row.give_up_at + Math.max(0, now - row.gated_at);
}

export const doubtAnswers = ['sent', 'send-again', 'abandon'] as const;
export type DoubtAnswer = (typeof doubtAnswers)[number];

/** For an operator who knows the email's id and not its account. */
export async function findInDoubt(reader: Reader, emailId: string, part: number): Promise<DeliveryRef | null> {
  const [row] = await reader.all<{ account: string }>(
    `select account from deliveries where ${isOpen} and state = 'in_doubt' and email_id = ? and part = ?`,
    emailId,
    part,
  );
  return row ? { account: row.account, emailId, part } : null;
}

/** An operator's answer to a delivery in doubt; the state it has then. Null: it is not in doubt (any more). */
export async function answerDoubt(
  tx: Transaction,
  ref: DeliveryRef,
  answer: DoubtAnswer,
  now: number,
): Promise<'sent' | 'queued' | 'failed' | null> {
  const [row] = await tx.all<OpenRow>(
    `select ${openColumns} from deliveries where account = ? and email_id = ? and part = ? and state = 'in_doubt'`,
    ref.account,
    ref.emailId,
    ref.part,
  );
  if (!row) return null;
  const { state, reply } = answered[answer];
  const [email] = await tx.all<{ scheduled_at: number | null }>(
    'select scheduled_at from emails where account = ? and id = ?',
    ref.account,
    ref.emailId,
  );
  // What was held before its time still waits for it.
  const runAt = Math.max(now, email?.scheduled_at ?? now);
  // Forgetting the content hash lets bytes that a newer composer made go out: the operator has decided.
  await tx.run(
    `update deliveries set state = ?, attempt = attempt + 1, run_at = ?, reply = ?,
       possible_duplicate = possible_duplicate + ?, give_up_at = ?, content_hash = null
     where ${here} and state = 'in_doubt'`,
    state,
    runAt,
    reply,
    answer === 'send-again' ? 1 : 0,
    giveUpAfterHold(row, runAt),
    ...at(row),
  );
  const detail = { recipients: JSON.parse(row.recipients), reply, by: 'operator' as const };
  await appendEvent(tx, ref.account, ref.emailId, state, now, detail);
  return state;
}

/** Some that are in doubt, of whatever account. */
export async function someInDoubt(reader: Reader, limit: number): Promise<DeliveryRef[]> {
  const rows = await reader.all<OpenRow>(
    `select ${openColumns} from deliveries where ${isOpen} and state = 'in_doubt' limit ?`,
    limit,
  );
  return rows.map(refOf);
}

const answered = {
  sent: { state: 'sent', reply: 'An operator said it was sent.' },
  'send-again': { state: 'queued', reply: 'An operator had it sent again.' },
  abandon: { state: 'failed', reply: 'An operator gave it up.' },
} as const;

// What may have been delivered once already cannot be called off any more.
const cancelable = "state in ('queued', 'sending') and possible_duplicate = 0";

/** Cancels what has not passed its gate. Tells whether any of the email is canceled now, by this call or an earlier one. */
export async function cancelEmail(tx: Transaction, account: string, emailId: string, now: number): Promise<boolean> {
  const rows = await tx.all<{ part: number; recipients: string }>(
    `select part, recipients from deliveries where account = ? and email_id = ? and ${cancelable}`,
    account,
    emailId,
  );
  for (const row of rows) {
    await tx.run(
      `update deliveries set state = 'canceled', attempt = attempt + 1, worker = null, run_at = ?
       where account = ? and email_id = ? and part = ? and ${cancelable}`,
      now,
      account,
      emailId,
      row.part,
    );
  }
  const recipients = rows.flatMap((row) => JSON.parse(row.recipients) as string[]);
  if (rows.length > 0) await appendEvent(tx, account, emailId, 'canceled', now, { recipients });
  const canceled = await tx.all(
    "select part from deliveries where account = ? and email_id = ? and state = 'canceled' limit 1",
    account,
    emailId,
  );
  return canceled.length > 0;
}

/**
 * Moves an email no dot of which can have left. False: it is too late. The Date header follows the schedule, so bytes that
 * once reached a gate without a dot are forgotten.
 */
export async function rescheduleDeliveries(
  tx: Transaction,
  account: string,
  emailId: string,
  terms: { runAt: number; giveUpAt: number; now: number },
): Promise<boolean> {
  const rows = await tx.all<{
    state: DeliveryState;
    tries: number;
    handoff_attempt: number | null;
    possible_duplicate: number;
  }>(
    'select state, tries, handoff_attempt, possible_duplicate from deliveries where account = ? and email_id = ?',
    account,
    emailId,
  );
  // Suppressed recipients were never to get it, whenever the others do.
  const open = rows.filter((row) => row.state !== 'suppressed');
  const movable = open.every(
    (row) =>
      (row.state === 'queued' || row.state === 'sending') &&
      row.tries === 0 &&
      row.handoff_attempt === null &&
      row.possible_duplicate === 0,
  );
  if (open.length === 0 || !movable) return false;
  await tx.run(
    `update deliveries set state = 'queued', attempt = attempt + 1, worker = null, run_at = ?, give_up_at = ?,
       content_hash = null
     where account = ? and email_id = ? and state in ('queued', 'sending')`,
    terms.runAt,
    terms.giveUpAt,
    account,
    emailId,
  );
  await appendEvent(tx, account, emailId, 'scheduled', terms.now, { scheduled_at: terms.runAt });
  return true;
}

export type OpenDelivery = DeliveryRef & {
  state: DeliveryState;
  recipients: string[];
  attempt: number;
  /** Times somebody set out with it: a verdict came, the relay was not reached, or nobody knows. */
  tries: number;
  runAt: number;
  gatedAt: number | null;
  possibleDuplicate: boolean;
  reply: string | null;
  messageId: string;
  subject: string;
};

type OpenListRow = OpenRow & {
  state: DeliveryState;
  tries: number;
  failures: number;
  unanswered: number;
  run_at: number;
  possible_duplicate: number;
  reply: string | null;
  message_id: string;
  summary: string;
};

const openListColumns = `d.account, d.email_id, d.part, d.attempt, d.recipients, d.in_doubt_policy, d.gated_at, d.give_up_at,
  d.state, d.tries, d.failures, d.unanswered, d.run_at, d.possible_duplicate, d.reply, e.message_id, e.summary`;

export type HeldDelivery = Pick<
  OpenDelivery,
  'emailId' | 'part' | 'recipients' | 'runAt' | 'gatedAt' | 'reply' | 'messageId' | 'subject'
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
     where d.state in ('sending', 'handoff', 'in_doubt') and d.state = 'in_doubt' and d.account || '' = ?
       and (d.email_id > ? or (d.email_id = ? and d.part > ?))
     order by d.email_id, d.part limit ?`,
    account,
    after?.emailId ?? '',
    after?.emailId ?? '',
    after?.part ?? 0,
    limit,
  );
  return rows.map(toOpenDelivery);
}

/** Open deliveries, those in doubt first, then by when they are due. */
export async function listOpen(reader: Reader, states: DeliveryState[], limit: number): Promise<OpenDelivery[]> {
  const marks = states.map(() => '?').join(', ');
  const rows = await reader.all<OpenListRow>(
    `select ${openListColumns} from deliveries d join emails e on e.account = d.account and e.id = d.email_id
     where d.state in (${marks})
     order by case d.state when 'in_doubt' then 0 when 'handoff' then 1 when 'sending' then 2 else 3 end, d.run_at
     limit ?`,
    ...states,
    limit,
  );
  return rows.map(toOpenDelivery);
}

function toOpenDelivery(row: OpenListRow): OpenDelivery {
  return {
    ...refOf(row),
    state: row.state,
    recipients: JSON.parse(row.recipients),
    attempt: row.attempt,
    tries: row.tries + row.failures + row.unanswered,
    runAt: row.run_at,
    gatedAt: row.gated_at,
    possibleDuplicate: row.possible_duplicate > 0,
    reply: row.reply,
    messageId: row.message_id,
    subject: JSON.parse(row.summary).subject,
  };
}

/** Open deliveries by state, read from the indexes of what is open. */
export async function countOpen(database: Database): Promise<Partial<Record<DeliveryState, number>>> {
  const rows = await database.report<{ state: DeliveryState; deliveries: number }>(
    `select state, count(*) as deliveries from deliveries where ${isOpen} group by state
     union all select 'queued', count(*) from deliveries where state = 'queued'`,
  );
  return Object.fromEntries(rows.map((row) => [row.state, row.deliveries]));
}

/** Recipients by state: one side of the conservation formula. */
export function countRecipients(database: Database): Promise<{ state: DeliveryState; recipients: number }[]> {
  return database.report('select state, sum(recipient_count) as recipients from deliveries group by state');
}
