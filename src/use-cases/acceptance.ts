/** What one transaction writes when a submission is accepted: the key with the answer, the emails, their deliveries. */

import type { Email } from '../core/email.ts';
import { inDoubtPolicy } from '../core/envelope.ts';
import { expiresAt } from '../core/retry.ts';
import type { Transaction } from '../store/database.ts';
import { type KeyRecord, takeKey } from '../store/idempotency.ts';
import { countInserted, insertUncounted } from '../store/mail/deliveries.ts';
import { insertEmail } from '../store/mail/emails.ts';
import { appendEvent } from '../store/mail/events.ts';
import { insertSuppressed, type Sifted, sift } from '../store/mail/suppressed.ts';
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
};

/** False: another request holds the key at `expiryNow`, and nothing was written. */
export async function insertAcceptance(tx: Transaction, acceptance: Acceptance, expiryNow: number): Promise<boolean> {
  const { facade, account, key, emails, groups } = acceptance;
  // Asked in one breath, which over a network is one way there and back.
  const [isOurs, suppressed] = await Promise.all([
    key ? takeKey(tx, key, expiryNow) : true,
    findSuppressed(tx, account, groups.flat(2)),
  ]);
  if (!isOurs) return false;
  const sifted = emails.map((_, index) => (groups[index] ?? []).map((group) => sift(group, suppressed)));
  await Promise.all([
    ...emails.flatMap((email, index) => [
      insertEmail(tx, email, facade, key?.keyHash ?? null),
      insertDeliveries(tx, email, sifted[index] ?? []),
    ]),
    countInserted(tx, account, sifted.flat().flatMap(queuedOf)),
  ]);
  return true;
}

function queuedOf({ clear }: Sifted): { state: 'queued'; recipients: string[] }[] {
  return clear.length === 0 ? [] : [{ state: 'queued', recipients: clear }];
}

async function insertDeliveries(tx: Transaction, email: Email, groups: Sifted[]): Promise<void> {
  const delivery = {
    account: email.account,
    emailId: email.id,
    runAt: Math.max(email.createdAt, email.scheduledAt ?? 0),
    giveUpAt: expiresAt(email.createdAt, email.scheduledAt),
    policy: inDoubtPolicy(email),
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
