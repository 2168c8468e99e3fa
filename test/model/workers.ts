/** The specification of what workers do: claims, gates, verdicts, and what is taken back from the dead. */

import type { TestOutcome } from '../../src/core/address.ts';
import type { EdgeName } from '../../src/core/delivery.ts';
import { type EnvelopeReply, isPermanent, type RecipientReply } from '../../src/core/outcome.ts';
import type { Tried } from '../../src/core/passed-over.ts';
import { ownWords, type Reply, simulatedBounce } from '../../src/core/reply.ts';
import { type SuppressionOrigin, whySuppressed } from '../../src/core/suppression.ts';
import {
  type Delivery,
  type DeliveryRef,
  handoffMs,
  type InDoubtPolicy,
  never,
} from '../../src/store/mail/deliveries.ts';
import { verdictWaitMs } from '../../src/store/mail/recover.ts';
import { type ModelDelivery, Room, type Terms } from './room.ts';

export const leaseMs = 60_000;
export const deadAfterMs = 15_000;
const workersForgottenAfterMs = 24 * 60 * 60_000;

/** One answer a recipient of an envelope. */
type Refusals = { refused: RecipientReply[]; isOneReply: boolean };

type Again = { retryAt: number; tried: Tried };

export class Workers extends Room {
  /** What workers were given, the newest last; much of it is not theirs any more. */
  held: Delivery[] = [];

  /** As many as asked for, and those that are due at the same moment as the last of them: no order is promised among those. */
  dueOf(account: string, limit: number): ModelDelivery[] {
    const due = this.deliveries
      .filter((one) => one.account === account && one.row.state === 'queued' && one.runAt <= this.now)
      .sort((a, b) => a.runAt - b.runAt);
    // How those of a batch and the others share a claim is not this model's business: both are taken, or there is one kind only.
    if (due.some((one) => one.isBulk) && due.some((one) => !one.isBulk)) return due;
    const last = due[limit - 1]?.runAt ?? Number.POSITIVE_INFINITY;
    return due.filter((one) => one.runAt <= last);
  }

  accountsWithDue(): string[] {
    const isDue = (one: ModelDelivery) => one.row.state === 'queued' && one.runAt <= this.now;
    return [...new Set(this.deliveries.filter(isDue).map((one) => one.account))].sort();
  }

  claim(account: string, worker: string, limit: number): Delivery[] {
    const claimed = this.dueOf(account, limit).map((one) => {
      this.move('claim', one, { worker, runAt: this.now + leaseMs, fence: one.row.attempt });
      return this.claimed(one);
    });
    this.coverage.answered('claim', claimed.length > 0 ? 'some' : 'none');
    if (claimed.some((one) => one.boundTo)) this.coverage.answered('claim', 'bound');
    this.held.push(...claimed);
    return claimed;
  }

  markAlone(edge: 'try_alone' | 'composed_alone' | 'harmless', held: Delivery): boolean {
    return this.move(edge, held, { fence: held.attempt }) !== null;
  }

  handBack(held: Delivery): void {
    this.move('hand_back', held, { runAt: this.now, fence: held.attempt });
  }

  wait(held: Delivery, waitsFor: string, runAt: number): boolean {
    return this.move('wait', held, { runAt, waitsFor, fence: held.attempt }) !== null;
  }

  release(waitsFor: string): number {
    const waiting = this.deliveries.filter((one) => one.row.state === 'queued' && one.waitsFor === waitsFor);
    for (const one of waiting) this.move('release', one, { runAt: this.now, fence: one.row.attempt });
    this.coverage.answered('release', waiting.length > 0 ? 'some' : 'none');
    return waiting.length;
  }

  waitedFor(): string[] {
    const all = this.deliveries.filter((one) => one.row.state === 'queued').flatMap(({ waitsFor }) => waitsFor ?? []);
    return [...new Set(all)].sort();
  }

  handBackForgotten(worker: string, known: readonly DeliveryRef[]): number {
    const isKnown = (one: ModelDelivery) =>
      known.some(({ emailId, part }) => one.emailId === emailId && one.part === part);
    const forgotten = this.deliveries.filter(
      (one) => one.row.state === 'sending' && one.worker === worker && !isKnown(one),
    );
    for (const one of forgotten) this.move('forgotten', one, { runAt: this.now, fence: one.row.attempt });
    this.coverage.answered('forgotten claims', forgotten.length > 0 ? 'some' : 'none');
    return forgotten.length;
  }

  /** Who is left of its recipients. Null: nobody is suppressed. False: it is somebody else's. */
  sift(held: Delivery): { clear: string[] } | null | false {
    const { account, recipients } = held;
    const withheld = this.byOrigin(account, recipients);
    const clear = recipients.filter((one) => this.originOf(account, one) === null);
    if (withheld.size === 0) {
      this.coverage.answered('sift', 'nobody');
      return null;
    }
    const others = [...withheld];
    const [own] = clear.length === 0 ? others.splice(0, 1) : [];
    const fence = held.attempt;
    const moved = own
      ? this.move('suppress', held, {
          runAt: this.now,
          reply: ownWords(whySuppressed(own[0])),
          recipients: own[1],
          detail: { origin: own[0] },
          fence,
        })
      : this.move('narrow', held, { recipients: clear, fence });
    this.coverage.answered('sift', moved ? (own ? 'all' : 'some') : 'lost');
    if (!moved) return false;
    this.insertSuppressed(held, new Map(others), this.now);
    return { clear };
  }

  /** In the order in which they are met. */
  byOrigin(account: string, recipients: string[]): Map<SuppressionOrigin, string[]> {
    const found = new Map<SuppressionOrigin, string[]>();
    for (const one of recipients) {
      const origin = this.originOf(account, one);
      if (origin) found.set(origin, [...(found.get(origin) ?? []), one]);
    }
    return found;
  }

  insertSuppressed(
    { account, emailId, giveUpAt, policy }: Pick<Delivery, 'account' | 'emailId' | 'giveUpAt' | 'policy'>,
    withheld: ReadonlyMap<SuppressionOrigin, string[]>,
    runAt: number,
  ): void {
    for (const [origin, recipients] of withheld) {
      const reply = whySuppressed(origin);
      this.insert({ account, emailId, recipients, runAt, giveUpAt, policy, reply, state: 'suppressed' });
      this.tell(account, emailId, 'suppressed', { recipients, reply, said: null, origin });
    }
  }

  gate(
    held: Delivery,
    reply: EnvelopeReply,
    terms: { contentHash: Uint8Array; retryAt: number; tried: Tried },
  ): boolean {
    const { contentHash, retryAt, tried } = terms;
    const gate = {
      gatedAt: this.now,
      runAt: this.now + handoffMs,
      contentHash,
      recipients: reply.accepted,
      tried,
      fence: held.attempt,
    };
    const isOpen = this.move('gate', held, gate) !== null;
    if (isOpen) this.#split(held, reply.refused, { retryAt, tried });
    this.coverage.answered('gate', isOpen ? (reply.refused.length > 0 ? 'split' : 'whole') : 'lost');
    return isOpen;
  }

  verdict(held: Delivery, reply: Reply, { isDelivered, retryAt }: { isDelivered: boolean; retryAt: number }): boolean {
    const [state] = this.partsOf(held).map((one) => one.row.state);
    const given = { reply, fence: held.attempt };
    const isRecorded = this.move(...this.#verdictEdge(held, reply, { isDelivered, retryAt }, given)) !== null;
    this.coverage.answered('verdict', isRecorded ? (state === 'handoff' ? 'at once' : 'late') : 'lost');
    return isRecorded;
  }

  #verdictEdge(
    held: Delivery,
    { said }: Reply,
    { isDelivered, retryAt }: { isDelivered: boolean; retryAt: number },
    given: Terms,
  ): [EdgeName, Delivery, Terms] {
    if (said.class === 'ok') return [isDelivered ? 'delivered' : 'sent', held, { ...given, runAt: this.now }];
    const waits = said.class === 'transient' && retryAt <= held.giveUpAt;
    return waits ? ['put_off', held, { ...given, runAt: retryAt }] : ['rejected', held, { ...given, runAt: this.now }];
  }

  refused(held: Delivery, { refused, isOneReply }: Refusals, { retryAt, tried }: Again): boolean {
    const later = refused.filter((one) => !isPermanent(one));
    const gone = refused.filter(isPermanent);
    const waits = later.length > 0 && retryAt <= held.giveUpAt;
    const { recipients, reply, each } = answersOf(waits ? later : [...gone, ...later]);
    const moved = this.move(waits ? 'refused_for_now' : 'refused', held, {
      runAt: waits ? retryAt : this.now,
      recipients,
      reply,
      detail: isOneReply ? {} : each,
      tried,
      fence: held.attempt,
    });
    if (moved && waits) this.#split(held, gone, { retryAt, tried });
    const kind = waits ? (gone.length > 0 ? 'split' : 'waits') : 'over';
    this.coverage.answered('refused', moved ? kind : 'lost');
    return moved !== null;
  }

  /** Those refused for good are over; the others get a delivery of their own, as long as there is time. */
  #split(held: Delivery, refused: RecipientReply[], { retryAt, tried }: Again): void {
    const { account, emailId, giveUpAt, policy, attempt } = held;
    for (const isGone of [true, false]) {
      const some = refused.filter((one) => isPermanent(one) === isGone);
      if (some.length === 0) continue;
      const waits = !isGone && retryAt <= giveUpAt;
      const { recipients, reply, each } = answersOf(some);
      this.insert({
        account,
        emailId,
        recipients,
        giveUpAt,
        policy,
        state: waits ? 'queued' : 'bounced',
        runAt: waits ? retryAt : this.now,
        reply: reply.text,
        tries: held.tries + 1,
        relay: tried.relay,
      });
      const by = tried.relay === null ? {} : { relay: tried.relay };
      const detail = { recipients, reply: reply.text, said: reply.said, ...each, attempt, ...by };
      this.tell(account, emailId, waits ? 'delivery_delayed' : 'bounced', detail);
    }
  }

  unreached(held: Delivery, reply: Reply, { retryAt, tried, waitsFor }: Again & { waitsFor: string | null }): boolean {
    const isOver = retryAt > held.giveUpAt;
    const terms = { runAt: isOver ? this.now : retryAt, reply, tried, waitsFor, fence: held.attempt };
    return this.move(isOver ? 'given_up' : 'unreached', held, terms) !== null;
  }

  doubt(held: Delivery, reason: string, runAt: number): boolean {
    return this.move('doubt', held, { runAt, reply: ownWords(reason), fence: held.attempt }) !== null;
  }

  simulate(held: Delivery, outcome: TestOutcome): boolean {
    const reply = outcome === 'bounced' ? simulatedBounce : ownWords(`simulated: ${outcome}`);
    const edge = outcome === 'complained' ? 'simulate_delivered' : (`simulate_${outcome}` as const);
    const isOurs = this.move(edge, held, { runAt: this.now, reply, fence: held.attempt }) !== null;
    this.coverage.answered('simulated', isOurs ? 'ours' : 'lost');
    const { account, emailId, recipients, attempt } = held;
    if (isOurs && outcome === 'complained') {
      this.tell(account, emailId, 'complained', { recipients, reply: reply.text, said: null, attempt });
    }
    return isOurs;
  }

  beat(worker: string): boolean {
    const last = this.workers.get(worker);
    const isSteady = last !== undefined && last > this.now - deadAfterMs;
    this.coverage.answered('beat', isSteady ? 'steady' : 'first');
    for (const [id, at] of isSteady ? [] : this.workers) {
      if (at < this.now - workersForgottenAfterMs) this.workers.delete(id);
    }
    this.workers.set(worker, this.now);
    return isSteady;
  }

  goodbye(worker: string): void {
    this.workers.delete(worker);
  }

  recover(policy: InDoubtPolicy): { requeued: DeliveryRef[]; inDoubt: DeliveryRef[]; held: DeliveryRef[] } {
    const isDead = ({ worker }: ModelDelivery) => (this.workers.get(worker ?? '') ?? 0) <= this.now - deadAfterMs;
    const dead = this.deliveries.filter(isDead);
    const [claims, inDoubt] = [dead.filter(isIn('sending')), dead.filter(isIn('handoff'))];
    // Of those made alone: what dies before it is composed is to blame, and what dies behind that often enough.
    const isHeld = ({ row: { alone, wordless } }: ModelDelivery) => alone === 1 || (alone === 2 && wordless >= 4);
    const isSpared = ({ row: { alone, wordless } }: ModelDelivery) => alone === 3 || (alone === 0 && wordless >= 2);
    const [held, requeued] = this.#takeBack(claims, { edge: 'orphaned', isHeld, isSpared });
    const why = 'The process that sent it ended before the relay answered.';
    for (const one of inDoubt) this.#doubt('orphaned_handoff', one, policy, why);
    const isAny = requeued.length + inDoubt.length + held.length > 0;
    this.coverage.answered('recover', held.length > 0 ? 'held' : isAny ? 'some' : 'none');
    return { requeued: requeued.map(refOf), inDoubt: inDoubt.map(refOf), held: held.map(refOf) };
  }

  #takeBack(
    claims: ModelDelivery[],
    judge: { edge: EdgeName; isHeld: (one: ModelDelivery) => boolean; isSpared: (one: ModelDelivery) => boolean },
  ): [held: ModelDelivery[], requeued: ModelDelivery[]] {
    const held = claims.filter(judge.isHeld);
    const requeued = claims.filter((one) => !held.includes(one));
    for (const one of requeued) {
      this.move(judge.isSpared(one) ? 'spared' : judge.edge, one, { runAt: this.now, fence: one.row.attempt });
    }
    for (const one of held) {
      const reply = ownWords(
        `${one.row.wordless + 1} attempts ended without a word, the last one made alone: this mail may hang or crash what handles it. That attempt had not passed its gate, so nothing left with it.`,
      );
      this.move('silenced', one, { runAt: never, reply, fence: one.row.attempt });
    }
    return [held, requeued];
  }

  #doubt(edge: 'orphaned_handoff' | 'lost_handoff', one: ModelDelivery, policy: InDoubtPolicy, why: string): void {
    const sendsAgain = (one.policy ?? policy) === 'send-again';
    const runAt = sendsAgain ? (one.gatedAt ?? this.now) + verdictWaitMs : never;
    this.move(edge, one, { runAt, reply: ownWords(why), fence: one.row.attempt });
  }

  /** All whose time is over, or those of a worker that knows nothing of them. */
  loseHandoffs(policy: InDoubtPolicy, of: { worker: string; known: readonly DeliveryRef[] } | null): DeliveryRef[] {
    const isKnown = (one: ModelDelivery) =>
      of?.known.some(({ emailId, part }) => one.emailId === emailId && one.part === part);
    const isLost = (one: ModelDelivery) => (of ? one.worker === of.worker && !isKnown(one) : one.runAt <= this.now);
    const lost = this.deliveries.filter((one) => isIn('handoff')(one) && isLost(one));
    const why = 'The worker that sent it has not recorded what the relay answered.';
    for (const one of lost) this.#doubt('lost_handoff', one, policy, why);
    this.coverage.answered(of ? 'forgotten hand-offs' : 'lost hand-offs', lost.length > 0 ? 'some' : 'none');
    return lost.map(refOf);
  }

  sendAgainDue(): DeliveryRef[] {
    const due = this.deliveries.filter((one) => isIn('in_doubt')(one) && one.runAt <= this.now);
    for (const one of due) {
      const reply = ownWords('Sent again by the policy.');
      this.move('send_again', one, { runAt: this.now, heldUntil: this.now, reply, fence: one.row.attempt });
    }
    this.coverage.answered('send again', due.length > 0 ? 'some' : 'none');
    return due.map(refOf);
  }

  endLeases(): DeliveryRef[] {
    const due = this.deliveries.filter((one) => isIn('sending')(one) && one.runAt <= this.now);
    this.#takeBack(due, {
      edge: 'lease_over',
      isHeld: ({ row: { alone, wordless } }) => wordless >= 2 && alone > 0,
      isSpared: ({ row: { alone, wordless } }) => wordless >= 2 && alone === 0,
    });
    this.coverage.answered('leases', due.length > 0 ? 'some' : 'none');
    return due.map(refOf);
  }
}

export function isIn(...states: ModelDelivery['row']['state'][]): (one: ModelDelivery) => boolean {
  return ({ row }) => states.includes(row.state);
}

export function refOf({ account, emailId, part }: ModelDelivery): DeliveryRef {
  return { account, emailId, part };
}

function answersOf(refused: RecipientReply[]) {
  const replies = refused.map((one) => one.reply);
  const [first] = replies;
  if (!first) throw new Error('somebody was refused');
  return {
    recipients: refused.map((one) => one.address),
    reply: first,
    each: replies.length > 1 ? { replies: replies.map((one) => one.text), each: replies.map((one) => one.said) } : {},
  };
}
