/** What one transaction writes when a submission is accepted: the key with the answer, the emails, their deliveries. */

import type { Limits } from '../core/account.ts';
import type { Email } from '../core/email.ts';
import { inDoubtPolicy } from '../core/envelope.ts';
import { AppError } from '../core/error.ts';
import { expiresAt } from '../core/retry.ts';
import { addUsed, holdUsed, leastBytes, secondsLeftToday } from '../store/account-counts.ts';
import { findLeft } from '../store/contacts/topics.ts';
import type { Transaction } from '../store/database.ts';
import { findKey, type KeyRecord, takeKey } from '../store/idempotency.ts';
import { insertSharedFiles, shareFiles } from '../store/mail/attachments.ts';
import { countInserted, insertUncounted } from '../store/mail/deliveries.ts';
import { insertEmail } from '../store/mail/emails.ts';
import { appendEvent } from '../store/mail/events.ts';
import { insertSuppressed, type Sifted, sift, withLeft } from '../store/mail/suppressed.ts';
import { findSuppressed } from '../store/suppressions.ts';

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
  const [isOurs, suppressed] = await Promise.all([
    key ? takeKey(tx, key, expiryNow) : true,
    findSuppressed(tx, account, groups.flat(2)),
  ]);
  if (!isOurs) return 'taken';
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
  await Promise.all([
    insertSharedFiles(tx, account, shared),
    ...emails.flatMap((email, index) => [
      insertEmail(tx, email, facade, key?.keyHash ?? null, shared),
      insertDeliveries(tx, email, { groups: sifted[index] ?? [], isBulk }),
    ]),
  ]);
  countInserted(tx, account, sifted.flat().flatMap(queuedOf));
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

function queuedOf({ clear }: Sifted): { state: 'queued'; recipients: string[] }[] {
  return clear.length === 0 ? [] : [{ state: 'queued', recipients: clear }];
}

async function insertDeliveries(
  tx: Transaction,
  email: Email,
  { groups, isBulk }: { groups: Sifted[]; isBulk: boolean },
): Promise<void> {
  const delivery = {
    account: email.account,
    emailId: email.id,
    runAt: Math.max(email.createdAt, email.scheduledAt ?? 0),
    giveUpAt: expiresAt(email.createdAt, email.scheduledAt),
    policy: inDoubtPolicy(email),
    isBulk,
  };
  let part = 0;
  let isQueued = false;
  for (const group of groups) {
    const { suppressed: withheld } = group;
    for (const queued of queuedOf(group)) {
      isQueued = true;
      await insertUncounted(tx, { ...delivery, ...queued, part: part++ });
    }
    if (withheld.size > 0) part = await insertSuppressed(tx, { ...delivery, runAt: email.createdAt }, withheld, part);
  }
  // For suppressed recipients alone nothing waits for its time.
  if (isQueued && email.scheduledAt !== null && email.scheduledAt > email.createdAt) {
    await appendEvent(tx, email.account, email.id, 'scheduled', email.createdAt, { scheduled_at: email.scheduledAt });
  }
}
