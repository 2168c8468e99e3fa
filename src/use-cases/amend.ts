/** What may still be changed about an accepted email: cancel and reschedule, both only until its gate. */

import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/error.ts';
import { expiresAt } from '../core/retry.ts';
import type { Database, Transaction } from '../store/database.ts';
import { findKey, moveExpiry } from '../store/idempotency.ts';
import { type EmailSummary, findEmailSummary, rescheduleEmail } from '../store/mail/emails.ts';
import { cancelEmail, rescheduleDeliveries } from '../store/mail/holds.ts';
import type { KeyTerms } from './submission.ts';

export type Amend = {
  /** A repeated cancel succeeds again. @throws AppError `not_found`, or `invalid_field` when it is too late. */
  cancel(account: string, emailId: string): Promise<void>;
  /** @throws AppError `not_found`, or `invalid_field` when it was canceled or is too late. */
  reschedule(account: string, emailId: string, to: { at: number; text: string }): Promise<void>;
};

export type AmendOptions = {
  database: Database;
  clock: Clock;
  /** Told after a commit that queued something. */
  onQueued: () => void;
  /** By the scope of the key; null where its endpoint is none that is known. */
  keyTermsOf: (scope: string) => KeyTerms | null;
};

export function createAmend({ database, clock, onQueued, keyTermsOf }: AmendOptions): Amend {
  return {
    async cancel(account, emailId) {
      await database.write(async (tx) => {
        const email = await existing(tx, account, emailId);
        if (!(await cancelEmail(tx, account, emailId, clock.now()))) throw tooLate('canceled', email);
      });
    },

    async reschedule(account, emailId, to) {
      await database.write(async (tx) => {
        const email = await existing(tx, account, emailId);
        const now = clock.now();
        const terms = { runAt: to.at, giveUpAt: expiresAt(email.createdAt, to.at), now };
        if (!(await rescheduleDeliveries(tx, account, emailId, terms))) throw tooLate('rescheduled', email);
        await rescheduleEmail(tx, email, to.at, to.text);
        const { keyHash } = email;
        if (keyHash) await moveKey(tx, account, keyHash, { now: clock.expiryNow(), keyTermsOf });
      });
      onQueued();
    },
  };
}

async function existing(tx: Transaction, account: string, emailId: string): Promise<EmailSummary> {
  const email = await findEmailSummary(tx, account, emailId);
  if (!email) throw new AppError('not_found', 'Email not found');
  return email;
}

function tooLate(what: 'canceled' | 'rescheduled', email: EmailSummary): AppError {
  return new AppError('invalid_field', `The email cannot be ${what}: ${whyTooLate(email)}.`, {
    extra: { last_event: email.lastEvent, ...(email.inDoubt ? { in_doubt: true } : {}) },
  });
}

function whyTooLate(email: EmailSummary): string {
  if (email.inDoubt) return 'it was handed over to the relay, whose answer is not known';
  switch (email.lastEvent) {
    case 'canceled':
      return 'it has been canceled';
    case 'suppressed':
    case 'bounced':
    case 'failed':
      return `it was not sent; its status is \`${email.lastEvent}\``;
    case 'sent':
    case 'delivered':
    case 'complained':
      return 'it has already been sent';
    case 'queued':
    case 'scheduled':
      return 'it is being handed over to the relay right now';
    case 'delivery_delayed':
      return 'the relay has seen it already; it is being tried again';
    default:
      return email.lastEvent satisfies never;
  }
}

/**
 * Where keys follow the schedule, one lives on from the last mail it names: moving a mail may move it either way, never before
 * what it would have had without a schedule.
 * An expired one stays expired: whether its row was collected yet must not decide anything.
 */
async function moveKey(
  tx: Transaction,
  account: string,
  keyHash: Uint8Array,
  { now, keyTermsOf }: { now: number } & Pick<AmendOptions, 'keyTermsOf'>,
): Promise<void> {
  const key = await findKey(tx, account, keyHash);
  if (!key || key.expiresAt <= now) return;
  const terms = keyTermsOf(key.scope);
  if (!terms?.followsSchedule) return;
  let last = key.createdAt;
  for (const id of key.emailIds) {
    const email = await findEmailSummary(tx, account, id);
    last = Math.max(last, email?.scheduledAt ?? 0);
  }
  await moveExpiry(tx, account, keyHash, last + terms.lifetimeMs);
}
