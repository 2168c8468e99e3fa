/** Holds the server to what it told people: done is done, refused has changed nothing, and what nobody knows is one or the other. */

import type { Cancel, Deed, Deeds, DoubtAnswer, Reschedule, SuppressionChange } from './deeds.ts';
import type { KeyUse } from './load.ts';
import type { Asked, Operation } from './operation.ts';
import type { SeenDot, Transaction } from './relay.ts';
import { type StoredEmail, stateOf } from './stored.ts';

/** One email as it was asked for, as it is stored, and as the sink saw it. */
export type Case = {
  operation: Operation;
  asked: Asked;
  email: StoredEmail;
  /** What was seen of a recipient. */
  seen: (recipient: string) => Transaction[];
};

/** By which the clocks of two machines may differ, in milliseconds of the true time: a process asks PostgreSQL for its own. */
const clocksDifferMs = 300;

/** docs/resend.md: a server may remember a key for a second. */
const keyCacheMs = 1_000;

export class ToldChecker {
  readonly #deeds: Deeds;
  /** By what they are about: people do thousands of things in an hour. */
  readonly #cancels: Grouped<Cancel>;
  readonly #reschedules: Grouped<Reschedule>;
  readonly #doubtAnswers: Grouped<DoubtAnswer>;
  readonly #suppressions: Grouped<SuppressionChange>;
  readonly #toleranceMs: number;

  /** `speed` is the lab clock's. */
  constructor(deeds: Deeds, speed: number) {
    this.#deeds = deeds;
    this.#cancels = grouped(deeds.cancels, ({ emails }) => emails);
    this.#reschedules = grouped(deeds.reschedules, ({ email }) => [email]);
    this.#doubtAnswers = grouped(deeds.doubtAnswers, ({ email }) => [email]);
    this.#suppressions = grouped(deeds.suppressions, ({ address }) => [address]);
    this.#toleranceMs = clocksDifferMs * speed;
  }

  check(one: Case): string[] {
    const { id } = one.email;
    const found = [
      ...checkCancels(one, this.#cancels.get(id) ?? []),
      ...this.#checkSchedule(one, this.#reschedules.get(id) ?? []),
      ...checkAnswers(one.email, this.#doubtAnswers.get(id) ?? []),
      ...one.asked.to.flatMap((recipient) => this.#checkSuppression(one, recipient)),
    ];
    return found.map((what) => `${id} ${what}`);
  }

  /** Brevo's batches are called off as one. */
  checkBatches(emails: ReadonlyMap<string, StoredEmail>): string[] {
    const done = this.#deeds.cancels.filter(({ outcome, emails: { length } }) => outcome === 'done' && length > 0);
    const idle = done.filter((cancel) => !cancel.emails.some((id) => emails.get(id)?.deliveries.some(isCanceled)));
    return idle.map(({ emails, said }) => `a cancel of ${emails} was answered ${said}, and nothing of it is canceled`);
  }

  #checkSchedule({ operation, email, asked: { to: recipients }, seen }: Case, asks: Reschedule[]): string[] {
    const found: string[] = [];
    const written = email.events.flatMap(({ type, scheduledAt }) =>
      type === 'scheduled' && scheduledAt ? [scheduledAt] : [],
    );
    for (const ask of asks.filter(isDone)) {
      const times = written.filter((at) => this.#mayMean(ask, at)).length;
      if (times === 0) found.push(`was answered ${ask.said} to ${ask.to}, its log has ${written}`);
    }
    const possible = asks.filter(({ outcome }) => outcome !== 'refused');
    for (const at of written) {
      const isAsked = at === operation.scheduledAt || possible.some((ask) => this.#mayMean(ask, at));
      if (!isAsked) found.push(`moved to ${at}, which nobody was told`);
    }
    // What comes after its own time is sent at once, and nothing moved it.
    const stand: (number | null | undefined)[] = written.length > 0 ? [written.at(-1)] : [operation.scheduledAt, null];
    if (!stand.includes(email.scheduledAt))
      found.push(`is scheduled for ${email.scheduledAt}, and its log says ${stand}`);
    for (const dot of recipients.flatMap((recipient) => dotsOf(seen(recipient), recipient))) {
      const due = dueAt(operation, asks, dot);
      if (dot.labAt < due - this.#toleranceMs) found.push(`left ${due - dot.labAt} ms before its time, ${due}`);
    }
    return found;
  }

  #mayMean({ to, outcome, answeredAt }: Reschedule, at: number): boolean {
    if (at === to) return true;
    return at > to && (outcome === 'unknown' || at <= answeredAt + this.#toleranceMs);
  }

  /** What was put on the list before the mail was asked for, and stayed there, gets none. */
  #checkSuppression({ operation, email, seen }: Case, recipient: string): string[] {
    const changes = this.#suppressions.get(recipient) ?? [];
    const state = stateOf(email, recipient);
    if (isListed(changes, operation)) {
      const dots = dotsOf(seen(recipient), recipient).length;
      return state === 'suppressed' && dots === 0
        ? []
        : [`is ${state} for ${recipient}, who was suppressed, with ${dots} dots`];
    }
    const isPossible = changes.some(({ kind, outcome }) => kind === 'add' && outcome !== 'refused');
    return state === 'suppressed' && !isPossible ? [`is suppressed for ${recipient}, whom nobody suppressed`] : [];
  }
}

type Grouped<T> = ReadonlyMap<string, T[]>;

function grouped<T>(all: readonly T[], keysOf: (one: T) => readonly string[]): Grouped<T> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    for (const key of new Set(keysOf(one))) {
      const group = groups.get(key);
      if (group) group.push(one);
      else groups.set(key, [one]);
    }
  }
  return groups;
}

/** By the operation's first wish, and by what was asked since; where the order of some is unknown, the earliest. */
function dueAt({ scheduledAt }: Operation, asks: Reschedule[], { at }: SeenDot): number {
  const done = asks.filter((ask) => isDone(ask) && ask.endedAt < at);
  const last = Math.max(...done.map(({ begunAt }) => begunAt));
  const counting = asks.filter((ask) => ask.outcome === 'unknown' || (isDone(ask) && ask.endedAt >= last));
  const times = counting.map(({ to }) => to);
  return Math.min(...times, ...(done.length > 0 ? [] : [scheduledAt ?? 0]));
}

function checkCancels({ email, asked, seen }: Case, asks: Cancel[]): string[] {
  const found: string[] = [];
  const canceled = email.deliveries.filter(isCanceled).flatMap(({ recipients }) => recipients);
  const mayBe = asks.filter(({ outcome }) => outcome !== 'refused');
  if (canceled.length > 0 && mayBe.length === 0) found.push(`is canceled, and people were told ${said(asks)}`);
  const alone = asks.find((ask) => isDone(ask) && ask.emails.length === 1);
  if (alone && canceled.length === 0) found.push(`was to be canceled and is not, and people were told ${said(asks)}`);
  const told = email.events
    .filter(({ type }) => type === 'canceled')
    .flatMap(({ recipients }) => recipients ?? asked.to);
  if ([...told].sort().join() !== [...canceled].sort().join())
    found.push(`is canceled for ${canceled}, its log says ${told}`);
  const answeredAt = Math.min(...asks.filter(isDone).map(({ endedAt }) => endedAt));
  for (const recipient of canceled) {
    const transactions = seen(recipient);
    if (transactions.some((one) => one.taken && one.to.includes(recipient)))
      found.push(`is canceled, and left for ${recipient}`);
    if (dotsOf(transactions, recipient).some(({ at }) => at > answeredAt))
      found.push(`left for ${recipient} after it was canceled`);
  }
  return found;
}

/** One event for each answer that was taken, and none for one that was not. */
function checkAnswers(email: StoredEmail, asks: DoubtAnswer[]): string[] {
  const found: string[] = [];
  for (const state of ['sent', 'queued', 'failed'] as const) {
    const own = asks.filter((ask) => ask.state === state);
    const done = own.filter(isDone).length;
    const most = done + own.filter(({ outcome }) => outcome === 'unknown').length;
    const written = email.events.filter(({ type, by }) => type === state && by === 'operator').length;
    if (written < done || written > most) {
      found.push(`was ${state} by ${written} operators, and they were told ${said(asks)}`);
    }
  }
  return found;
}

/** Surely on the list all the time in which the mail may have been accepted. */
function isListed(changes: SuppressionChange[], { begunAt, answeredAt }: Operation): boolean {
  const added = changes.find((change) => change.kind === 'add' && isDone(change) && change.endedAt < begunAt);
  const isRemoved = (change: SuppressionChange) =>
    change.kind === 'remove' &&
    change.outcome !== 'refused' &&
    change.begunAt < (answeredAt ?? Number.POSITIVE_INFINITY);
  return added !== undefined && !changes.some(isRemoved);
}

/** Nothing is taken under a key once a second has passed since somebody was told that it is revoked; before, everything is. */
export function checkKeys({ revocations }: Deeds, uses: KeyUse[]): string[] {
  const found: string[] = [];
  for (const { token, begunAt, answeredAt, isTaken } of uses) {
    const revoked = revocations.find((one) => one.token === token);
    const shown = `a key of people`;
    if (isTaken && revoked && isDone(revoked) && begunAt > revoked.endedAt + keyCacheMs) {
      found.push(`${shown} was taken ${Math.round(begunAt - revoked.endedAt)} ms after it was revoked`);
    }
    if (!isTaken && (!revoked || answeredAt < revoked.begunAt))
      found.push(`${shown} was refused before it was revoked`);
  }
  return found;
}

function dotsOf(transactions: Transaction[], recipient: string): SeenDot[] {
  return transactions.flatMap(({ dot, to }) => (dot && to.includes(recipient) ? [dot] : []));
}

function isDone({ outcome }: Deed): boolean {
  return outcome === 'done';
}

function isCanceled({ state }: { state: string }): boolean {
  return state === 'canceled';
}

function said(asks: Deed[]): string {
  return asks.map((ask) => ask.said).join('; ') || 'nothing';
}
