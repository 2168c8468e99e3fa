/** What one transaction writes when a submission is accepted: the key with the answer, the emails, their deliveries. */

import type { Limits } from '../core/account.ts';
import type { Email } from '../core/email.ts';
import { inDoubtPolicy } from '../core/envelope.ts';
import { AppError } from '../core/error.ts';
import { expiresAt } from '../core/retry.ts';
import { addUsed, holdUsed, leastBytes, secondsLeftToday } from '../store/account-counts.ts';
import { findLeft } from '../store/contacts/topics.ts';
import { type Transaction, together } from '../store/database.ts';
import { findKey, type KeyRecord, takeKey } from '../store/idempotency.ts';
import { insertSharedFiles, shareFiles } from '../store/mail/attachments.ts';
import { countInserted, insertAllUncounted, type NewDelivery } from '../store/mail/deliveries.ts';
import { insertEmails } from '../store/mail/emails.ts';
import { appendEvent } from '../store/mail/events.ts';
import { insertSuppressed, type Sifted, sift, withLeft } from '../store/mail/suppressed.ts';
import { findSuppressedNow } from '../store/suppressions.ts';

/** All of it was made before the transaction begins: nothing in there can fail for what its author wrote. */
export type Acceptance = {
  facade: string;
  account: string;
  /** Null where the client named none. */
  key: KeyRecord | null;
  emails: Email[];
  /** For each email, its recipients by what may share an SMTP transaction. */
  groups: string[][][];
  /** Null: nothing of this account is counted. */
  limits: Limits | null;
  /** Yields to what was sent singly. */
  isBulk: boolean;
};

/** `taken`: another request holds the key at `expiryNow`. Nothing was written then, nor where it is beyond the account's limits. */
export async function insertAcceptance(
  tx: Transaction,
  acceptance: Acceptance,
  expiryNow: number,
): Promise<'accepted' | 'taken' | AppError> {
  const { facade, account, key, emails, groups, limits, isBulk } = acceptance;
  const now = emails[0]?.createdAt ?? 0;
  const refusal = limits && (await refusalOf(tx, { ...acceptance, limits }, now));
  // What was accepted before is a replay, however little there is left.
  if (refusal) return key && (await isTaken(tx, key, expiryNow)) ? 'taken' : refusal;
  // Asked in one breath, which over a network is one way there and back.
  const taking = key ? takeKey(tx, key, expiryNow) : true;
  const looking = findSuppressedNow(tx, account, addressesOf(groups));
  await together([taking, looking]);
  const suppressed = await looking;
  if (!(await taking)) return 'taken';
  const sifted: Sifted[][] = [];
  for (const [index, { topicId, broadcastId }] of emails.entries()) {
    const own = groups[index] ?? [];
    // Those of a broadcast were picked a moment ago, and are looked at again before they leave.
    const left =
      topicId === null || broadcastId !== undefined ? null : await findLeft(tx, account, topicId, own.flat());
    const known = left ? withLeft(suppressed, left) : suppressed;
    sifted.push(own.map((group) => sift(group, known)));
  }
  const shared = shareFiles(emails);
  const divided = emails.map((email, index) => divide(email, { groups: sifted[index] ?? [], isBulk }));
  const queued: NewDelivery[] = [];
  for (const one of divided) queued.push(...one.queued);
  await together([
    shared.size > 0 && insertSharedFiles(tx, account, shared),
    insertEmails(tx, emails, { facade, keyHash: key?.keyHash ?? null, shared }),
    insertAllUncounted(tx, queued),
    ...divided.filter(hasMore).map((one) => insertMore(tx, one)),
  ]);
  countInserted(tx, account, queued);
  if (limits) await addUsed(tx, account, emails, now);
  return 'accepted';
}

/** Whoever accepts for the same account waits from here on: no two are let in for the same rest. */
async function refusalOf(
  tx: Transaction,
  { account, emails, limits }: Pick<Acceptance, 'account' | 'emails'> & { limits: Limits },
  now: number,
): Promise<AppError | null> {
  const used = await holdUsed(tx, account, now);
  if (!used) return null;
  const { emailsPerDay, storedBytesMax } = limits;
  if (emailsPerDay !== null && used.emailsToday + emails.length > emailsPerDay) {
    const left = Math.max(0, emailsPerDay - used.emailsToday);
    return new AppError(
      'daily_quota',
      `You have exceeded your daily email sending quota. It is ${emailsPerDay} emails a day (UTC), of which ${left} are left today; this request has ${emails.length}.`,
      { retryAfterSeconds: secondsLeftToday(now) },
    );
  }
  const bytes = emails.reduce((sum, email) => sum + leastBytes(email), 0);
  if (storedBytesMax === null || used.storedBytes + bytes <= storedBytesMax) return null;
  return new AppError(
    'storage_full',
    `This account may keep ${storedBytesMax} bytes of emails and files, has ${used.storedBytes}, and this request would add ${bytes}. Ask the operator for more, or to keep contents for a shorter time.`,
  );
}

async function isTaken(tx: Transaction, key: KeyRecord, expiryNow: number): Promise<boolean> {
  const known = await findKey(tx, key.account, key.keyHash);
  return known !== null && known.expiresAt > expiryNow;
}

/** A loop: this is done for each request, and `flat` takes ten times as long. */
function addressesOf(groups: string[][][]): string[] {
  const addresses: string[] = [];
  for (const own of groups) for (const group of own) addresses.push(...group);
  return addresses;
}

/** What becomes of an email: deliveries that are queued, and recipients who get none, with the number of the part that tells. */
type Divided = {
  email: Email;
  delivery: Pick<NewDelivery, 'account' | 'emailId' | 'giveUpAt' | 'policy'> & { isBulk: boolean };
  queued: NewDelivery[];
  withheld: { part: number; suppressed: Sifted['suppressed'] }[];
};

/** Members are written out: spreads at each email were a hundredth of what accepting costs. */
function divide(email: Email, { groups, isBulk }: { groups: Sifted[]; isBulk: boolean }): Divided {
  const { account, id: emailId, createdAt, scheduledAt } = email;
  const giveUpAt = expiresAt(createdAt, scheduledAt);
  const policy = inDoubtPolicy(email);
  const delivery = { account, emailId, giveUpAt, policy, isBulk };
  const runAt = Math.max(createdAt, scheduledAt ?? 0);
  const divided: Divided = { email, delivery, queued: [], withheld: [] };
  let part = 0;
  for (const { clear: recipients, suppressed } of groups) {
    if (recipients.length > 0) {
      divided.queued.push({ account, emailId, part, state: 'queued', recipients, runAt, giveUpAt, policy, isBulk });
      part += 1;
    }
    if (suppressed.size > 0) divided.withheld.push({ part, suppressed });
    part += suppressed.size;
  }
  return divided;
}

/** For suppressed recipients alone nothing waits for its time. */
function isScheduled({ email: { scheduledAt, createdAt }, queued }: Divided): boolean {
  return queued.length > 0 && scheduledAt !== null && scheduledAt > createdAt;
}

function hasMore(divided: Divided): boolean {
  return divided.withheld.length > 0 || isScheduled(divided);
}

async function insertMore(tx: Transaction, divided: Divided): Promise<void> {
  const { email, delivery, withheld } = divided;
  const { account, id, createdAt, scheduledAt } = email;
  for (const { part, suppressed } of withheld) {
    await insertSuppressed(tx, { ...delivery, runAt: createdAt }, suppressed, part);
  }
  if (!isScheduled(divided) || scheduledAt === null) return;
  await appendEvent(tx, account, id, 'scheduled', createdAt, { scheduled_at: scheduledAt });
}
