/** What may still be changed about an accepted email: cancel and reschedule, both only until its gate. */

import type { Clock } from '../core/clock.ts';
import type { DeliveryState } from '../core/delivery-state.ts';
import { AppError } from '../core/error.ts';
import type { EventType } from '../core/event.ts';
import { expiresAt } from '../core/retry.ts';
import type { Database, Transaction } from '../store/database.ts';
import { findKey, moveExpiry } from '../store/idempotency.ts';
import { cancelDeliveries, listStates, rescheduleDeliveries } from '../store/mail/amend.ts';
import { type EmailSummary, findEmailSummary, rescheduleEmail } from '../store/mail/emails.ts';
import { refuseWhileHolding } from '../store/went-back.ts';
import { type KeyTerms, keyLifetimeMs } from './submission.ts';

export type Amend = {
  /** A repeated cancel succeeds again. @throws AppError `not_found`, or `invalid_field` when it is too late. */
  cancel(account: string, emailId: string): Promise<void>;
  /** @throws AppError `not_found`, or `invalid_field` when it was canceled or is too late. */
  reschedule(account: string, emailId: string, to: { at: number; text: string; keyTerms: KeyTerms }): Promise<void>;
};

/** `wantedKeyMs`: what an operator wants keys to live at least; null: what each endpoint says. */
export function createAmend(
  database: Database,
  clock: Clock,
  onQueued: () => void,
  wantedKeyMs: number | null = null,
): Amend {
  return {
    async cancel(account, emailId) {
      await database.write(async (tx) => {
        await refuseWhileHolding(tx);
        const email = await existing(tx, account, emailId);
        if (await cancelDeliveries(tx, { account, emailId }, clock.now())) return;
        const states = await listStates(tx, { account, emailId });
        if (!states.includes('canceled')) throw tooLate('canceled', email, states);
      });
      onQueued();
    },

    async reschedule(account, emailId, to) {
      await database.write(async (tx) => {
        await refuseWhileHolding(tx);
        const email = await existing(tx, account, emailId);
        const terms = { runAt: to.at, giveUpAt: expiresAt(email.createdAt, to.at), now: clock.now() };
        const isMoved = await rescheduleDeliveries(tx, { account, emailId }, terms);
        if (!isMoved) throw tooLate('rescheduled', email, await listStates(tx, { account, emailId }));
        await rescheduleEmail(tx, email, to.at, to.text);
        const { keyHash } = email;
        const lifetimeMs = keyLifetimeMs(to.keyTerms, wantedKeyMs);
        if (keyHash) await moveKey(tx, account, keyHash, { now: clock.expiryNow(), lifetimeMs });
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

/** By the deliveries as they are: the last event may be older than what happens to them right now. */
function tooLate(what: 'canceled' | 'rescheduled', email: EmailSummary, states: DeliveryState[]): AppError {
  return new AppError('invalid_field', `The email cannot be ${what}: ${whyTooLate(email, states)}.`, {
    extra: { last_event: email.lastEvent, ...(states.includes('in_doubt') ? { in_doubt: true } : {}) },
  });
}

function whyTooLate({ lastEvent }: EmailSummary, states: DeliveryState[]): string {
  const isAny = (...some: DeliveryState[]) => states.some((state) => some.includes(state));
  if (isAny('in_doubt')) return 'it was handed over to the relay, whose answer is not known';
  if (isAny('handoff')) return 'it is being handed over to the relay right now';
  if (isAny('sent', 'delivered')) return 'it has already been sent';
  if (isAny('queued', 'sending')) return 'the relay has seen it already; it is being tried again';
  if (isAny('canceled')) return 'it has been canceled';
  return `it was not sent; its status is \`${states.includes('suppressed') ? suppressedOr(lastEvent) : lastEvent}\``;
}

/** An email that is only for suppressed recipients was never scheduled, whatever an older version has noted. */
function suppressedOr(lastEvent: EventType): EventType {
  return lastEvent === 'scheduled' || lastEvent === 'queued' ? 'suppressed' : lastEvent;
}

/**
 * The key lives on from the last mail it names: moving one mail may move it either way, never before its first day.
 * An expired one stays expired: whether its row was collected yet must not decide anything.
 */
async function moveKey(
  tx: Transaction,
  account: string,
  keyHash: Uint8Array,
  { now, lifetimeMs }: { now: number; lifetimeMs: number },
): Promise<void> {
  const key = await findKey(tx, account, keyHash);
  if (!key || key.expiresAt <= now) return;
  let last = key.createdAt;
  for (const id of key.emailIds) {
    const email = await findEmailSummary(tx, account, id);
    last = Math.max(last, email?.scheduledAt ?? 0);
  }
  await moveExpiry(tx, account, keyHash, last + lifetimeMs);
}
