/** Claims where mails have routes: each is looked at before it is taken, and what no relay can take now is put aside. */

import { testAddressOutcome } from '../../core/address.ts';
import { senderAddress } from '../../core/envelope.ts';
import type { PassedOver } from '../../core/passed-over.ts';
import { tagOf } from '../../core/route.ts';
import type { Awaitable, Transaction } from '../database.ts';
import { type ClaimTerms, claimRows, shared } from './claim.ts';
import type { Delivery } from './deliveries.ts';
import { nothingIsHeld } from './edge-columns.ts';
import type { Summary } from './emails.ts';
import { waitFor } from './waiting.ts';

/** What is known of a mail before it is claimed. `bound`: the relay that may have it already. */
export type DueMail = {
  account: string;
  from: string;
  tag: string | null;
  bound: string | null;
  recipients: readonly string[];
  /** Relays that will never take it. */
  never: readonly PassedOver[];
};

export type Answer = { heading: string | null } | { waitsFor: string; isLong?: true; isGone?: true } | { later: true };

export type RoutedTerms = ClaimTerms & {
  /** What is to be done with it; asked once for each in their order, and what it answers counts for those that follow. */
  admit: (mail: DueMail) => Answer;
  /** None of the relays that are waited for is there any more: it goes on waiting, until an operator decides. */
  isGone: (waitsFor: string) => boolean;
  /** Instead of what is due: what waits for this. */
  waitsFor?: string;
  /** Rows looked at, at most: bounds how long others wait for this transaction. */
  lookMax: number;
};

export type RoutedClaim = { claimed: Delivery[]; looked: number };

/** Whatever happens it is looked at again after so long. */
const lookAgainMs = 10 * 60_000;

/** Where only a rate holds it back: a million of them are not to be written anew every few minutes. */
const lookLongMs = 6 * 60 * 60_000;

export async function claimRouted(
  tx: Transaction,
  account: string,
  worker: string,
  terms: RoutedTerms,
): Promise<RoutedClaim> {
  const claimed: Delivery[] = [];
  let looked = 0;
  while (claimed.length < terms.limit && looked < terms.lookMax) {
    const limit = Math.min(terms.limit - claimed.length, terms.lookMax - looked);
    const rows = await findSome(tx, account, { ...terms, limit });
    looked += rows.length;
    const sorted = rows.map((row) => ({ row, answer: answerTo(row, account, terms) }));
    const taken = sorted.flatMap(({ row, answer }) => ('heading' in answer ? [{ row, heading: answer.heading }] : []));
    claimed.push(...(await claimHeaded(tx, account, worker, { ...terms, taken })));
    // Who waited goes on waiting.
    if (terms.waitsFor === undefined) await putAside(tx, account, terms.now, sorted);
    if (rows.length < limit || (terms.waitsFor !== undefined && taken.length < rows.length)) break;
    // They stay where they are, and would be found again.
    if (sorted.some(({ answer }) => 'later' in answer)) break;
  }
  return { claimed, looked };
}

type RoutedRow = {
  email_id: string;
  part: number;
  attempt: number;
  give_up_at: number;
  recipients: string;
  /** Null where it may not have left. */
  bound: string | null;
  summary: string | null;
  passed_over: string | null;
  waits_for: string | null;
};

function findSome(tx: Transaction, account: string, terms: RoutedTerms): Awaitable<RoutedRow[]> {
  const { now, limit, waitsFor } = terms;
  const find = (isSuch: string, value: string | number) =>
    tx.all<RoutedRow>(
      `select email_id, part, attempt, give_up_at, recipients, passed_over, waits_for,
         case when unanswered > 0 or possible_duplicate > 0 then relay end as bound,
         (select summary from emails where emails.account = deliveries.account and emails.id = deliveries.email_id) as summary
       from deliveries where account = ? and state = 'queued' and ${isSuch} and ${nothingIsHeld}
       order by run_at limit ? ${tx.skipLocked}`,
      account,
      value,
      limit,
    );
  return shared(terms, (isBulk) =>
    waitsFor === undefined
      ? find(`is_bulk = ${isBulk} and run_at <= ?`, now)
      : find(`waits_for is not null and is_bulk = ${isBulk} and waits_for = ?`, waitsFor),
  );
}

/** What is too old, gone, or only pretends is taken whatever the relays do: its attempt says what becomes of it. */
function answerTo(row: RoutedRow, account: string, { now, admit, isGone }: RoutedTerms): Answer {
  if (row.bound === null && row.waits_for !== null && isGone(row.waits_for)) {
    return { waitsFor: row.waits_for, isLong: true, isGone: true };
  }
  const recipients = JSON.parse(row.recipients) as string[];
  const [first = ''] = recipients;
  if (row.summary === null || row.give_up_at <= now || testAddressOutcome(first)) return { heading: null };
  const { from, tags }: Summary = JSON.parse(row.summary);
  const passedOver: PassedOver[] = row.passed_over === null ? [] : JSON.parse(row.passed_over);
  const never = passedOver.filter((one) => one.never);
  return admit({ account, from: senderAddress({ from }), tag: tagOf(tags), bound: row.bound, recipients, never });
}

async function claimHeaded(
  tx: Transaction,
  account: string,
  worker: string,
  { now, leaseMs, taken }: ClaimTerms & { taken: { row: RoutedRow; heading: string | null }[] },
): Promise<Delivery[]> {
  const headings = new Map(taken.map(({ row, heading }) => [`${row.email_id} ${row.part}`, heading]));
  const claimed = await claimRows(tx, account, worker, { now, leaseMs, rows: taken.map(({ row }) => row) });
  return claimed.map((one) => ({ ...one, heading: headings.get(`${one.emailId} ${one.part}`) ?? null }));
}

async function putAside(
  tx: Transaction,
  account: string,
  now: number,
  sorted: { row: RoutedRow; answer: Answer }[],
): Promise<void> {
  await Promise.all(
    sorted.map(({ row, answer }) => {
      if (!('waitsFor' in answer)) return undefined;
      const { email_id: emailId, part, attempt, give_up_at: giveUpAt } = row;
      const soonest = now + (answer.isLong ? lookLongMs : lookAgainMs);
      const until = answer.isGone ? soonest : Math.min(soonest, giveUpAt);
      return waitFor(tx, { account, emailId, part, attempt }, { waitsFor: answer.waitsFor, until, now });
    }),
  );
}
