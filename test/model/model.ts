/** The specification of what clients and operators do: accept, amend, doubt, suppress, subscribe, purge, and the keys they leave. */

import { groupRecipients, inDoubtPolicy } from '../../src/core/envelope.ts';
import { AppError } from '../../src/core/error.ts';
import type { FactType } from '../../src/core/event.ts';
import { ownWords } from '../../src/core/reply.ts';
import { expiresAt } from '../../src/core/retry.ts';
import { type DeliveryRef, never } from '../../src/store/mail/deliveries.ts';
import type { DoubtAnswer } from '../../src/store/mail/doubt.ts';
import type { EmailToCompare } from '../../src/store/mail/email-to-compare.ts';
import type { SendRequest, StoredAnswer, Submission } from '../../src/use-cases/submission.ts';
import type { AnswerOf } from './coverage.ts';
import type { ModelDelivery, ModelEmail, ModelKey, ModelWebhook } from './room.ts';
import { isIn, refOf, Workers } from './workers.ts';

/** The model's own endpoints compare at once, and without any help. */
const comparing = { now: 0, rendering: null as never };

const dayMs = 24 * 60 * 60_000;

/** Of an account. */
export const webhooksMax = 40;

export type Accepted = { kind: string; status: number; body: string; fields?: string[] | null };
export type ModelAnswered = { isSettled: boolean; state: string | null; attempt?: number };
/** The attempt that an answer left behind. */
export type SentAgain = { ref: DeliveryRef; attempt: number };
export type EmailRef = { account: string; emailId: string };

/** Names are given in order, by the model and by each engine alike. */
export function idOf(count: number): string {
  return `00000000-0000-7000-8000-${String(count).padStart(12, '0')}`;
}

export class Model extends Workers {
  /** What operators have had sent again, the newest last. */
  sentAgain: SentAgain[] = [];
  #ids = 0;
  /** Uses of keys that are not written yet. */
  #uses = new Map<string, { replays: number; conflicts: number }>();

  accept(request: SendRequest, submission: Submission | null): Accepted {
    const name = request.key === null ? null : `${request.account} ${scopeOf(request)} ${request.key}`;
    const known = name === null ? undefined : this.keys.get(name);
    if (name !== null && known && known.expiresAt > this.now) return this.#again(name, known, request);
    if (submission === null) {
      this.coverage.answered('accept', 'invalid');
      throw new AppError('invalid_field', 'No.');
    }
    if (known && submission.messages.length > 0) this.coverage.answered('accept', 'expired');
    return { kind: 'accepted', ...this.#commit(name, request, submission) };
  }

  #again(name: string, key: ModelKey, request: SendRequest): Accepted {
    const { status, body } = key;
    const uses = this.#uses.get(name) ?? { replays: 0, conflicts: 0 };
    this.#uses.set(name, uses);
    if (key.request === JSON.stringify(request.json)) {
      uses.replays += 1;
      this.coverage.answered('accept', 'replay');
      return { kind: 'replay', status, body };
    }
    uses.conflicts += 1;
    const emails = key.emailIds.map((id) => this.emailOf(key.account, id));
    const { differences } = request.endpoint;
    const isTold = differences !== null && emails.every((one) => one && !one.isPurged);
    this.coverage.answered('accept', isTold ? 'conflict' : 'conflict unexplained');
    const stored = emails.map(
      (one) => ({ ...one?.message, scheduledAt: one?.scheduledAt ?? null }) as unknown as EmailToCompare,
    );
    return {
      kind: 'conflict',
      status,
      body,
      fields: isTold ? (differences(stored, request, comparing) as string[]) : null,
    };
  }

  #commit(name: string | null, request: SendRequest, { messages, answer }: Submission): StoredAnswer {
    this.coverage.answered('accept', messages.length > 0 ? 'accepted' : 'nothing');
    if (messages.length === 0) return answer([]);
    const { account, endpoint } = request;
    const emails = messages.map((message): ModelEmail => {
      const { scheduledAt } = message;
      const more = { createdAt: this.now, scheduledAt, key: name, isPurged: false, forgotten: null };
      return { account, id: idOf(this.#ids++), message, ...more };
    });
    const stored = answer(emails.map(({ id }) => ({ id, messageId: `<${id}@example.org>` })));
    if (name !== null) {
      const { lifetimeMs, followsSchedule } = endpoint.keyTerms;
      const times = followsSchedule ? emails.map((one) => one.scheduledAt ?? 0) : [];
      this.keys.set(name, {
        account,
        scope: scopeOf(request),
        ...stored,
        request: JSON.stringify(request.json),
        emailIds: emails.map((one) => one.id),
        createdAt: this.now,
        expiresAt: Math.max(this.now, ...times) + lifetimeMs,
        replays: 0,
        conflicts: 0,
      });
    }
    for (const email of emails) this.#queue(email, emails.length > 1);
    return stored;
  }

  #queue(email: ModelEmail, isBulk: boolean): void {
    const { account, id: emailId, message, createdAt, scheduledAt } = email;
    this.emails.push(email);
    const terms = { account, emailId, policy: inDoubtPolicy(message), giveUpAt: expiresAt(createdAt, scheduledAt) };
    let isQueued = false;
    for (const group of groupRecipients(message)) {
      const recipients = group.filter((one) => this.originOf(account, one) === null);
      const runAt = Math.max(createdAt, scheduledAt ?? 0);
      if (recipients.length > 0) this.insert({ ...terms, recipients, runAt, state: 'queued', reply: null, isBulk });
      isQueued ||= recipients.length > 0;
      this.insertSuppressed(terms, this.byOrigin(account, group), createdAt);
    }
    const waits = scheduledAt !== null && scheduledAt > createdAt;
    if (isQueued && waits) this.tell(account, emailId, 'scheduled', { scheduled_at: scheduledAt });
  }

  emailOf(account: string, id: string): ModelEmail | undefined {
    return this.emails.find((one) => one.account === account && one.id === id);
  }

  cancel(ref: EmailRef): void {
    const [kind, error] = this.#cancel(ref);
    this.coverage.answered('cancel', kind);
    if (error) throw error;
  }

  #cancel(ref: EmailRef): [AnswerOf<'cancel'>, AppError?] {
    if (!this.emailOf(ref.account, ref.emailId)) return ['not_found', notFound()];
    if (this.move('cancel', ref, { runAt: this.now })) return ['canceled'];
    if (this.partsOf(ref).some(isIn('canceled'))) return ['again'];
    return this.#tooLate('canceled', ref, this.#lastEvent(ref)) as [AnswerOf<'cancel'>, AppError];
  }

  reschedule(ref: EmailRef, at: number, lifetimeMs: number): void {
    this.undoneIfThrown(() => {
      const email = this.emailOf(ref.account, ref.emailId);
      if (!email) {
        this.coverage.answered('reschedule', 'not_found');
        throw notFound();
      }
      // As it was before any part moved.
      const lastEvent = this.#lastEvent(ref);
      const terms = { runAt: at, giveUpAt: expiresAt(email.createdAt, at), detail: { scheduled_at: at } };
      const moved = this.move('reschedule', ref, terms) ?? [];
      const wanted = this.partsOf(ref).filter((one) => !isIn('suppressed')(one));
      if (moved.length === 0 || moved.length < wanted.length) {
        const [kind, error] = this.#tooLate('rescheduled', ref, lastEvent);
        this.coverage.answered('reschedule', moved.length > 0 ? 'half' : kind);
        throw error;
      }
      this.coverage.answered('reschedule', 'moved');
      email.scheduledAt = at;
      this.#moveKey(email.key, lifetimeMs);
    });
  }

  /** It lives on from the last mail it names; what has expired stays so. */
  #moveKey(name: string | null, lifetimeMs: number): void {
    const key = name === null ? undefined : this.keys.get(name);
    if (!key) return;
    this.coverage.answered('key of a rescheduled mail', key.expiresAt > this.now ? 'moved' : 'expired');
    if (key.expiresAt <= this.now) return;
    const times = key.emailIds.map((id) => this.emailOf(key.account, id)?.scheduledAt ?? 0);
    key.expiresAt = Math.max(key.createdAt, ...times) + lifetimeMs;
  }

  #lastEvent({ emailId }: EmailRef): FactType {
    return this.events.findLast((one) => one.about === emailId)?.type ?? 'queued';
  }

  #tooLate(what: string, ref: EmailRef, lastEvent: FactType): [AnswerOf<'reschedule'>, AppError] {
    const parts = this.partsOf(ref);
    const isUnscheduled = lastEvent === 'scheduled' || lastEvent === 'queued';
    const status = parts.some(isIn('suppressed')) && isUnscheduled ? 'suppressed' : lastEvent;
    const reasons: [AnswerOf<'reschedule'>, boolean, string][] = [
      ['in_doubt', parts.some(isIn('in_doubt')), 'it was handed over to the relay, whose answer is not known'],
      ['handoff', parts.some(isIn('handoff')), 'it is being handed over to the relay right now'],
      ['sent', parts.some(isIn('sent', 'delivered')), 'it has already been sent'],
      ['seen', parts.some(isIn('queued', 'sending')), 'the relay has seen it already; it is being tried again'],
      ['canceled', parts.some(isIn('canceled')), 'it has been canceled'],
      ['not sent', true, `it was not sent; its status is \`${status}\``],
    ];
    const [kind, , words] = reasons.find(([, holds]) => holds) ?? ['not sent', true, ''];
    const extra = { last_event: lastEvent, ...(parts.some(isIn('in_doubt')) ? { in_doubt: true } : {}) };
    return [kind, new AppError('invalid_field', `The email cannot be ${what}: ${words}.`, { extra })];
  }

  answerDoubt(ref: DeliveryRef, answer: DoubtAnswer, waitMs = 0): ModelAnswered {
    const [one] = this.partsOf(ref);
    const reply = {
      sent: 'An operator said it was sent.',
      'send-again': 'An operator had it sent again.',
      abandon: 'An operator gave it up.',
    }[answer];
    const isAgain = answer === 'send-again';
    const scheduledAt = isAgain ? this.emailOf(ref.account, ref.emailId)?.scheduledAt : null;
    const at = Math.max(this.now + (isAgain ? waitMs : 0), scheduledAt ?? 0);
    const edge = ({ sent: 'answer_sent', 'send-again': 'answer_send_again', abandon: 'answer_abandon' } as const)[
      answer
    ];
    const moved = this.move(edge, ref, { runAt: at, heldUntil: at, reply: ownWords(reply) });
    this.coverage.answered('answer doubt', moved ? 'settled' : one ? 'too late' : 'none');
    if (moved && one && isAgain) this.sentAgain.push({ ref: refOf(one), attempt: one.row.attempt });
    return answeredAs(one, moved !== null);
  }

  takeAnswerBack({ ref, attempt }: SentAgain): ModelAnswered {
    const [one] = this.partsOf(ref);
    const doubt = this.events.findLast(
      ({ about, detail }) =>
        about === ref.emailId && detail.in_doubt && !detail.by && detail.recipients?.join() === one?.recipients.join(),
    );
    const before = doubt?.detail.reply ? ` Before: ${doubt.detail.reply}` : '';
    const reply = ownWords(`An operator took “send it again” back before it left.${before}`);
    const terms = { runAt: never, heldAgain: this.now, reply, fence: attempt };
    const moved = this.move('answer_taken_back', ref, terms);
    this.coverage.answered('take an answer back', moved ? 'taken back' : 'too late');
    return answeredAs(one, moved !== null);
  }

  answerAll(answer: DoubtAnswer): number {
    const all = this.deliveries.filter(isIn('in_doubt'));
    for (const one of all) this.answerDoubt(refOf(one), answer);
    this.coverage.answered('answer all doubts', all.length > 0 ? 'some' : 'none');
    return all.length;
  }

  hold(reason: string): number {
    const all = this.deliveries.filter(
      (one) => isIn('queued', 'sending', 'handoff')(one) || (isIn('in_doubt')(one) && one.runAt < never),
    );
    for (const one of all) this.move('hold', one, { runAt: never, reply: ownWords(reason), fence: one.row.attempt });
    const mayBePutOff = ({ row: { attempt, handoffAttempt } }: ModelDelivery) =>
      handoffAttempt !== null && attempt <= handoffAttempt + 1;
    for (const one of this.deliveries.filter(isIn('in_doubt')).filter(mayBePutOff)) {
      this.move('hold_doubt', one, { fence: one.row.attempt });
    }
    this.coverage.answered('hold', all.length > 0 ? 'some' : 'none');
    return all.length;
  }

  addSuppressions(account: string, addresses: string[]): unknown[] {
    return addresses.map((address) => {
      const made = this.suppress({
        account,
        address,
        origin: 'manual',
        sourceId: null,
        reply: null,
        createdAt: this.now,
      });
      this.coverage.answered('suppress', made ? 'made' : 'known');
      return this.suppressions.find((one) => one.account === account && one.address === address);
    });
  }

  removeSuppression(account: string, address: string): unknown {
    const [removed = null] = this.unsuppress(account, (one) => one.address === address);
    this.coverage.answered('unsuppress', removed ? 'removed' : 'unknown');
    return removed;
  }

  removeBounces(account: string, from: number): void {
    const removed = this.unsuppress(
      account,
      (one) => one.origin === 'bounce' && one.createdAt >= from && one.createdAt < this.now,
    );
    this.coverage.answered('unsuppress bounces', removed.length > 0 ? 'some' : 'none');
  }

  makeWebhook(wanted: Pick<ModelWebhook, 'account' | 'id' | 'url' | 'subjects' | 'perRecipient'>): string | null {
    const known = this.webhooks.find((one) => one.id === wanted.id);
    const isOwn = known?.account === wanted.account;
    const isFull =
      this.webhooks.filter((one) => one.account === wanted.account && !one.isDeleted).length >= webhooksMax;
    // Whose id it is nobody is told who has too many.
    const isGone = known && (known.isDeleted || (!isOwn && !isFull));
    const again = isOwn ? 'again' : isFull ? 'too many' : 'made';
    this.coverage.answered('make webhook', isGone ? 'gone' : again);
    if (isGone) throw new AppError('already_exists', 'The webhook that was made with this id is gone.');
    if (again === 'too many') return null;
    if (again === 'again') return wanted.id;
    this.webhooks.push({ ...wanted, enabled: true, isDeleted: false, modifiedAt: this.now });
    return wanted.id;
  }

  changeWebhook(id: string, change: Partial<Pick<ModelWebhook, 'enabled' | 'subjects' | 'perRecipient'>>): boolean {
    const webhook = this.#living(id);
    this.coverage.answered('change webhook', webhook ? 'changed' : 'gone');
    if (webhook) Object.assign(webhook, { ...change, modifiedAt: this.now });
    return webhook !== undefined;
  }

  rotateSecret(id: string): boolean {
    const webhook = this.#living(id);
    this.coverage.answered('rotate secret', webhook ? 'rotated' : 'gone');
    if (webhook) webhook.modifiedAt = this.now;
    return webhook !== undefined;
  }

  deleteWebhook(id: string): boolean {
    const webhook = this.#living(id);
    this.coverage.answered('delete webhook', webhook ? 'deleted' : 'gone');
    if (webhook) Object.assign(webhook, { isDeleted: true, enabled: false });
    return webhook !== undefined;
  }

  #living(id: string): ModelWebhook | undefined {
    return this.webhooks.find((one) => one.id === id && !one.isDeleted);
  }

  collectKeys(): number {
    const expired = [...this.keys].filter(([, key]) => key.expiresAt <= this.now);
    for (const [name] of expired) this.keys.delete(name);
    this.coverage.answered('collect keys', expired.length > 0 ? 'some' : 'none');
    return expired.length;
  }

  flushKeyUses(): void {
    for (const [name, uses] of this.#uses) {
      const key = this.keys.get(name);
      this.coverage.answered('flush key uses', key ? 'some' : 'gone');
      if (!key) continue;
      key.replays += uses.replays;
      key.conflicts += uses.conflicts;
    }
    this.#uses.clear();
  }

  purgeLog(ref: EmailRef, address: string | null): boolean {
    const email = this.emailOf(ref.account, ref.emailId);
    if (!email) {
      this.coverage.answered('purge log', 'missing');
      return false;
    }
    if (this.#isOpen(email)) {
      this.coverage.answered('purge log', 'open');
      return false;
    }
    const gone = email.forgotten ?? [];
    const shown = [...new Set(email.message.to.map((one) => one.toLowerCase()))].filter((one) => !gone.includes(one));
    const leaving = shown.filter((one) => address === null || one === address);
    email.forgotten = [...gone, ...leaving];
    const isLast = leaving.length === shown.length;
    this.coverage.answered('purge log', isLast ? 'last' : 'one of them');
    email.isPurged ||= isLast;
    return true;
  }

  purge(): number {
    const old = this.emails.filter((one) => one.createdAt < this.now - dayMs && !one.isPurged && !this.#isOpen(one));
    for (const one of old) one.isPurged = true;
    this.coverage.answered('purge', old.length > 0 ? 'some' : 'none');
    return old.length;
  }

  #isOpen({ account, id }: ModelEmail): boolean {
    return this.partsOf({ account, emailId: id }).some(isIn('queued', 'sending', 'handoff', 'in_doubt'));
  }
}

function scopeOf({ endpoint }: SendRequest): string {
  return `${endpoint.facade} ${endpoint.name}`;
}

function notFound(): AppError {
  return new AppError('not_found', 'Email not found');
}

function answeredAs(one: ModelDelivery | undefined, isSettled: boolean): ModelAnswered {
  if (!one) return { isSettled, state: null };
  const { state, attempt } = one.row;
  return isSettled ? { isSettled, state, attempt } : { isSettled, state };
}
